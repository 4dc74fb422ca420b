"""The training loop: contrastive loss on balanced batches, averaged weights, early stop on people it never saw."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from model.bundle import find_bundle, load_bundle
from model.network import SiameseEncoder, build_encoder
from training.anchors import Embedder, anchors
from training.augment import augment
from training.config import Config, ConfigError, is_of
from training.data import Split, person_numbers, rows_of
from training.losses import ContrastiveLoss
from training.prepare import PreparedFaces
from training.pretrained import find_dlib_weights, load_dlib_weights, read_dlib_weights
from training.protocols import all_pairs, equal_error_rate
from training.provenance import git_commit
from training.sampling import BalancedSampler


def pick_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(config: Config, faces: PreparedFaces, split: Split, run: Path) -> Path:
    """Trains, or resumes exactly where `run` left off, until the steps are done or validation stops improving.

    Writes last.pt (everything needed to resume) and best.pt (the averaged weights of the best validation: the TAR at
    `validate_fmr` over every pair of validation photos); returns the latter's path.
    """
    device = pick_device()
    settings = config.training
    torch.manual_seed(settings.seed)
    encoder = new_encoder(config).to(device)
    trainer = _State(encoder, config)
    rows = rows_of(faces.people, split.training)
    crops = torch.from_numpy(np.ascontiguousarray(faces.crops[rows]))  # (N, T, T, 3), in memory
    people = person_numbers([faces.people[row] for row in rows])
    # Of the starting weights, so before they are resumed.
    targets = _targets(encoder, faces, rows, people, config, device)
    held_out = rows_of(faces.people, split.validation)
    sampler = BalancedSampler(people, config.sampling.people, config.sampling.photos, settings.seed)
    run.mkdir(parents=True, exist_ok=True)
    trainer.resume(run / "last.pt", device)
    loss_of = ContrastiveLoss(config.loss)
    generator = torch.Generator()
    labels = torch.from_numpy(people)
    log = SummaryWriter(str(run), purge_step=trainer.step)
    with _bar(settings.steps, trainer.step) as advance:
        while trainer.step < settings.steps and trainer.stale < settings.patience:
            # Each step's randomness depends on the seed and the step alone: that makes resuming exact.
            generator.manual_seed(settings.seed * 1_000_003 + trainer.step)
            torch.manual_seed(settings.seed * 1_000_003 + trainer.step)
            batch = sampler.batch(trainer.step)
            pixels = augment(crops[batch].to(device), config.crops.size, config.augmentation, generator)  # (B, 3, S, S)
            encoder.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
                embeddings = encoder.embed(pixels)  # (B, D) float32
            loss = config.loss.weight * loss_of(embeddings.float(), labels[batch].to(device))
            if targets is not None:
                loss = loss + config.loss.anchor_weight * (embeddings - targets[batch]).square().sum(dim=1).mean()
            trainer.descend(loss)
            log.add_scalar("loss", loss.item(), trainer.step)
            log.add_scalar("learning_rate", trainer.optimizer.param_groups[0]["lr"], trainer.step)
            if trainer.step % settings.validate_every == 0 or trainer.step == settings.steps:
                figures = validate(trainer.average, faces, held_out, settings.validate_fmr, device)
                for name, value in figures.items():
                    log.add_scalar(f"validation/{name}", value, trainer.step)
                trainer.keep(figures, run)
            advance(len(batch), loss.item(), trainer.best)
    log.close()
    return run / "best.pt"


def new_encoder(config: Config) -> SiameseEncoder:
    """The config's network with its starting weights: random ones from torch's current seed, dlib's, or a bundle's.
    Raises ConfigError where the bundle's do not fit, BundleError where there is none."""
    network = config.network
    encoder = build_encoder(
        network.architecture,
        config.crops.size,
        network.embedding_dim,
        network.width,
        network.hidden,
        network.dropout,
        network.mirror,
        network.side,
    )
    if network.start == "dlib":
        load_dlib_weights(encoder, read_dlib_weights(find_dlib_weights()))
    elif network.start != "random":
        try:
            encoder.load_state_dict(load_bundle(find_bundle(network.start)).module.state_dict())
        except RuntimeError as error:
            raise ConfigError(f"The weights of {network.start} do not fit this network: {error}") from error
    return encoder


def best_encoder(config: Config, run: Path) -> tuple[SiameseEncoder, dict[str, Any]]:
    """The best weights of a run, and the run's story. Raises ConfigError without a checkpoint of this config."""
    checkpoint = run / "best.pt"
    if not checkpoint.is_file():
        raise ConfigError(f"{checkpoint} does not exist. Run `python -m training train` first.")
    saved: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if not is_of(saved["config"], config):
        raise ConfigError(f"{checkpoint} was made with another config than the one named.")
    encoder = new_encoder(config)
    encoder.load_state_dict(saved.pop("encoder"))
    return encoder.eval(), saved


def _targets(
    encoder: SiameseEncoder,
    faces: PreparedFaces,
    rows: NDArray[np.int64],
    people: NDArray[np.int64],
    config: Config,
    device: torch.device,
) -> Tensor | None:
    if not config.loss.anchor_weight:
        return None
    start: Embedder = encoder.eval()
    if config.network.start not in ("random", "dlib"):
        start = load_bundle(find_bundle(config.network.start), str(device)).module
    return anchors(start, faces.central(rows), people, config.loss.anchor_own, device)


@torch.inference_mode()
def embed_rows(
    encoder: torch.nn.Module, faces: PreparedFaces, rows: NDArray[np.int64], device: torch.device
) -> NDArray[np.float32]:
    """Unit vectors (n, D) of prepared faces, exactly as the service would encode them."""
    batches = [
        encoder(torch.from_numpy(faces.central(rows[start : start + 256])).to(device)).float().cpu().numpy()
        for start in range(0, len(rows), 256)
    ]
    return np.concatenate(batches)


def validate(
    encoder: SiameseEncoder, faces: PreparedFaces, rows: NDArray[np.int64], fmr: float, device: torch.device
) -> dict[str, float]:
    """Over every pair of the photos in `rows`: TAR at `fmr` and at round rates, and the equal error rate."""
    encoder.eval()
    vectors = embed_rows(encoder, faces, rows, device)
    pairs = all_pairs(vectors, person_numbers([faces.people[row] for row in rows]))
    return {
        "tar": pairs.tar_at(fmr),
        "eer": equal_error_rate(pairs.genuine_histogram, pairs.impostor_histogram),
        **{f"tar_at_{each:g}": pairs.tar_at(each) for each in (1e-2, 1e-3, 1e-4)},
    }


class _State:
    """Everything that a resumed run needs."""

    def __init__(self, encoder: SiameseEncoder, config: Config) -> None:
        self.encoder, self.config = encoder, config
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
        """Notes a validation, and writes best.pt if it is the best so far, then last.pt."""
        score = figures["tar"]
        self.history.append({"step": float(self.step), **figures})
        self.seconds += time.monotonic() - self._since
        self._since = time.monotonic()
        self.stale += 1
        if score > self.best:
            self.best, self.stale = score, 0
            _write(run / "best.pt", {"encoder": self.average.state_dict(), **self._story()})
        state = {"encoder": self.encoder.state_dict(), "average": self.average.state_dict()}
        _write(run / "last.pt", {**state, "optimizer": self.optimizer.state_dict(), **self._story()})

    def resume(self, path: Path, device: torch.device) -> None:
        """Raises ConfigError where the checkpoint belongs to another config."""
        if not path.is_file():
            return
        saved = torch.load(path, map_location=device, weights_only=True)
        if not is_of(saved["config"], self.config):
            raise ConfigError(f"{path} was made with another config. Choose another --run folder or delete it.")
        self.encoder.load_state_dict(saved["encoder"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.best, self.stale = saved["step"], saved["best"], saved["stale"]
        self.history, self.seconds, self.commit = saved["history"], saved["seconds"], saved["commit"]

    def _story(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "commit": self.commit,
            "step": self.step,
            "best": self.best,
            "stale": self.stale,
            "history": self.history,
            "seconds": self.seconds,
        }


def _schedule(step: int, warmup: int, total: int) -> float:
    """Linear warm-up, then a cosine down to 1 %."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


@contextmanager
def _bar(total: int, done: int) -> Iterator[Any]:
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.0f} images/s  loss {task.fields[loss]:.3f}  best TAR {task.fields[best]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("training", total=total, completed=done, speed=0.0, loss=0.0, best=0.0)
        start, images = time.monotonic(), 0

        def advance(count: int, loss: float, best: float) -> None:
            nonlocal images
            images += count
            speed = images / (time.monotonic() - start)
            progress.update(task, advance=1, speed=speed, loss=loss, best=max(best, 0.0))

        yield advance
