"""Answers of a service, as JSON."""

from collections.abc import Callable
from typing import Any

import httpx

Handler = Callable[[httpx.Request], httpx.Response]

FACE: dict[str, Any] = {
    "box": [1.0, 2.0, 3.0, 4.0],
    "landmarks": [[1.0, 2.0]] * 5,
    "detection_score": 1,  # JSON may write 1.0 as 1
    "pose": {"yaw": 0.0, "pitch": 0.0, "roll": 0.0},
    "quality": {"score": 0.9, "reasons": [], "recognizability": None},
    "rotation": 0,
    "faces_in_photo": 1,
}
MODEL = {"name": "fake", "version": "0", "encoder_id": "e"}
DETECTION: dict[str, Any] = {"faces": [FACE], "width": 64, "height": 64, "timings_ms": {"decode": 0.1}}
ENROLLMENT: dict[str, Any] = {
    "template_id": "t",
    "identity": "ada",
    "gallery": "default",
    "face": FACE,
    "warnings": [{"code": "collision", "message": "Also matches 'bob'."}],
    "model": MODEL,
    "timings_ms": {},
}
CANDIDATE = {"identity": "ada", "similarity": 0.5, "template_id": "t", "above_threshold": True, "rejected": True}
IDENTIFICATION: dict[str, Any] = {
    "decision": "unknown",
    "identity": None,
    "candidates": [CANDIDATE],
    "threshold": 0.4,
    "expected_fpir": 0.01,
    "target_met": True,
    "gallery": "default",
    "gallery_size": 1,
    "face": None,
    "warnings": [],
    "model": MODEL,
    "timings_ms": {},
}
RECEIPT = {
    "gallery": "default",
    "identities": ["ada"],
    "template_ids": ["t"],
    "erased_at": "2026-01-02T03:04:05Z",
    "erasure": {"complete": True, "detail": "Nothing is left."},
}


def identity(name: str) -> dict[str, Any]:
    return {
        "gallery": "default",
        "identity": name,
        "metadata": {"team": "engines"},
        "created_at": "2026-01-02T03:04:05.678901Z",
        "templates": [
            {
                "template_id": "t",
                "encoder_id": "e",
                "detector": "d",
                "quality": 0.9,
                "created_at": "2026-01-02T03:04:05Z",
            }
        ],
    }


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    content = {"status": status, "code": code, "detail": "Do this.", "request_id": "r1"}
    return httpx.Response(status, json=content, headers={k.replace("_", "-"): v for k, v in headers.items()})
