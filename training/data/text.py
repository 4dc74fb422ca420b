"""Text lists: one record a line."""

from pathlib import Path

from training.data.errors import DataError


def read_lines(path: Path, content: str) -> list[str]:
    """The lines of a UTF-8 file, with or without a byte order mark; blank lines are left out.

    `content` says in words what the file lists. Raises DataError if the file is missing, cannot be read, or is not
    UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. It should be {content}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. It should be {content}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text. It should be {content}; save it as UTF-8.") from error
    return [line for line in text.splitlines() if line.strip()]
