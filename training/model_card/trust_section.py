"""The model card's section on whether a bundle's promises hold: by person, by group, and for bad photos."""

from typing import Any

from training.evaluation.trust.reliability import MOST_ERROR, is_judged, largest_difference

TABLE = "| --- "


def describe_people(report: Any, cross_fit: Any = None) -> list[str]:
    """Paragraphs on test people with several photos (training/evaluation/trust/report.py); none without a report.

    `cross_fit`: what `training.evaluation.trust.reliability.cross_fit` says of the calibration people.
    """
    if report is None:
        return []
    tars = ", ".join(f"{tar:.1%} at {float(fmr):g}" for fmr, tar in report["tar_by_people"].items())
    probability, search = report["probability"], report["search"]
    (rate,) = search["rates"]
    parts = [
        f"With every person counting alike, however many photos there are of them, the TAR is {tars}. A few people "
        f"with many photos have most of the genuine pairs, which weigh like {report['effective_people']:.0f} people's.",
        f"The probability was fitted by isotonic regression on the calibration people. On these people its Cllr is "
        f"{probability['cllr']:.4f} bits; the lowest that a rising curve could have is "
        f"{probability['lowest_cllr']:.4f}." + _describe_bins(probability, cross_fit),
        f"A search among {search['gallery']} enrolled people at the service's own threshold for an FPIR of "
        f"{search['target_fpir']:.0%} ({rate['threshold']:.3f}) has an FPIR of {rate['fpir']:.2%} and an FNIR of "
        f"{rate['fnir']:.1%}" + ("." if search["target_met"] else "; the bundle does not support this target there."),
    ]
    if "discard" in report:
        discard = report["discard"]
        kept = ", ".join(
            f"{fnmr:.2%} without the worst {float(share):.0%}" for share, fnmr in discard["without_the_worst"].items()
        )
        parts.append(
            f"Recognizability predicts false non-matches: at the default threshold the FNMR is {discard['fnmr']:.2%} "
            f"of all genuine pairs, {kept}. {report['genuine_pairs_refused']:.2%} of the genuine pairs are refused."
        )
    return parts


def _describe_bins(probability: Any, cross_fit: Any) -> str:
    few = sum(each["share"] for each in probability["bins"] if not is_judged(each))
    text = (
        f" In those of ten bins in which the share of genuine pairs is known to {MOST_ERROR:g} (standard "
        f"error, as if pairs were independent), it "
        f"differs from the probability by at most {largest_difference(probability):.3f}; the others have {few:.1%} of "
        "the weight."
    )
    if cross_fit:
        text += (
            " Fitted on one half of the calibration people and tested on the other, each set of people counting alike, "
            f"it differs by at most {cross_fit['largest_difference']:.3f}."
        )
    return text


def describe_strangers(report: Any) -> list[str]:
    """Paragraphs and tables on people who set no threshold (`evaluate_strangers`); none without a report."""
    if report is None:
        return []
    parts = [
        "Groups: All-Age-Faces, a quarter of its people, who set neither weights nor thresholds; one photo of each, "
        f"without {report.get('doubles', 0)} photos that were seen to show somebody a second time; every pair within a "
        f"group is an impostor pair. FMR at the default threshold ({report['threshold']:.3f}):",
        _describe_rows(report["groups"]),
        "Children are set apart: they resemble each other far more than adults do, and no threshold is promised "
        "for them.",
    ]
    if "origins" in report:
        parts += [
            "By origin: adults of UTKFace (non-commercial, for testing only), whose origin its authors judged by eye. "
            "Some people are there more than once, so these are upper bounds. FMR at the default threshold:",
            _describe_rows(report["origins"]),
        ]
    kinds = list(next(iter(report["degraded"].values())))
    columns = [name for name in report["degraded"] if name != "photos without people"]
    lines = [
        "| "
        + kind
        + " | "
        + " | ".join(
            f"{report['degraded'][name][kind]['fmr']:.2g} ({report['degraded'][name][kind]['refused']:.0%} refused)"
            for name in columns
        )
        + " |"
        for kind in kinds
    ]
    nobody = report["degraded"]["photos without people"]["no face"]
    parts += [
        "Strangers whose photos share a defect: the FMR at the default threshold where both crops were degraded alike "
        "(training/data/degradations.py), one photo of each of up to 250 people. Pairs with a refused photo count as "
        "not matched.",
        "\n".join([f"| both photos | {' | '.join(columns)} |", TABLE * (len(columns) + 1) + "|", *lines]),
        f"Crops of {nobody['people']:.0f} places in photos without people, as if the detector had found a face there: "
        f"FMR {nobody['fmr']:.2g}, {nobody['refused']:.0%} refused.",
    ]
    return parts


def _describe_rows(groups: Any) -> str:
    """A table of groups, adults first."""
    rows = [
        f"| {name} | {each['people']:,} | {each['pairs']:,} | {each['fmr']:.2g} |"
        for name, each in sorted(groups.items(), key=lambda item: (not item[1]["adults"], item[0]))
    ]
    return "\n".join(["| group | people | impostor pairs | FMR |", TABLE * 4 + "|", *rows])
