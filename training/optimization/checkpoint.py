"""The state of a training run, and its checkpoints: weights, their running average, optimizer, step and history."""

import math
import pickle
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor, nn

from training.config import ConfigError, TrainableConfig, matches_config
from training.optimization.distributed import ProcessGroup
from training.provenance import git_commit

Network = TypeVar("Network", bound=nn.Module)

BEST, LAST = "best.pt", "last.pt"
BEST_KEYS: Final = frozenset({"config", "commit", "encoder", "history", "seconds", "step"})
LAST_KEYS: Final = BEST_KEYS | {"average", "best", "optimizer", "stale"}


class TrainingState(Generic[Network]):
    """A network with its AdamW optimizer and the exponential moving average of its weights."""

    def __init__(self, network: Network, config: TrainableConfig, group: ProcessGroup) -> None:
        self.network, self.config, self._group = network, config, group
        self.averaged = deepcopy(network).requires_grad_(False)
        decayed = [p for p in network.parameters() if p.dim() > 1]
        not_decayed = [p for p in network.parameters() if p.dim() <= 1]
        parameter_groups = [
            {"params": decayed, "weight_decay": config.training.weight_decay},
            {"params": not_decayed, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(parameter_groups, lr=config.training.learning_rate)
        self.step = 0
        self.best_score = -1.0
        self.validations_since_best = 0
        self.history: list[dict[str, float]] = []
        self.commit = git_commit()  # of the code that started this run
        self.seconds = 0.0
        self._since = time.monotonic()

    def optimizer_step(self, loss: Tensor) -> None:
        """Updates the weights, at the scheduled learning rate, and their average."""
        settings = self.config.training
        for parameter_group in self.optimizer.param_groups:
            parameter_group["lr"] = settings.learning_rate * _learning_rate_factor(
                self.step, settings.warmup_steps, settings.steps
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._group.all_reduce_gradients(self.network.parameters())
        self.optimizer.step()
        self.step += 1
        self._update_average(decay=min(settings.ema, (1 + self.step) / (10 + self.step)))

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        weights = self.network.state_dict().values()
        for average, current in zip(self.averaged.state_dict().values(), weights, strict=True):
            if average.dtype.is_floating_point:
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(current)

    def save_checkpoint(self, metrics: dict[str, float], run: Path) -> None:
        """Records a validation. The main process writes last.pt, and best.pt if metrics["score"] is the best so far."""
        self.history.append({"step": float(self.step), **metrics})
        self.seconds += time.monotonic() - self._since
        self._since = time.monotonic()
        self.validations_since_best += 1
        if metrics["score"] > self.best_score:
            self.best_score, self.validations_since_best = metrics["score"], 0
            self._write(run / BEST, {"encoder": self.averaged.state_dict()})
        weights = {"encoder": self.network.state_dict(), "average": self.averaged.state_dict()}
        self._write(run / LAST, {**weights, "optimizer": self.optimizer.state_dict()})

    def resume(self, path: Path) -> None:
        """Continues from the main process's checkpoint, if there is one.

        Raises ConfigError if the checkpoint is damaged or was made with another config.
        """
        exists = self._group.is_main and path.is_file()
        saved = self._group.broadcast(_load_checkpoint(path, LAST_KEYS) if exists else None)
        if saved is None:
            return
        if not matches_config(saved["config"], self.config):
            raise ConfigError(f"{path} was made with another config. Choose another --build folder or delete the file.")
        load_weights(self.network, saved["encoder"], path)
        load_weights(self.averaged, saved["average"], path)
        self.optimizer.load_state_dict(saved["optimizer"])  # also moves the state to the device of the parameters
        self.step, self.best_score, self.validations_since_best = saved["step"], saved["best"], saved["stale"]
        self.history, self.seconds, self.commit = saved["history"], saved["seconds"], saved["commit"]

    def _write(self, path: Path, weights: dict[str, Any]) -> None:
        if not self._group.is_main:
            return
        progress = {
            "config": asdict(self.config),
            "commit": self.commit,
            "step": self.step,
            "best": self.best_score,
            "stale": self.validations_since_best,
            "history": self.history,
            "seconds": self.seconds,
        }
        partial = path.with_suffix(".partial")
        torch.save({**weights, **progress}, partial)
        partial.replace(path)


def load_best_checkpoint(config: TrainableConfig, run: Path, command: str) -> dict[str, Any]:
    """Loads best.pt of a run onto the CPU: the averaged weights as `encoder`, `step`, `history`, `seconds`, `commit`.

    `command` makes the file; the error names it. Raises ConfigError if the file is missing, damaged or made with
    another config.
    """
    path = run / BEST
    if not path.is_file():
        if (run / LAST).is_file():
            raise ConfigError(f"{run} has no {BEST}: no validation had a valid score. Train for more steps.")
        raise ConfigError(f"{path} does not exist. Run `{command}` first.")
    saved = _load_checkpoint(path)
    if not matches_config(saved["config"], config):
        raise ConfigError(f"{path} was made with another config. Name the config that it was made with.")
    return saved


def load_weights(network: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    """Loads the weights of a checkpoint. Raises ConfigError naming its `path` if they do not fit the network."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{path} was made by another version of this network. Delete it and train again.") from error


def _load_checkpoint(path: Path, required: frozenset[str] = BEST_KEYS) -> dict[str, Any]:
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        complete = required <= saved.keys()
    except (AttributeError, EOFError, OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise ConfigError(f"{path} is not a readable checkpoint. Delete it and train again.") from error
    if not complete:
        raise ConfigError(f"{path} is not a checkpoint of a training run. Delete it and train again.")
    return saved


def _learning_rate_factor(step: int, warmup_steps: int, steps: int) -> float:
    """Linear warm-up to 1, then a cosine decay to 0.01."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / max(steps - warmup_steps, 1)))
