"""The training loop that every network shares: steps, validation, checkpoints, TensorBoard, early stopping."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Generic

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from training.config import TrainableConfig
from training.optimization.checkpoint import BEST, LAST, Network, TrainingState
from training.optimization.distributed import ProcessGroup
from training.optimization.progress import progress_bar

# From the step and a generator seeded for it to the loss, a scalar.
StepLoss = Callable[[int, torch.Generator], Tensor]
# From the averaged network to metrics. The loop maximises "score".
Validation = Callable[[Network], dict[str, float]]


class TrainingLoop(Generic[Network]):
    """Trains one network. Resuming is exact: a run that was interrupted ends with the same weights."""

    def __init__(
        self,
        network: Network,
        config: TrainableConfig,
        run: Path,
        device: torch.device,
        group: ProcessGroup | None = None,
    ) -> None:
        """Resumes from `run`/last.pt if it exists. `network` is on `device` and has its initial weights.

        Raises ConfigError if the checkpoint is damaged or was made with another config.
        """
        self._group = group or ProcessGroup()
        self._state = TrainingState(network, config, self._group)
        self._settings, self._run, self._device = config.training, run, device
        run.mkdir(parents=True, exist_ok=True)
        self._state.resume(run / LAST)

    @property
    def step(self) -> int:
        """The number of steps that are done."""
        return self._state.step

    def autocast(self) -> torch.autocast:
        """The context in which the forward pass runs: bfloat16 if the config asks for it."""
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._settings.precision == "bf16")

    def run(self, compute_loss: StepLoss, validate: Validation[Network], batch_size: int) -> Path:
        """Trains until the steps are done or the last `patience` validations brought no better score.

        Writes last.pt, from which a run resumes, and best.pt, the averaged weights of the best validation; returns the
        path of best.pt. `batch_size` is for the progress bar.
        """
        state, settings, is_main = self._state, self._settings, self._group.is_main
        generator = torch.Generator()
        with (
            self._summary_writer() as add_scalars,
            progress_bar(settings.steps, state.step, visible=is_main) as advance,
        ):
            while state.step < settings.steps and state.validations_since_best < settings.patience:
                # The randomness of a step depends on the seed and the step only, which makes resuming exact.
                seed = settings.seed * 1_000_003 + state.step
                generator.manual_seed(seed)
                torch.manual_seed(seed)
                state.network.train()
                loss = compute_loss(state.step, generator)
                state.optimizer_step(loss)
                add_scalars({"loss": loss.item(), "learning_rate": state.optimizer.param_groups[0]["lr"]})
                if state.step % settings.validate_every == 0 or state.step == settings.steps:
                    metrics = self._group.broadcast(validate(state.averaged) if is_main else {})
                    state.save_checkpoint(metrics, self._run)
                    add_scalars({f"validation/{name}": value for name, value in metrics.items()})
                advance(batch_size, loss.item(), state.best_score)
        return self._run / BEST

    @contextmanager
    def _summary_writer(self) -> Iterator[Callable[[Mapping[str, float]], None]]:
        """Yields a function that writes values of the current step to TensorBoard, in the main process only."""
        if not self._group.is_main:
            yield lambda values: None
            return
        with SummaryWriter(str(self._run), purge_step=self._state.step) as writer:

            def add_scalars(values: Mapping[str, float]) -> None:
                for name, value in values.items():
                    writer.add_scalar(name, value, self._state.step)

            yield add_scalars
