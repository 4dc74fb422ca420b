"""Everything that a resumed training needs: weights, their running average, optimizer, how far it is and how well."""

import math
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from training.config import ConfigError, Trains, is_of
from training.optimization.distributed import Team
from training.provenance import git_commit

Network = TypeVar("Network", bound=nn.Module)


class TrainingState(Generic[Network]):
    """Takes the steps, and keeps the best and the last of them in a folder."""

    def __init__(self, encoder: Network, config: Trains, team: Team) -> None:
        self.encoder, self.config, self._team = encoder, config, team
        self.average = deepcopy(encoder).requires_grad_(False)
        decayed = [p for p in encoder.parameters() if p.dim() > 1]
        plain = [p for p in encoder.parameters() if p.dim() <= 1]
        groups = [
            {"params": decayed, "weight_decay": config.training.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.training.learning_rate)
        self.step, self.best, self.stale = 0, -1.0, 0
        self.history: list[dict[str, float]] = []
        self.commit = git_commit()  # of the code as this run began
        self.seconds = 0.0
        self._since = time.monotonic()

    def descend(self, loss: Tensor) -> None:
        settings = self.config.training
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(self.step, settings.warmup_steps, settings.steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._team.add_up(self.encoder.parameters())
        self.optimizer.step()
        self.step += 1
        decay = min(settings.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mine, theirs in zip(
                self.average.state_dict().values(), self.encoder.state_dict().values(), strict=True
            ):
                if mine.dtype.is_floating_point:
                    mine.lerp_(theirs, 1 - decay)
                else:
                    mine.copy_(theirs)

    def keep(self, figures: dict[str, float], run: Path) -> None:
        """Notes a validation; the leader writes best.pt if it is the best so far, then last.pt."""
        score = figures["score"]
        self.history.append({"step": float(self.step), **figures})
        self.seconds += time.monotonic() - self._since
        self._since = time.monotonic()
        self.stale += 1
        if score > self.best:
            self.best, self.stale = score, 0
            self._write(run / "best.pt", {"encoder": self.average.state_dict()})
        state = {"encoder": self.encoder.state_dict(), "average": self.average.state_dict()}
        self._write(run / "last.pt", {**state, "optimizer": self.optimizer.state_dict()})

    def resume(self, path: Path, device: torch.device) -> None:
        """Goes on from the leader's checkpoint. Raises ConfigError where it belongs to another config."""
        found = self._team.leads and path.is_file()
        saved = self._team.tell(torch.load(path, map_location="cpu", weights_only=True) if found else None)
        if saved is None:
            return
        if not is_of(saved["config"], self.config):
            raise ConfigError(f"{path} was made with another config. Choose another --build folder or delete it.")
        self.encoder.load_state_dict(saved["encoder"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])  # which moves it to the parameters' device
        self.step, self.best, self.stale = saved["step"], saved["best"], saved["stale"]
        self.history, self.seconds, self.commit = saved["history"], saved["seconds"], saved["commit"]

    def _write(self, path: Path, weights: dict[str, Any]) -> None:
        if not self._team.leads:
            return
        story = {
            "config": asdict(self.config),
            "commit": self.commit,
            "step": self.step,
            "best": self.best,
            "stale": self.stale,
            "history": self.history,
            "seconds": self.seconds,
        }
        partial = path.with_suffix(".partial")
        torch.save({**weights, **story}, partial)
        partial.replace(path)


def best_checkpoint(config: Trains, run: Path, command: str) -> dict[str, Any]:
    """What `keep` wrote of the best weights of a run. Raises ConfigError without one of this config; `command` makes
    it."""
    checkpoint = run / "best.pt"
    if not checkpoint.is_file():
        raise ConfigError(f"{checkpoint} does not exist. Run `{command}` first.")
    saved: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if not is_of(saved["config"], config):
        raise ConfigError(f"{checkpoint} was made with another config than the one named.")
    return saved


def _schedule(step: int, warmup: int, total: int) -> float:
    """Linear warm-up, then a cosine down to 1 %."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
