"""Settings for commands: read from the environment, with readable errors."""

from typing import TYPE_CHECKING, Any

from app.cli.output import fail

if TYPE_CHECKING:
    from app.settings import Settings


def read_settings(**overrides: Any) -> "Settings":
    """Reads FACETWIN_* from the environment. Exits with status 1 and one line per bad setting."""
    from pydantic import ValidationError

    from app.settings import load_settings

    try:
        return load_settings(**overrides)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
        fail("\n".join(lines))
    except ValueError as error:
        fail(str(error))
