from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from typing import Any

import pytest

from facetwin_client import Detection, Identity, as_json
from facetwin_client.json_form import Unreadable, read_answer
from tests.support.answers import DETECTION, FACE, identity


def test_unknown_fields_are_kept() -> None:
    content = {**DETECTION, "faces": [{**FACE, "age": 40}], "mood": {"code": "calm"}}
    answer = read_answer(Detection, content)
    assert answer.extra == {"mood": {"code": "calm"}}
    assert answer.faces[0].extra == {"age": 40}
    written = as_json(answer)
    assert written | {"faces": content["faces"]} == content
    assert written["faces"][0].items() >= {"age": 40, "box": FACE["box"], "faces_in_photo": 1}.items()


def test_times_are_read_and_written() -> None:
    answer = read_answer(Identity, identity("ada"))
    assert answer.created_at == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert as_json(answer)["created_at"] == "2026-01-02T03:04:05.678901Z"
    assert answer.templates[0].expires_at is None  # an older service does not say


def test_answers_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        read_answer(Detection, DETECTION).width = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": "64"}, "width is not of type int"),
        ({"width": True}, "width is not of type int"),
        ({"width": None}, "width is not of type int"),
        ({"faces": None}, "faces is not the expected list"),
        ({"faces": [{**FACE, "box": [1.0]}]}, "box is not the expected list"),
        ({"faces": [{}]}, "faces lacks one of the fields box"),
        ({"faces": [{**FACE, "quality": "good"}]}, "quality is not an object"),
        ({"timings_ms": [1]}, "timings_ms is not of type Mapping"),
    ],
)
def test_an_answer_of_another_form_is_refused_without_its_values(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read_answer(Detection, {**DETECTION, **change})


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Unreadable, match="created_at is not a time"):
        read_answer(Identity, {**identity("ada"), "created_at": "yesterday"})
