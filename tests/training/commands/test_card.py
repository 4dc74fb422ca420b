from pathlib import Path

import pytest

from tests.support.training.commands import run


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "card [draft].md: No such file or directory."),
        (b"\xff", "card [draft].md is not UTF-8 text"),
        (b"no places", "The card has no place for "),
    ],
)
def test_a_card_that_cannot_be_filled_is_reported(tmp_path: Path, content: bytes | None, message: str) -> None:
    target = tmp_path / "card [draft].md"
    if content is not None:
        target.write_bytes(content)
    result = run("card", target)
    assert result.exit_code == 1
    assert message in result.output
    assert not target.exists() or target.read_bytes() == content
