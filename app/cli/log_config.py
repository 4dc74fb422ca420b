"""The format of the service's log."""

from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS


def json_log_config(level: str) -> dict[str, Any]:
    """Returns a configuration for `logging.config.dictConfig`: one JSON object per line on standard output."""
    formatter = {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        "reserved_attrs": [*RESERVED_ATTRS, "color_message"],  # uvicorn repeats its messages with colours
        "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
    }
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"out": handler},
        "root": {"level": level.upper(), "handlers": ["out"]},
        # Alembic logs every start, even without a migration; httpx logs the addresses that it calls.
        "loggers": {name: {"level": "WARNING"} for name in ("alembic", "httpx", "PIL")},
    }
