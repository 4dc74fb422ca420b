from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.training.textures import small_config
from training.config import ConfigError
from training.optimization.checkpoint import TrainingState, load_best_checkpoint
from training.optimization.distributed import ProcessGroup


def new_state() -> TrainingState[nn.Linear]:
    torch.manual_seed(0)
    return TrainingState(nn.Linear(3, 1), small_config(), ProcessGroup())


def take_step(state: TrainingState[nn.Linear]) -> None:
    state.optimizer_step(state.network(torch.ones(4, 3)).square().mean())


def test_the_averaged_weights_follow_the_trained_ones() -> None:
    state = new_state()
    before = state.averaged.weight.clone()
    take_step(state)
    decay = 2 / 11  # of the first step, where the config's 0.8 would hold on to the random start
    expected = before * decay + state.network.weight * (1 - decay)
    torch.testing.assert_close(state.averaged.weight, expected.detach())
    assert not state.averaged.weight.requires_grad


def test_only_matrices_have_weight_decay() -> None:
    decayed, not_decayed = new_state().optimizer.param_groups
    assert [parameter.dim() for parameter in decayed["params"]] == [2]
    assert [parameter.dim() for parameter in not_decayed["params"]] == [1]
    assert decayed["weight_decay"] > not_decayed["weight_decay"] == 0


def test_best_pt_holds_the_averaged_weights_of_the_best_validation(tmp_path: Path) -> None:
    state = new_state()
    take_step(state)
    state.save_checkpoint({"score": 0.7}, tmp_path)
    best = state.averaged.weight.clone()
    take_step(state)
    state.save_checkpoint({"score": 0.6}, tmp_path)
    saved = load_best_checkpoint(small_config(), tmp_path, "a command")
    torch.testing.assert_close(saved["encoder"]["weight"], best)
    assert (saved["step"], saved["history"]) == (1, [{"step": 1.0, "score": 0.7}])
    assert state.validations_since_best == 1


def test_a_state_resumes_where_it_was_saved(tmp_path: Path) -> None:
    state = new_state()
    take_step(state)
    state.save_checkpoint({"score": 0.7}, tmp_path)
    resumed = new_state()
    resumed.resume(tmp_path / "last.pt")
    for each in (state, resumed):
        take_step(each)
    torch.testing.assert_close(resumed.network.weight, state.network.weight, atol=0, rtol=0)
    torch.testing.assert_close(resumed.averaged.weight, state.averaged.weight, atol=0, rtol=0)
    assert (resumed.step, resumed.best_score, resumed.commit) == (2, 0.7, state.commit)


def test_a_state_without_a_checkpoint_starts_anew(tmp_path: Path) -> None:
    state = new_state()
    state.resume(tmp_path / "last.pt")
    assert (state.step, state.history) == (0, [])


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    for name in ("best.pt", "last.pt"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=r"last\.pt is not a readable checkpoint"):
        new_state().resume(tmp_path / "last.pt")
    with pytest.raises(ConfigError, match=r"best\.pt is not a readable checkpoint"):
        load_best_checkpoint(small_config(), tmp_path, "a command")


def test_a_file_of_something_else_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "best.pt")
    with pytest.raises(ConfigError, match="not a checkpoint of a training run"):
        load_best_checkpoint(small_config(), tmp_path, "a command")


def test_a_missing_checkpoint_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"best\.pt does not exist\. Run `python -m training train` first"):
        load_best_checkpoint(small_config(), tmp_path, "python -m training train")


def test_a_run_without_a_valid_score_has_no_best_checkpoint(tmp_path: Path) -> None:
    new_state().save_checkpoint({"score": float("nan")}, tmp_path)
    with pytest.raises(ConfigError, match="no validation had a valid score"):
        load_best_checkpoint(small_config(), tmp_path, "a command")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    new_state().save_checkpoint({"score": 0.7}, tmp_path)
    other = TrainingState(nn.Linear(4, 1), small_config(), ProcessGroup())
    with pytest.raises(ConfigError, match=r"last\.pt was made by another version of this network"):
        other.resume(tmp_path / "last.pt")


def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path) -> None:
    new_state().save_checkpoint({"score": 0.7}, tmp_path)
    other = replace(small_config(), version="other")
    with pytest.raises(ConfigError, match="another config"):
        load_best_checkpoint(other, tmp_path, "a command")
    with pytest.raises(ConfigError, match="another config"):
        TrainingState(nn.Linear(3, 1), other, ProcessGroup()).resume(tmp_path / "last.pt")


def test_a_best_checkpoint_is_none_to_resume_from(tmp_path: Path) -> None:
    state = new_state()
    state.save_checkpoint({"score": 0.5}, tmp_path)
    (tmp_path / "best.pt").rename(tmp_path / "last.pt")
    with pytest.raises(ConfigError, match="not a checkpoint of a training run"):
        new_state().resume(tmp_path / "last.pt")
