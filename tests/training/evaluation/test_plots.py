from pathlib import Path

from PIL import Image

from tests.support.fakes import operating_point
from tests.support.training.embeddings import random_embeddings
from training.evaluation.plots import can_plot, plot_det, plot_reliability, plot_roc, plot_scores
from training.metrics.verification import compare_all_pairs


def test_every_plot_is_an_image(tmp_path: Path) -> None:
    pairs = compare_all_pairs(*random_embeddings(60, 4))
    plot_roc(pairs, "title", tmp_path / "deep" / "roc.png")
    plot_scores(pairs, operating_point(0.5, 1e-3), "title", tmp_path / "scores.png")
    plot_det(pairs, "title", tmp_path / "det.png")
    rows = [{"said": 0.1, "true": 0.15, "error": 0.001}, {"said": 0.9, "true": 0.8, "error": 0.1}]
    plot_reliability({"a set": {"bins": rows}}, "title", tmp_path / "reliability.png")
    for path in (
        tmp_path / "deep" / "roc.png",
        *(tmp_path / f"{name}.png" for name in ("det", "scores", "reliability")),
    ):
        with Image.open(path) as picture:
            assert picture.size == (720, 540)
            assert len(picture.convert("RGB").getcolors(10**6) or []) > 20


def test_few_pairs_cannot_be_plotted() -> None:
    assert can_plot(compare_all_pairs(*random_embeddings(60, 4)))
    assert not can_plot(compare_all_pairs(*random_embeddings(3, 2)))
    assert not can_plot(compare_all_pairs(*random_embeddings(60, 1)))
