from pathlib import Path

from training.model_card.results import Row, read_rows, write_row


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [Row(name, "data", "protocol", "accuracy", 0.9, 0.01, "command", "commit", "machine") for name in ("a", "b")]
    for row in reversed(rows):
        write_row(row, tmp_path)
    assert read_rows(tmp_path) == rows
    assert read_rows(tmp_path / "none") == []
