"""The figures of the model card, written from the metadata of the bundles so that the two cannot differ."""

from collections.abc import Mapping
from typing import Any, Final

from model.calibration import WORST_GROUP_FACTOR, Calibration, OperatingPoint
from model.detector.bundle import DetectorMetadata
from model.encoder.bundle import Bundle, BundleMetadata
from model.liveness.bundle import LivenessMetadata
from training.data.errors import DataError
from training.evaluation.calibration.points import MIN_FALSE_MATCHES, MIN_PAIRS_OF_PEOPLE
from training.model_card.detector_section import describe_detector, markdown_table
from training.model_card.liveness_section import describe_liveness
from training.model_card.places import fill_places
from training.model_card.trust_section import describe_people, describe_strangers

DECADES: Final = (1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3, 10**-3.5, 1e-4, 10**-4.5, 1e-5, 10**-5.5, 1e-6)


def fill_card(card: str, bundles: list[Bundle], detector: DetectorMetadata, liveness: LivenessMetadata) -> str:
    """The card with new text between each `<!-- figures: NAME -->` and `<!-- end -->`.

    NAME is that of a bundle, `results` for the results of the recipes that the bundles carry, `detector`, or
    `liveness`. Raises DataError if the card lacks one of these places, or if a file lacks its figures.
    """
    texts = {bundle.metadata.name: describe_bundle(bundle.metadata, bundle.path.name) for bundle in bundles}
    texts["detector"] = describe_detector(detector)
    texts["liveness"] = describe_liveness(liveness)
    results = [result for bundle in bundles for result in (bundle.metadata.evaluation or {}).get("results", ())]
    if results:
        texts["results"] = _describe_results({result["recipe"]: result for result in results})
    return fill_places(card, texts)


def _describe_results(results: Mapping[str, Any]) -> str:
    lines = [
        f"| `{name}` | {result['protocol']} | {result['figure']} **{result['value']:.2%}** +- "
        f"{result['standard_error']:.2%} | {result['learned_from']} | `{result['command']}`, commit "
        f"`{result['commit'][:12]}`, {result['machine']} |"
        for name, result in sorted(results.items())
    ]
    head = "| recipe | protocol | figure and standard error | learned from | made by |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *lines])


def describe_bundle(metadata: BundleMetadata, file: str) -> str:
    """One bundle in Markdown. Raises DataError if it is not calibrated and evaluated."""
    if metadata.calibration is None or "all_pairs" not in (metadata.evaluation or {}):
        raise DataError(
            f"The bundle {metadata.name} is not calibrated and evaluated. Run `python -m training calibrate` and "
            "`python -m training evaluate` first."
        )
    return "\n\n".join(
        [
            _describe_origin(metadata, metadata.calibration, file),
            *_describe_accuracy(metadata.evaluation or {}),
            *describe_people((metadata.evaluation or {}).get("people"), (metadata.evaluation or {}).get("cross_fit")),
            *describe_strangers((metadata.evaluation or {}).get("strangers")),
            _describe_points(metadata.calibration),
        ]
    )


def _describe_origin(metadata: BundleMetadata, calibration: Calibration, file: str) -> str:
    training, network = metadata.training, metadata.architecture
    mirrored = " (the crop and its mirror image averaged)" if network.get("mirror") else ""
    rows = {
        "model": f"one branch of a Siamese network: aligned {metadata.crop_size} x {metadata.crop_size} crop -> "
        f"unit vector of {metadata.embedding_dim} numbers{mirrored}; `{network['architecture']}`, "
        f"{network['parameters'] / 1e6:.1f} million parameters",
        "file": f"`artifacts/{file}`, TorchScript; encoder id `{metadata.encoder_id[:16]}...`",
        "made by": f"`{training['command']}`, commit `{metadata.git_commit[:12]}`, "
        f"{training['seconds'] / 60:.0f} minutes of training on {training['machine']}",
        "started from": training["started_from"],
        "learned from": f"{training['data']}: {training['people']['training']:,} people, "
        f"{training['photos']['training']:,} photos",
        "validated on": f"{training['people']['validation']:,} other people ({training['photos']['validation']:,} "
        f"photos); best step {training['best_step']:,} of {training['config']['training']['steps']:,}",
        "calibrated on": calibration.data,
        "licence": f"code and weights MIT; {training['licence']}",
        "detector": f"`{metadata.detector}` for the figures below, `{training['detector']}` for the training; "
        f"alignment `{metadata.alignment}`"
        + (f", `{training['alignment']}` for the training" if "alignment" in training else ""),
    }
    return markdown_table(rows)


def _describe_accuracy(report: Any) -> list[str]:
    pairs, view1 = report["all_pairs"], report["view1"]
    rows = [
        f"| {float(fmr):g} | {tar['value']:.1%} | {tar['standard_error']:.1%} | "
        f"{tar['interval'][0]:.1%} to {tar['interval'][1]:.1%} |"
        for fmr, tar in pairs["tar_at_fmr"].items()
    ]
    tars = "\n".join(["| FMR | TAR | standard error | 95 % limits |", "| --- | --- | --- | --- |", *rows])
    default, even_odds = pairs["at_default_threshold"], view1["accuracy_at_even_odds"]
    point = view1["accuracy_at_operating_point"]
    parts = [
        f"Accuracy on people who took no part in training or in any choice: every pair of {pairs['photos']:,} photos "
        f"of the {pairs['people']:,} people of `peopleDevTest` ({pairs['genuine_pairs']:,} genuine, "
        f"{pairs['impostor_pairs']:,} impostor pairs). {len(report['photos_without_face'])} photos have no detected "
        f"face; their pairs count as rejected. Standard errors are by bootstrap over people. `{report['command']}`, "
        f"{report['machine']}:",
        tars,
        f"The equal error rate is {pairs['eer']:.2%}. The default threshold ({default['threshold']:.3f}) was "
        f"calibrated to an FMR of {default['fmr_promised']:.2%}; on these people its FMR is {default['fmr']:.2%} and "
        f"its FNMR {default['fnmr']:.1%}.",
        f"View 1, the {view1['pairs']:,} listed pairs of `pairsDevTest.txt`: the accuracy is {even_odds['value']:.1%} "
        f"+- {even_odds['standard_error']:.1%} at the threshold for equal odds "
        f"({view1['threshold_at_even_odds']:.3f}) and {point['value']:.1%} at the default threshold. The best "
        f"threshold for these pairs would give {view1['accuracy_at_best_threshold']:.1%}.",
    ]
    if "one_shot" in report:
        shares = ", ".join(f"{ways}-way {share:.1%}" for ways, share in report["one_shot"].items())
        parts.append(f"One-shot classification among the same people, with one enrolled photo each: {shares}.")
    if "open_set" in report:
        parts.append(_describe_open_set(report["open_set"]))
    if "view2" in report:
        view2 = report["view2"]
        tars = " and ".join(f"{tar:.1%} at FMR {float(fmr):g}" for fmr, tar in view2["tar_at_fmr"].items())
        parts.append(
            "View 2, ten fold models trained with the recipe of this command; none of them has the weights in the "
            f"file. `{view2['command']}`, {view2['machine']}: the accuracy is **{view2['accuracy']['value']:.2%}** +- "
            f"{view2['accuracy']['standard_error']:.2%} (mean and standard error over the folds; each threshold was "
            f"set on validation people of the other nine folds), TAR {tars}. Detector `{view2['detector']}`."
        )
    return parts


def _describe_open_set(report: Any) -> str:
    lines = [
        f"| {rate['fmr']:g} | {rate['threshold']:.3f} | {rate['fpir']:.1%} | {rate['fpir_if_independent']:.1%} | "
        f"{rate['fnir']:.1%} |"
        for rate in report["rates"]
    ]
    fnirs = " and ".join(f"{fnir:.1%} at an FPIR of {float(fpir):g}" for fpir, fnir in report["fnir_at_fpir"].items())
    return "\n".join(
        [
            f"Open-set identification: half of these people ({report['gallery']}) are enrolled from one photo each; "
            f"{report['mated_probes']:,} other photos of them and {report['stranger_probes']:,} photos of the other "
            "half are searched. Mean over ten draws, with thresholds set on the same people. Rank-1 is "
            f"{report['rank1']:.1%}, FNIR {fnirs}. The service assumes FPIR = 1 - (1 - FMR)^N; the table shows it "
            "beside the measured FPIR:",
            "",
            "| FMR | threshold | FPIR | 1 - (1 - FMR)^N | FNIR |",
            "| --- | --- | --- | --- | --- |",
            *lines,
        ]
    )


def _describe_points(calibration: Calibration) -> str:
    points, errors = calibration.points, calibration.label_errors
    shown: list[OperatingPoint] = []
    for target in DECADES:
        point = next((each for each in points if each.fmr <= target * 1.001), None)
        if point is not None and point not in shown and point.fmr > target / 1.7:
            shown.append(point)
    if points[-1] not in shown:
        shown.append(points[-1])
    rows = [
        f"| {point.fmr:.2g} | {point.interval[0]:.1g} to {point.interval[1]:.1g} | {point.threshold:.3f} | "
        f"{_describe_fnmr(point)} | {point.false_matches:,} |"
        + (f" {point.fmr_worst_group:.2g} ({point.worst_group}) |" if point.fmr_worst_group is not None else "")
        + (f" {errors.fmr[points.index(point)]:.2g} | {errors.fnmr[points.index(point)]:.1%} |" if errors else "")
        for point in shown
    ]
    first = points[0]
    grouped = first.fmr_worst_group is not None
    promise = f", and {WORST_GROUP_FACTOR:.0f} times it (or 1 in 1,000) for every group of adults" if grouped else ""
    columns = " FMR of the worst group of adults |" if grouped else ""
    columns += " FMR without | FNMR without |" if errors else ""
    note = f" The last two columns leave out {len(errors.photos)} photos with wrong labels." if errors else ""
    return "\n".join(
        [
            f"Operating points (`{calibration.command}` prints all of them), from {first.genuine_pairs:,} genuine and "
            f"{first.impostor_pairs:,} impostor pairs of {first.people:,} people. The service takes the lowest "
            f"threshold that keeps the requested FMR{promise}; the default FMR is {calibration.default_fmr:g}. Every "
            f"point has at least {MIN_FALSE_MATCHES} false matches from {MIN_PAIRS_OF_PEOPLE} distinct pairs of "
            f"people.{note}",
            "",
            f"| FMR | 95 % limits | threshold | FNMR | false matches |{columns}",
            f"| --- | --- | --- | --- | --- |{' --- |' * columns.count('|')}",
            *rows,
        ]
    )


def _describe_fnmr(point: OperatingPoint) -> str:
    low, high = point.fnmr_interval
    return f"{point.fnmr:.1%} ({low:.1%} to {high:.1%})"
