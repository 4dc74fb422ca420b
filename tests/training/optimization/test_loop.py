from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from tests.support.training.checkpoints import assert_same_weights
from tests.support.training.textures import small_config
from training.config import Config
from training.optimization.distributed import ProcessGroup
from training.optimization.loop import TrainingLoop

CPU = torch.device("cpu")


@dataclass
class Regression:
    """Fits a linear layer to noisy data; its validations return `scores`, one after the other."""

    config: Config
    run: Path
    scores: list[float] = field(default_factory=lambda: [0.1, 0.2, 0.3])
    interrupt_at: int = -1
    group: ProcessGroup = field(default_factory=ProcessGroup)
    steps: list[int] = field(default_factory=list)
    training_modes: list[bool] = field(default_factory=list)

    def train(self) -> Path:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.5))
        loop = TrainingLoop(network, self.config, self.run, CPU, self.group)

        def compute_loss(step: int, generator: torch.Generator) -> Tensor:
            if step == self.interrupt_at:
                raise KeyboardInterrupt
            self.steps.append(step)
            self.training_modes.append(network.training)
            inputs = torch.randn(8, 3, generator=generator)
            loss: Tensor = (network(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()
            return loss

        def validate(averaged: nn.Module) -> dict[str, float]:
            averaged.eval()
            return {"score": self.scores.pop(0)}

        return loop.run(compute_loss, validate, batch_size=8)


@pytest.fixture
def config() -> Config:
    return replace(small_config(), training=replace(small_config().training, steps=12, validate_every=4, patience=2))


def test_a_resumed_run_ends_with_the_same_weights(config: Config, tmp_path: Path) -> None:
    whole = Regression(config, tmp_path / "whole").train()
    with pytest.raises(KeyboardInterrupt):
        Regression(config, tmp_path / "stopped", interrupt_at=6).train()
    resumed = Regression(config, tmp_path / "stopped", scores=[0.2, 0.3])
    stopped = resumed.train()
    assert resumed.steps == list(range(4, 12))  # from the last checkpoint on
    assert_same_weights(whole, stopped)
    assert_same_weights(whole.with_name("last.pt"), stopped.with_name("last.pt"))
    assert_same_history(whole, stopped)


def assert_same_history(first: Path, second: Path) -> None:
    histories = [torch.load(path, weights_only=True)["history"] for path in (first, second)]
    assert histories[0] == histories[1]


def test_every_step_trains_and_the_best_validation_chooses_the_weights(config: Config, tmp_path: Path) -> None:
    regression = Regression(config, tmp_path, scores=[0.1, 0.5, 0.3])
    best = torch.load(regression.train(), weights_only=True)
    assert regression.steps == list(range(12))
    assert all(regression.training_modes)
    assert best["step"] == 8
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    assert [entry["score"] for entry in last["history"]] == [0.1, 0.5, 0.3]


def test_a_run_stops_early_when_validation_no_longer_improves(config: Config, tmp_path: Path) -> None:
    longer = replace(config, training=replace(config.training, steps=40))
    regression = Regression(longer, tmp_path, scores=[0.5, 0.4, 0.4])
    regression.train()
    assert regression.steps[-1] == 11
    Regression(longer, tmp_path, scores=[]).train()  # a run that stopped early stays as it is


def test_the_last_step_is_validated_in_any_case(config: Config, tmp_path: Path) -> None:
    uneven = replace(config, training=replace(config.training, steps=5))
    Regression(uneven, tmp_path).train()
    history = torch.load(tmp_path / "last.pt", weights_only=True)["history"]
    assert [entry["step"] for entry in history] == [4, 5]


def test_tensorboard_gets_the_loss_the_learning_rate_and_every_metric(config: Config, tmp_path: Path) -> None:
    Regression(config, tmp_path).train()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["learning_rate", "loss", "validation/score"]
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 13))
    rates = [event.value for event in events.Scalars("learning_rate")]
    assert rates[:2] == pytest.approx([2.5e-3, 5e-3])  # warm-up of two steps
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert [event.step for event in events.Scalars("validation/score")] == [4, 8, 12]


def test_only_the_main_process_validates_and_writes(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProcessGroup, "broadcast", lambda group, value: value or {"score": 0.5})
    monkeypatch.setattr(ProcessGroup, "all_reduce_gradients", lambda group, parameters: None)
    second = Regression(config, tmp_path, scores=[], group=ProcessGroup(1, 2))
    monkeypatch.setattr("training.optimization.checkpoint.TrainingState.resume", lambda state, path: None)
    second.train()
    assert second.steps == list(range(12))
    assert list(tmp_path.iterdir()) == []
