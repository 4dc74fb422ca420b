from pathlib import Path

from PIL import Image

from tests.support.fakes import operating_point
from tests.training.metrics.test_bootstrap import sample
from training.evaluation.plots import plot_det, plot_roc, plot_scores
from training.metrics.verification import all_pairs


def test_every_plot_is_a_picture(tmp_path: Path) -> None:
    pairs = all_pairs(*sample(60, 4))
    plot_roc(pairs, "title", tmp_path / "deep" / "roc.png")
    plot_scores(pairs, operating_point(0.5, 1e-3), "title", tmp_path / "scores.png")
    plot_det(pairs, "title", tmp_path / "det.png")
    for path in (tmp_path / "deep" / "roc.png", tmp_path / "det.png", tmp_path / "scores.png"):
        with Image.open(path) as picture:
            assert picture.size == (720, 540)
            assert len(picture.convert("RGB").getcolors(10**6) or []) > 20
