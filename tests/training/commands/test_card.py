from pathlib import Path

import pytest

from tests.support.training.commands import run
from training.model_card.documents import CARD


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "MODEL_CARD.md: No such file or directory."),
        (b"\xff", "MODEL_CARD.md is not UTF-8 text"),
        (b"no places", "The document has no place for "),
    ],
)
def test_documents_that_cannot_be_filled_are_reported(tmp_path: Path, content: bytes | None, message: str) -> None:
    card = tmp_path / CARD
    if content is not None:
        card.parent.mkdir()
        card.write_bytes(content)
    result = run("card", "--root", tmp_path)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not card.exists() or card.read_bytes() == content
