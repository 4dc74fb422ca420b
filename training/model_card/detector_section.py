"""The face detector in the model card."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from model.detector.bundle import DetectorMetadata
from training.data.errors import DataError


def describe_detector(metadata: DetectorMetadata) -> str:
    """The face detector in Markdown. Raises DataError if its file carries no evaluation."""
    if metadata.evaluation is None:
        raise DataError(
            f"The detector {metadata.name} is not evaluated. Run `python -m training detector report` first."
        )
    report, training = metadata.evaluation, metadata.training
    parameters = metadata.architecture["parameters"]
    origin = {
        "model": "photo of any size -> boxes, chances, five landmarks; "
        f"YuNet, {parameters['yunet']:,} parameters, and a refiner, {parameters['refiner']:,}",
        "file": f"`artifacts/detector/detector.pt`, TorchScript; `{metadata.full_name}`",
        "made by": f"`{training['command']}`, commit `{metadata.git_commit[:12]}`, {training['seconds'] / 60:.0f} "
        f"minutes of training on {training['machine']}",
        "learned from": training["data"],
        "licence": f"code and the refiner's weights MIT, YuNet's weights MIT; {training['licence']}",
    }
    return "\n\n".join(
        [
            markdown_table(origin),
            "Detection on photos of people who took no part in training, but for LFW, of whose photos half taught the "
            "refiner. Recall counts only faces that are certain in the ground truth, at the lowest threshold with at "
            "most one false face in 100 photos without people. A photo is lost if nothing is found on it. Landmark "
            "errors are the mean over the five points, in distances between the eyes. "
            f"`{report['command']}`, {report['machine']}:",
            _table(
                ("photos", "truth", "detector", "photos", "recall", "photos lost", "landmark error, median", "95 %"),
                [_describe_source(each) for each in report["sources"]],
            ),
            "Photos without people, each tried in four orientations by facetwin:",
            _table(
                ("photos", "detector", "photos", "with a false face", "false faces"),
                [
                    (each["source"], each["detector"], f"{each['photos']:,}", each["photos_with_a_face"], each["faces"])
                    for each in report["faceless"]
                ],
            ),
            _describe_verification(report["verification"]),
            "Median milliseconds per photo, on LFW's photos scaled to squares. Every detector gets the whole photo; "
            "MTCNN scales it down to at most 640 px a side:",
            _describe_times(report["times"]),
            _describe_crowd(report["crowd"]),
        ]
    )


def _describe_source(line: Mapping[str, Any]) -> Sequence[object]:
    return (
        line["source"],
        line["truth"],
        line["detector"],
        f"{line['photos']:,}",
        _percent(line["recall"] if line["faces"] else math.nan, 2),
        f"{line['photos_lost']:,}",
        _percent(line["landmark_error"]),
        _percent(line["landmark_error_95"]),
    )


def _describe_verification(tested: Mapping[str, Any]) -> str:
    lost, parts = tested["photos_lost"], []
    for fmr, difference in tested["difference"].items():
        tar, (low, high) = tested["tar"][fmr], difference["interval"]
        parts.append(
            f"at FMR {fmr} {tar['service']:.2%} with facetwin's detector and {tar['mtcnn']:.2%} with MTCNN "
            f"({difference['value'] * 100:+.2f} points, 95 % limits {low * 100:+.2f} to {high * 100:+.2f})"
        )
    return (
        f"TAR of `{tested['bundle']}` on every pair of `peopleDevTest`: {'; '.join(parts)}; paired bootstrap over "
        f"people. Of its {tested['photos']:,} photos, {lost['service']} have no face for facetwin's detector and "
        f"{lost['mtcnn']} for MTCNN."
    )


def _describe_times(times: Sequence[Mapping[str, Any]]) -> str:
    names = list(times[0]["milliseconds"])
    rows = [(each["side"], each["threads"], *_with_ratios(each["milliseconds"])) for each in times]
    return _table(("side, px", "threads", *names), rows)


def _describe_crowd(crowd: Mapping[str, Any]) -> str:
    found = ", ".join(
        f"{name}: {count} in {crowd['milliseconds'][name]:.0f} ms" for name, count in crowd["found"].items()
    )
    return f"A photo of {crowd['width']} x {crowd['height']} pixels with {crowd['faces']} faces, one thread: {found}."


def _with_ratios(milliseconds: Mapping[str, float]) -> Sequence[str]:
    """Times, those after the first with their ratio to the first."""
    first = next(iter(milliseconds.values()))
    texts = [f"{each:.1f} ({each / first:.1f} x)" for each in milliseconds.values()]
    return (f"{first:.1f}", *texts[1:])


def _percent(value: float, digits: int = 1) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}%}"  # NaN: nothing was measured


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def markdown_table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
