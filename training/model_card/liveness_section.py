"""The networks for liveness in the model card."""

from collections.abc import Mapping, Sequence
from typing import Any

from model.liveness.bundle import LivenessMetadata
from training.data.errors import DataError
from training.model_card.detector_section import markdown_table


def describe_liveness(metadata: LivenessMetadata) -> str:
    """The networks for liveness in Markdown. Raises DataError if their file carries no evaluation."""
    report = metadata.evaluation
    if metadata.threshold is None or report is None:
        raise DataError("The liveness networks are not measured. Run `python -m training liveness report` first.")
    agreement, boxes, correction = metadata.agreement, metadata.agreement["boxes"], metadata.correction
    origin = {
        "model": f"crops of {metadata.crop_size} px at {' and '.join(f'{scale:g}' for scale in metadata.scales)} times "
        "the face's box -> score, 0..1; two networks (MiniFASNet V2 and V1SE), mean of their probabilities of 'live'",
        "file": f"`artifacts/liveness/liveness.pt`, TorchScript; `{metadata.name}-{metadata.version}-"
        f"{metadata.liveness_id[:8]}`, commit `{metadata.git_commit[:12]}`",
        "weights": f"{metadata.source}; {metadata.licence}. Nothing was trained here",
        "agreement": f"with the authors' own code on {agreement['photos']} photos of LFW, largest difference of a "
        f"probability: {agreement['same_crops']:.1g} on the same crops, {agreement['own_crops']:.1g} on the service's",
        "boxes": f"their detector's boxes are wider and lower than `{metadata.detector}`'s. Width x "
        f"{correction.width:g}, "
        f"height x {correction.height:g}, moved by {correction.right:.1%} to the right and {correction.down:.1%} "
        f"down: mean IoU with their boxes {boxes['iou_with']:.2f} instead of {boxes['iou_without']:.2f} "
        f"({boxes['photos']:.0f} photos; these fitted the correction)",
        "threshold": f"{metadata.threshold:.3f}: {report['target_bpcer']:.0%} of the live people before a camera were "
        f"refused, each set alike, among the people who chose it "
        f"({', '.join(f'{count} of {name}' for name, count in report['chosen_on'].items())})",
        "made by": f"`{agreement['command']}`, `{report['command']}`, {report['machine']}",
    }
    return "\n\n".join(
        [
            markdown_table(origin),
            "APCER (ISO/IEC 30107-3): the share of attacks that pass as live at this threshold. Only people who did "
            "not choose the threshold are counted. Intervals: 95 %, Wilson's with the effective number of "
            "presentations (Korn and Graubard 1998), since photos of one person resemble each other:",
            _table(("attack", "set", "photos", "people", "APCER", "95 %"), [_attack(row) for row in report["apcer"]]),
            "BPCER: the share of live people that are refused, also by the quality of the photo (`quality.score`: low "
            "below 0.35, good from 0.7):",
            _table(
                ("set", "photos", "people", "BPCER", "95 %", "low quality", "middle", "good"),
                [_live(each) for each in report["sets"] if each["bpcer"] is not None],
            ),
            "Other thresholds, chosen in the same way for another share of refused live people:",
            _other_thresholds(report["other_thresholds"]),
            "The sets: " + " ".join(_describe_set(each) for each in report["sets"]),
        ]
    )


def _attack(row: Mapping[str, Any]) -> Sequence[object]:
    rate = row["rate"]
    if rate is None:
        return row["kind"], "", "", "", "not measured", ""
    return (
        row["kind"],
        row["set"],
        f"{rate['presentations']:,}",
        rate["people"],
        f"{rate['value']:.1%}",
        _interval(rate),
    )


def _live(each: Mapping[str, Any]) -> Sequence[object]:
    rate = each["bpcer"]
    qualities = [_short(part) for part in each["bpcer_by_quality"].values()]
    name = each["name"] if each["by_camera"] else f"{each['name']} (press photos)"
    count, people = f"{rate['presentations']:,}", f"{rate['people']:,}"
    return name, count, people, f"{rate['value']:.1%}", _interval(rate), *qualities


def _other_thresholds(rows: Sequence[Mapping[str, Any]]) -> str:
    live = list(rows[0]["bpcer"])
    live = [name for name in live if rows[0]["bpcer"][name] is not None]
    attacks = [(row["kind"], row["set"]) for row in rows[0]["apcer"] if row["rate"] is not None]
    header = ["threshold", *(f"BPCER {name}" for name in live), *(f"APCER {kind}, {name}" for kind, name in attacks)]
    lines = []
    for row in rows:
        rates = [row["bpcer"][name] for name in live] + [
            each["rate"] for each in row["apcer"] if each["rate"] is not None
        ]
        lines.append([f"{row['threshold']:.3f}", *(f"{rate['value']:.1%}" for rate in rates)])
    return _table(header, lines)


def _describe_set(each: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in each["photos"].items())
    lost = ", ".join(f"{count} {kind}" for kind, count in each["without_face"].items())
    return f"**{each['name']}**: {each['origin']}; {counts}" + (f"; without a face: {lost}." if lost else ".")


def _short(rate: Mapping[str, Any] | None) -> str:
    return "no photos" if rate is None else f"{rate['value']:.1%} of {rate['presentations']:,}"


def _interval(rate: Mapping[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{low:.1%} to {high:.1%}"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
