"""The face detector in the model card."""

import math
from collections.abc import Mapping

from model.detector.bundle import LocatorMetadata
from training.data.photos import DataError


def describe_locator(metadata: LocatorMetadata) -> str:
    """The face detector in Markdown. Raises DataError where it was not measured."""
    if metadata.evaluation is None:
        raise DataError(f"{metadata.name} is not measured yet: run `python -m training detector report`.")
    report, training = metadata.evaluation, metadata.training
    landmarks = training["landmarks"]
    story = {
        "what": f"photo of any size -> boxes, scores, five landmarks; {metadata.architecture['parameters'] / 1e6:.2f} "
        "million parameters",
        "file": f"`artifacts/detector/locator.pt`, TorchScript; `{metadata.full_name}`",
        "made by": f"`{training['command']}`, commit `{metadata.git_commit[:12]}`, {training['seconds'] / 60:.0f} "
        f"minutes of training on {training['machine']}; its look at each face: commit `{landmarks['commit'][:12]}`, "
        f"{landmarks['seconds'] / 60:.0f} minutes",
        "learned from": f"{training['data']}: {training['people']:,} people, {training['photos']:,} photos, and "
        "composites of them",
        "licence": f"code and weights MIT; {training['licence']}",
    }
    found = []
    for each in report["sources"]:
        recall = _share(each["recall"] if each["faces"] else math.nan)
        errors = f"{_share(each['landmark_error'])} | {_share(each['landmark_error_95'])}"
        found.append(
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
            table(story),
            f"`{report['command']}` ({report['machine']}). Faces found on photos of people who trained nothing and on "
            "photos without people; recall counts the faces of which the truth is sure, landmark errors are in "
            "distances between the eyes, the mean of the five points:",
            "\n".join(
                [
                    "| photos | truth | detector | photos | recall | false positives a photo | landmark error, median "
                    "| 95 % |",
                    "| --- | --- | --- | --- | --- | --- | --- | --- |",
                    *found,
                ]
            ),
            f"Of LFW's {tested['lfw_photos']:,} photos, `locator` loses {lost['locator']}, `mtcnn` {lost['mtcnn']}. "
            f"TAR of `{tested['bundle']}` at FMR {tested['fmr']:g} on every pair of `peopleDevTest`: "
            f"{tar['locator']:.2%} with `locator`, {tar['mtcnn']:.2%} with `mtcnn`; difference "
            f"{tested['difference']['value'] * 100:+.2f} points, 95 % limits {low * 100:+.2f} to {high * 100:+.2f} "
            "(bootstrap paired over people).",
            "Median milliseconds a photo, LFW's test photos scaled to squares. Both get the whole photo; MTCNN scales "
            "it to 640 px a side at most, as in the service (or to 320), and finds faces from 40 px on there:",
            "\n".join(
                [
                    "| side, px | threads | locator | MTCNN at 320 px | MTCNN at 640 px |",
                    "| --- | --- | --- | --- | --- |",
                    *times,
                ]
            ),
        ]
    )


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"  # where there was nothing to measure


def table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
