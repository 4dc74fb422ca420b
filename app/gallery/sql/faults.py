"""Which errors of a database are its own faults, not ours."""

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError, TimeoutError

UNUSABLE = (OperationalError, InternalError, InterfaceError, TimeoutError)
REFUSED = {"25006", "42501"}  # SQLSTATE: a read-only server, a role that may not write


def is_fault(error: Exception) -> bool:
    """Whether the store is unusable: unreachable, locked, full, damaged, read-only, or out of connections."""
    if isinstance(error, IntegrityError):
        return False
    return isinstance(error, UNUSABLE) or (isinstance(error, DBAPIError) and _state(error) in REFUSED)


def reason(error: Exception) -> str:
    """The first line of the database's message, without the statement, its values and SQLAlchemy's remarks."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _state(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
