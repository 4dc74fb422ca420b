"""Settings for commands: read from the environment, with readable errors."""

from typing import TYPE_CHECKING, Any

from app.cli.output import fail

if TYPE_CHECKING:
    from pydantic import ValidationError

    from app.settings import Settings


def read_settings(**overrides: Any) -> "Settings":
    """Reads FACETWIN_* from the environment. Exits with status 2 and one line per bad setting."""
    from pydantic import ValidationError

    from app.settings import load_settings

    try:
        return load_settings(**overrides)
    except ValidationError as error:
        fail("\n".join(describe_bad_settings(error)))
    except ValueError as error:
        fail(str(error))


def describe_bad_settings(error: "ValidationError") -> list[str]:
    """One line per bad setting, without its value."""
    return [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
