import json

from pydantic import TypeAdapter

from app.verification.results import DetectionResult, EmbeddingResult


def test_timings_are_rounded_to_hundredths_of_a_millisecond_in_json() -> None:
    result = DetectionResult((), 640, 480, {"decode": 1.23456, "queue": 0.001})
    assert result.timings_ms["decode"] == 1.23456
    assert json.loads(TypeAdapter(DetectionResult).dump_json(result)) == {
        "faces": [],
        "width": 640,
        "height": 480,
        "timings_ms": {"decode": 1.23, "queue": 0.0},
        "warnings": [],
    }


def test_the_schema_describes_the_fields() -> None:
    schema = TypeAdapter(EmbeddingResult).json_schema(mode="serialization")
    assert "unit length" in schema["properties"]["embedding"]["description"]
    assert schema["required"] == ["embedding", "face", "model", "timings_ms"]
