import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.training.textures import small_config
from training.config import Config, ConfigError
from training.data.errors import DataError
from training.data.pairs import read_pair_folds
from training.data.prepared_faces import PreparedFaces
from training.data.sets.lfw import read_people_folds
from training.data.splits import Split, split_fold
from training.encoder.loop import train
from training.evaluation.view2 import FoldResult, run_fold, summarise_folds


@pytest.fixture
def lists(tmp_path: Path, faces: PreparedFaces) -> Path:
    """Two folds of the textures' people, six pairs each."""
    everyone = sorted(set(faces.people))
    halves = [everyone[::2], everyone[1::2]]
    people = ["2"]
    pairs = ["2\t3"]
    for half in halves:
        people += [str(len(half)), *(f"{name}\t4" for name in half)]
        pairs += [f"{name}\t1\t2" for name in half[:3]]
        pairs += [f"{name}\t1\t{other}\t2" for name, other in zip(half[:3], half[3:6], strict=True)]
    (tmp_path / "people.txt").write_text("\n".join(people))
    (tmp_path / "pairs.txt").write_text("\n".join(pairs))
    return tmp_path


def result(fold: int, accuracy: float = 0.9) -> FoldResult:
    scores = tuple(np.linspace(1, 0, 20) - fold / 1000)
    return FoldResult(
        fold, accuracy, 0.5, scores, (True,) * 10 + (False,) * 10, "detector", 7, 1.0, "commit", "machine"
    )


def run(config: Config, faces: PreparedFaces, served: PreparedFaces, *places: Any) -> FoldResult:
    def train_on_faces(split: Split, folder: Path) -> Path:
        return train(config, faces, split, folder)

    return run_fold(config, train_on_faces, faces, served, *places)


def test_a_fold_is_tested_on_people_it_has_not_seen(lists: Path) -> None:
    config = replace(small_config().data, validation_share=0.3)
    for fold in (0, 1):
        split = split_fold(config, lists, fold)
        assert split.test == frozenset(read_people_folds(lists / "people.txt")[fold])
        assert split.training
        assert split.validation
        tested = {pair.first.split("/")[0] for pair in read_pair_folds(lists / "pairs.txt")[fold]}
        assert tested <= split.test
    assert split_fold(config, lists, 0).test.isdisjoint(split_fold(config, lists, 1).test)


def test_the_official_folds_hold_each_person_once_with_their_pairs(lfw_folder: Path) -> None:
    folds = read_people_folds(lfw_folder / "lfw" / "people.txt")
    assert len(folds) == 10
    assert sum(map(len, folds)) == len(set().union(*folds)) == 5749
    for people, pairs in zip(folds, read_pair_folds(lfw_folder / "lfw" / "pairs.txt"), strict=True):
        assert len(pairs) == 600
        assert sum(pair.same for pair in pairs) == 300
        assert {name.split("/")[0] for pair in pairs for name in (pair.first, pair.second)} <= set(people)


def test_a_truncated_list_is_refused(lists: Path) -> None:
    for name, read in (("people.txt", read_people_folds), ("pairs.txt", read_pair_folds)):
        path = lists / name
        path.write_text("\n".join(path.read_text().splitlines()[:-2]))
        with pytest.raises(DataError, match="states"):
            read(path)


def test_a_fold_is_trained_once_and_its_result_is_saved(faces: PreparedFaces, lists: Path) -> None:
    config = replace(small_config(), data=replace(small_config().data, validation_share=0.3))
    first = run(config, faces, faces, lists, lists / "results", lists / "runs", 1)
    assert len(first.scores) == 6
    assert first.accuracy == np.mean((np.array(first.scores) >= first.threshold) == np.array(first.same))
    (lists / "runs" / "fold-1" / "best.pt").unlink()
    assert run(config, faces, faces, lists, lists / "results", lists / "runs", 1) == first
    with pytest.raises(ConfigError, match="another config"):
        run(replace(config, version="2"), faces, faces, lists, lists / "results", lists / "runs", 1)
    with pytest.raises(ConfigError, match="Delete it to test other"):
        run(config, faces, replace(faces, detector="other"), lists, lists / "results", lists / "runs", 1)


def test_a_fold_trains_on_one_set_of_crops_and_is_tested_on_another(faces: PreparedFaces, lists: Path) -> None:
    config = replace(small_config(), data=replace(small_config().data, validation_share=0.3))
    first = run(config, faces, faces, lists, lists / "results", lists / "runs", 1)
    served = replace(faces, crops=255 - np.array(faces.crops), detector="other")
    again = run(config, faces, served, lists, lists / "other-results", lists / "runs", 1)
    assert (again.best_step, again.seconds) == (first.best_step, first.seconds)  # the same training
    assert again.detector == "other"
    assert again.scores != first.scores


def test_the_mean_and_its_standard_error_are_over_the_folds() -> None:
    report = summarise_folds([result(fold, 0.9 + fold / 1000) for fold in range(1, 11)], "command")
    assert report["accuracy"]["value"] == pytest.approx(0.9055)
    assert report["accuracy"]["standard_error"] == pytest.approx(np.std(np.arange(10), ddof=1) / 1000 / np.sqrt(10))
    assert report["accuracy_at_best_threshold_of_each_fold"] == 1
    assert report["tar_at_fmr"] == {"0.01": 1.0, "0.001": 1.0}
    json.dumps(report)


def test_fewer_than_ten_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="all ten"):
        summarise_folds([result(fold) for fold in range(1, 10)], "command")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"config": {}}'])
def test_a_damaged_result_is_refused(faces: PreparedFaces, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fold-1.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"fold-1\.json is not the result of a fold"):
        run(small_config(), faces, faces, tmp_path, tmp_path, tmp_path / "runs", 1)
