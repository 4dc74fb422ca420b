"""The face detector in the model card."""

import math
from collections.abc import Mapping

from model.detector.bundle import LocatorMetadata
from training.data.errors import DataError


def describe_locator(metadata: LocatorMetadata) -> str:
    """The face detector in Markdown. Raises DataError if its file carries no evaluation."""
    if metadata.evaluation is None:
        raise DataError(
            f"The detector {metadata.name} is not evaluated. Run `python -m training detector report` first."
        )
    report, training = metadata.evaluation, metadata.training
    landmarks = training["landmarks"]
    origin = {
        "model": f"photo of any size -> boxes, scores, five landmarks; {metadata.architecture['parameters'] / 1e6:.2f} "
        "million parameters",
        "file": f"`artifacts/detector/locator.pt`, TorchScript; `{metadata.full_name}`",
        "made by": f"`{training['command']}`, commit `{metadata.git_commit[:12]}`, {training['seconds'] / 60:.0f} "
        f"minutes of training on {training['machine']}; its landmark refiner: commit `{landmarks['commit'][:12]}`, "
        f"{landmarks['seconds'] / 60:.0f} minutes",
        "learned from": f"{training['data']}: {training['people']:,} people, {training['photos']:,} photos, and "
        "composites of them",
        "licence": f"code and weights MIT; {training['licence']}",
    }
    sources = []
    for each in report["sources"]:
        recall = _percent(each["recall"] if each["faces"] else math.nan)
        errors = f"{_percent(each['landmark_error'])} | {_percent(each['landmark_error_95'])}"
        sources.append(
            f"| {each['source']} | {each['truth']} | {each['detector']} | {each['photos']:,} | {recall} | "
            f"{each['false_positives']:.3f} | {errors} |"
        )
    times = [
        f"| {each['side']} | {each['threads']} | {each['locator']:.1f} | {each['mtcnn_320']:.1f} "
        f"({each['mtcnn_320'] / each['locator']:.0f} x) | {each['mtcnn_640']:.1f} "
        f"({each['mtcnn_640'] / each['locator']:.0f} x) |"
        for each in report["times"]
    ]
    tested = report["verification"]
    (low, high), tar, lost = tested["difference"]["interval"], tested["tar"], tested["lfw_photos_lost"]
    return "\n\n".join(
        [
            markdown_table(origin),
            "Detection on photos of people who took no part in training and on photos without people. Recall counts "
            "only faces that are certain in the ground truth. Landmark errors are the mean over the five points, in "
            f"distances between the eyes. `{report['command']}`, {report['machine']}:",
            "\n".join(
                [
                    "| photos | truth | detector | photos | recall | false positives per photo | landmark error, "
                    "median | 95 % |",
                    "| --- | --- | --- | --- | --- | --- | --- | --- |",
                    *sources,
                ]
            ),
            f"LFW photos without a detected face, of {tested['lfw_photos']:,}: {lost['locator']} with `locator`, "
            f"{lost['mtcnn']} with `mtcnn`. TAR of `{tested['bundle']}` at FMR {tested['fmr']:g} on every pair of "
            f"`peopleDevTest`: {tar['locator']:.2%} with `locator`, {tar['mtcnn']:.2%} with `mtcnn`; the difference is "
            f"{tested['difference']['value'] * 100:+.2f} points, 95 % limits {low * 100:+.2f} to {high * 100:+.2f} "
            "(paired bootstrap over people).",
            "Median milliseconds per photo, on LFW's test photos scaled to squares. Both detectors get the whole "
            "photo. MTCNN scales it down to at most 640 px a side, as in the service, or 320 px, and detects faces "
            "of at least 40 px in it:",
            "\n".join(
                [
                    "| side, px | threads | locator | MTCNN at 320 px | MTCNN at 640 px |",
                    "| --- | --- | --- | --- | --- |",
                    *times,
                ]
            ),
        ]
    )


def _percent(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"  # NaN: nothing was measured


def markdown_table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
