"""The figures of the model card, written from the bundles themselves, so that the two cannot differ."""

import re
from collections.abc import Mapping
from typing import Any

from model.calibration import OperatingPoint
from model.detector.bundle import LocatorMetadata
from model.encoder.bundle import Bundle, BundleMetadata
from training.data.photos import DataError
from training.model_card.detector_section import describe_locator, table

DECADES = (1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3, 10**-3.5, 1e-4, 10**-4.5, 1e-5, 10**-5.5, 1e-6)


def fill(card: str, bundles: list[Bundle], locator: LocatorMetadata) -> str:
    """The card with the text between `<!-- figures: NAME -->` and `<!-- end -->` written anew for each bundle, for the
    rows that the bundles carry, under the name `rows`, and for the detector, under the name `detector`. Raises
    DataError where one has no such place or lacks its figures."""
    texts = {bundle.metadata.name: describe(bundle.metadata, bundle.path.name) for bundle in bundles}
    texts["detector"] = describe_locator(locator)
    rows = [row for bundle in bundles for row in (bundle.metadata.evaluation or {}).get("rows", ())]
    if rows:
        texts["rows"] = _rows({row["recipe"]: row for row in rows})
    for name, text in texts.items():
        place = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(card):
            raise DataError(f"The card has no place for {name}: <!-- figures: {name} --> ... <!-- end -->")
        card = place.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", card)  # type: ignore[misc]
    return card


def _rows(rows: Mapping[str, Any]) -> str:
    lines = [
        f"| `{name}` | {row['protocol']} | {row['figure']} **{row['value']:.2%}** +- {row['standard_error']:.2%} | "
        f"{row['learned_from']} | `{row['command']}`, commit `{row['commit'][:12]}`, {row['machine']} |"
        for name, row in sorted(rows.items())
    ]
    head = "| recipe | protocol | figure and standard error | learned from | made by |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *lines])


def describe(metadata: BundleMetadata, file: str) -> str:
    """One bundle in Markdown. Raises DataError where it is not calibrated and evaluated."""
    if metadata.calibration is None or metadata.evaluation is None:
        raise DataError(f"{metadata.name} is not calibrated and evaluated yet.")
    return "\n\n".join([_story(metadata, file), *_accuracy(metadata.evaluation), _points(metadata)])


def _story(metadata: BundleMetadata, file: str) -> str:
    training, network = metadata.training, metadata.architecture
    assert metadata.calibration is not None
    mirrored = ", of the face and its mirror image together" if network.get("mirror") else ""
    rows = {
        "what": f"one branch of a Siamese network: aligned {metadata.crop_size} x {metadata.crop_size} crop -> "
        f"{metadata.embedding_dim} numbers of unit length{mirrored}; `{network['architecture']}`, "
        f"{network['parameters'] / 1e6:.1f} million parameters",
        "file": f"`artifacts/{file}`, TorchScript; encoder id `{metadata.encoder_id[:16]}...`",
        "made by": f"`{training['command']}`, commit `{metadata.git_commit[:12]}`, "
        f"{training['seconds'] / 60:.0f} minutes of training on {training['machine']}",
        "started from": training["started_from"],
        "learned from": f"{training['data']}: {training['people']['training']:,} people, "
        f"{training['photos']['training']:,} photos",
        "chosen on": f"{training['people']['validation']:,} further people ({training['photos']['validation']:,} "
        f"photos): weights of step {training['best_step']:,} of {training['config']['training']['steps']:,}",
        "calibrated on": metadata.calibration.data,
        "licence": f"code and weights MIT; {training['licence']}",
        "faces found by": f"`{metadata.detector}` for the figures below, `{training['detector']}` for the training; "
        f"aligned by `{metadata.alignment}`",
    }
    return table(rows)


def _accuracy(report: Any) -> list[str]:
    pairs, view1 = report["all_pairs"], report["view1"]
    lost = report["photos_without_face"]
    rows = [
        f"| {float(fmr):g} | {tar['value']:.1%} | {tar['standard_error']:.1%} | "
        f"{tar['interval'][0]:.1%} to {tar['interval'][1]:.1%} |"
        for fmr, tar in pairs["tar_at_fmr"].items()
    ]
    table = "\n".join(["| FMR | TAR | standard error | 95 % limits |", "| --- | --- | --- | --- |", *rows])
    default, listed = pairs["at_default_threshold"], view1["accuracy_at_even_odds"]
    point = view1["accuracy_at_operating_point"]
    parts = [
        f"On people whom neither training nor any choice has seen, `{report['command']}` ({report['machine']}): every "
        f"pair of {pairs['photos']:,} photos of the {pairs['people']:,} people of `peopleDevTest` "
        f"({pairs['genuine_pairs']:,} genuine, {pairs['impostor_pairs']:,} impostor; {len(lost)} photos without a "
        "face, whose pairs count as rejected), standard errors by bootstrap over people:",
        table,
        f"Equal error rate {pairs['eer']:.2%}. The default threshold ({default['threshold']:.3f}) promises an FMR of "
        f"{default['fmr_promised']:.2%} and has {default['fmr']:.2%} here, with an FNMR of {default['fnmr']:.1%}.",
        f"View 1, the {view1['pairs']:,} listed pairs of `pairsDevTest.txt`: accuracy {listed['value']:.1%} +- "
        f"{listed['standard_error']:.1%} where same and different are equally likely "
        f"(threshold {view1['threshold_at_even_odds']:.3f}), {point['value']:.1%} at the default operating point; the "
        f"best threshold for these very pairs would give {view1['accuracy_at_best_threshold']:.1%}.",
    ]
    if "one_shot" in report:
        shots = ", ".join(f"{ways}-way {share:.1%}" for ways, share in report["one_shot"].items())
        parts.append(f"One-shot classification among the same people, one known photo of each: {shots}.")
    if "open_set" in report:
        parts.append(_open_set(report["open_set"]))
    if "view2" in report:
        view2 = report["view2"]
        tars = " and ".join(f"{tar:.1%} at FMR {float(fmr):g}" for fmr, tar in view2["tar_at_fmr"].items())
        parts.append(
            "View 2, ten fold models of the recipe that this command names, none of them the weights in the file: "
            f"`{view2['command']}` ({view2['machine']}): accuracy "
            f"**{view2['accuracy']['value']:.2%}** +- {view2['accuracy']['standard_error']:.2%} (mean and standard "
            f"error over the folds, thresholds from validation people of the other nine); TAR {tars}. Faces found by "
            f"`{view2['detector']}`."
        )
    return parts


def _open_set(found: Any) -> str:
    lines = [
        f"| {rate['fmr']:g} | {rate['threshold']:.3f} | {rate['fpir']:.1%} | {rate['fpir_if_independent']:.1%} | "
        f"{rate['fnir']:.1%} |"
        for rate in found["rates"]
    ]
    at = " and ".join(f"{lost:.1%} at an FPIR of {float(rate):g}" for rate, lost in found["fnir_at_fpir"].items())
    return "\n".join(
        [
            f"Open-set identification: half of these people, {found['gallery']}, enrolled from one photo each; "
            f"{found['mated_probes']:,} other photos of them and {found['stranger_probes']:,} of the other half "
            f"searched; ten draws, thresholds set on these very people. Rank-1 {found['rank1']:.1%}; FNIR {at}. The "
            "service takes FPIR for 1 - (1 - FMR)^N; beside it what it was:",
            "",
            "| FMR | threshold | FPIR | 1 - (1 - FMR)^N | FNIR |",
            "| --- | --- | --- | --- | --- |",
            *lines,
        ]
    )


def _points(metadata: BundleMetadata) -> str:
    assert metadata.calibration is not None
    points = metadata.calibration.points
    errors = metadata.calibration.label_errors
    shown: list[OperatingPoint] = []
    for target in DECADES:
        point = next((each for each in points if each.fmr <= target * 1.001), None)
        if point is not None and point not in shown and point.fmr > target / 1.7:
            shown.append(point)
    if points[-1] not in shown:
        shown.append(points[-1])
    rows = [
        f"| {point.fmr:.2g} | {point.interval[0]:.1g} to {point.interval[1]:.1g} | {point.threshold:.3f} | "
        f"{point.fnmr:.1%} | {point.false_matches:,} |"
        + (f" {errors.fmr[points.index(point)]:.2g} | {errors.fnmr[points.index(point)]:.1%} |" if errors else "")
        for point in shown
    ]
    first = points[0]
    columns = " FMR without | FNMR without |" if errors else ""
    more = f" The last two columns leave out {len(errors.photos)} photos whose labels are wrong." if errors else ""
    return "\n".join(
        [
            f"Operating points, `{metadata.calibration.command}` prints all of them. The service takes the laxest that "
            f"keeps the rate asked for; the default is {metadata.calibration.default_fmr:g}. From "
            f"{first.genuine_pairs:,} genuine and {first.impostor_pairs:,} impostor pairs of {first.people:,} people; "
            f"a point is supported by at least 30 false matches from 30 distinct pairs of people.{more}",
            "",
            f"| FMR | 95 % limits | threshold | FNMR | false matches |{columns}",
            f"| --- | --- | --- | --- | --- |{' --- | --- |' if errors else ''}",
            *rows,
        ]
    )
