"""ROC curve, DET curve, score histogram and reliability diagram of an evaluation."""

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from model.calibration import OperatingPoint
from training.evaluation.trust.reliability import is_judged
from training.metrics.verification import BINS, PairScores, bin_centres

BLUE, ORANGE, GREEN, VIOLET, GREY = "#1f5fa8", "#d1622b", "#2f7d4f", "#7a4fa3", "#666666"
TOLERATED: Final = 0.03  # of a probability: the grey band
MIN_PLOTTED_PAIRS: Final = 30  # impostor pairs, below which a curve shows nothing


def can_plot(pairs: PairScores) -> bool:
    """Whether there are enough pairs with a score for the three plots."""
    return len(pairs.impostor) >= MIN_PLOTTED_PAIRS and bool(pairs.genuine_histogram.any())


def plot_roc(pairs: PairScores, title: str, target: Path) -> None:
    """ROC: TAR over FMR, with a logarithmic FMR axis."""
    ranked = np.sort(pairs.genuine)[::-1]
    counts = np.unique(np.logspace(0, np.log10(len(pairs.impostor) - 1), 300).astype(int))
    accepted = np.searchsorted(-ranked, -pairs.impostor[counts], side="left") / len(ranked)
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(counts / pairs.impostor_pairs, accepted, color=BLUE, linewidth=2)
    for fmr in (1e-4, 1e-3, 1e-2):
        if fmr * pairs.impostor_pairs >= 30:
            tar = pairs.tar_at(fmr)
            axes.plot(fmr, tar, "o", color=ORANGE)
            axes.annotate(
                f"{tar:.1%}", (fmr, tar), textcoords="offset points", xytext=(6, -14), ha="left", color=ORANGE
            )
    axes.set(xlabel="false match rate (FMR)", ylabel="true accept rate (TAR)", ylim=(0, 1.02), title=title)
    axes.set_xlim(max(30 / pairs.impostor_pairs, 1e-7), _highest_fmr(pairs))
    axes.grid(True, which="both", alpha=0.25)
    _save(figure, target)


def plot_det(pairs: PairScores, title: str, target: Path) -> None:
    """DET: FNMR over FMR, both on normal deviate axes (Martin et al. 1997, 'The DET curve in assessment of detection
    task performance')."""
    ranked = np.sort(pairs.genuine)
    counts = np.unique(np.logspace(0, np.log10(len(pairs.impostor) - 1), 300).astype(int))
    missed = np.searchsorted(ranked, pairs.impostor[counts], side="left") / len(ranked)
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    deviate = NormalDist().inv_cdf
    shown = (missed > 0) & (missed < 1)
    axes.plot(*([deviate(rate) for rate in rates[shown]] for rates in (counts / pairs.impostor_pairs, missed)), BLUE)
    ticks = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
    positions = [deviate(tick) for tick in ticks]
    axes.set_xticks(positions, [f"{tick:g}" for tick in ticks], rotation=45)
    axes.set_yticks(positions, [f"{tick:g}" for tick in ticks])
    axes.set(xlabel="false match rate (FMR)", ylabel="false non-match rate (FNMR)", title=title)
    axes.set_xlim(deviate(max(30 / pairs.impostor_pairs, 1e-7)), deviate(min(_highest_fmr(pairs), 0.9)))
    axes.set_ylim(deviate(max(float(missed[shown].min(initial=0.5)) / 2, 1e-6)), deviate(0.9))
    axes.grid(True, alpha=0.25)
    _save(figure, target)


def plot_scores(pairs: PairScores, point: OperatingPoint | None, title: str, target: Path) -> None:
    """Densities of the similarities of genuine and impostor pairs, and the threshold of `point` if there is one."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    low, high = _visible_bins(pairs)
    merged = next(width for width in (1, 2, 4, 8, 16, 32) if width * 80 >= high - low or width == 32)
    centres = bin_centres().reshape(-1, merged).mean(axis=1)
    width = 2 * merged / BINS
    kinds = (("impostor pairs", pairs.impostor_histogram, GREY), ("genuine pairs", pairs.genuine_histogram, BLUE))
    for label, histogram, colour in kinds:
        density = histogram.reshape(-1, merged).sum(axis=1) / histogram.sum() / width
        axes.fill_between(centres, density, step="mid", alpha=0.45, color=colour, label=label)
    if point:
        axes.axvline(point.threshold, color=ORANGE, linestyle="--", label=f"default threshold, FMR {point.fmr:.1e}")
    axes.set(xlabel="similarity (cosine)", ylabel="density", title=title)
    axes.set_xlim(bin_centres()[low], bin_centres()[high])
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    _save(figure, target)


def plot_reliability(reports: Mapping[str, Any], title: str, target: Path) -> None:
    """For each report of `measure_curve`, by name: the share of genuine pairs over the probability that is said.

    Bins with too few pairs are hollow.
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between([0, 1], [-TOLERATED, 1 - TOLERATED], [TOLERATED, 1 + TOLERATED], color=GREY, alpha=0.25)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    for (name, report), colour in zip(reports.items(), (BLUE, ORANGE, GREEN, VIOLET), strict=False):
        rows = report["bins"]
        said, true = ([each[key] for each in rows] for key in ("said", "true"))
        axes.plot(said, true, color=colour, linewidth=1, label=name)
        faces = [colour if is_judged(each) else "white" for each in rows]
        axes.scatter(said, true, c=faces, edgecolors=colour, zorder=3)
    axes.set(xlabel="probability of 'same person'", ylabel="share of genuine pairs", title=title)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.grid(True, alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    _save(figure, target)


def _highest_fmr(pairs: PairScores) -> float:
    """Where a curve ends: of a large set only the highest impostor scores are kept one by one."""
    return 1.0 if len(pairs.impostor) == pairs.impostor_pairs else 0.12


def _visible_bins(pairs: PairScores) -> tuple[int, int]:
    """The first and last histogram bin to show: all but one in ten thousand scores of each kind lie between them."""
    ends = []
    for histogram in (pairs.impostor_histogram, pairs.genuine_histogram):
        share = np.cumsum(histogram) / histogram.sum()
        ends += [int(np.searchsorted(share, 1e-4)), int(np.searchsorted(share, 1 - 1e-4))]
    room = (max(ends) - min(ends)) // 20
    return max(min(ends) - room, 0), min(max(ends) + room, BINS - 1)


def _save(figure: Figure, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
