import json
import logging
import logging.config

import pytest

from app.cli.log_config import json_log_config


def test_the_log_has_one_json_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logging.config.dictConfig(json_log_config("info"))
        logging.getLogger("facetwin").info("ready", extra={"bundle": "x"})
    finally:
        root.handlers[:], root.level = before
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["bundle"], line["level"]) == ("ready", "x", "INFO")
