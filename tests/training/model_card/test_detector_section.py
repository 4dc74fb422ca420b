import pytest

from tests.support.training.detector_reports import make_evaluation, make_metadata
from training.data.errors import DataError
from training.model_card.detector_section import describe_detector, markdown_table


def test_the_section_shows_every_figure_of_the_evaluation() -> None:
    text = describe_detector(make_metadata(make_evaluation()))
    for line in (
        "| model | photo of any size -> boxes, chances, five landmarks; YuNet, 75,856 parameters, and a refiner, "
        "345,678 |",
        "| LFW | by hand | facetwin | 2,000 | 98.77% | 1 | 5.1% | 12.3% |",
        "| LFW | by hand | mtcnn | 2,000 |  | 1,234 |  |  |",  # nothing had to be found, and nothing was
        "| pets | facetwin | 3,000 | 7 | 9 |",
        "| side, px | threads | facetwin | mtcnn |",
        "| 250 | 1 | 4.0 | 100.0 (25.0 x) |",
    ):
        assert line in text.splitlines()
    for figure in (
        "10 minutes of training on a machine",
        "13,233",
        "99.00% with facetwin's detector and 98.50% with MTCNN (+0.50 points, 95 % limits -0.10 to +1.10)",
        "A photo of 4000 x 3000 pixels with 50 faces, one thread: facetwin: 50 in 80 ms, mtcnn: 41 in 900 ms.",
        "`the command`, a machine",
        "nan",
    ):
        assert (figure in text) == (figure != "nan")


def test_every_table_has_as_many_cells_in_each_row() -> None:
    text = describe_detector(make_metadata(make_evaluation()))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_a_detector_that_was_not_measured_has_no_section() -> None:
    with pytest.raises(DataError, match="detector is not evaluated"):
        describe_detector(make_metadata(None))


def test_a_table_of_two_columns_has_an_empty_header() -> None:
    assert markdown_table({"a": "b"}) == "| | |\n| --- | --- |\n| a | b |"
