import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.multiprocessing.spawn import spawn

from tests.support.textures import people, small
from training.config import Config, ConfigError
from training.data.crops import PreparedFaces
from training.data.splits import Split
from training.encoder.factory import new_encoder, new_loss
from training.encoder.loop import train
from training.optimization.distributed import Team, joined

SPLIT = Split(*(frozenset(people(*part)) for part in (("t", 16), ("v", 10), ("c", 30), ("x", 20))))


def without_batch_norms() -> Config:
    """The paper's branches at the least size that they take, thin, anchored: nothing in them looks across a batch."""
    config = small()
    return replace(
        config,
        crops=replace(config.crops, size=32, margin=4),
        network=replace(config.network, architecture="paper", width=0.05, hidden=16, dropout=0.0, side=76),
        loss=replace(config.loss, anchor_weight=0.5),
        training=replace(config.training, steps=6, validate_every=3),
    )


def gradients(team: Team) -> dict[str, torch.Tensor]:
    """Of the contrastive loss of one fixed batch, by the parameter's name."""
    config = without_batch_norms()
    torch.manual_seed(0)
    encoder = new_encoder(config)
    pixels = torch.rand(12, 3, 32, 32) * 255
    embeddings = team.gather(encoder.embed(team.share(pixels)))
    new_loss(config, encoder)(embeddings, torch.arange(4).repeat_interleave(3)).backward()
    team.add_up(encoder.parameters())
    return {name: parameter.grad for name, parameter in encoder.named_parameters() if parameter.grad is not None}


def _member(rank: int, size: int, folder: Path, faces: PreparedFaces) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": (folder / "port").read_text()}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), **address}
    torch.set_num_threads(1)
    with joined() as team:
        torch.save(gradients(team), folder / f"gradients-{rank}.pt")
        train(without_batch_norms(), faces, SPLIT, folder / "two", team=team)


def losses(run: Path) -> list[float]:
    events = EventAccumulator(str(run))
    events.Reload()
    return [event.value for event in events.Scalars("loss")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_train_what_one_does(faces: PreparedFaces, tmp_path: Path) -> None:
    train(without_batch_norms(), faces, SPLIT, tmp_path / "one")
    (tmp_path / "port").write_text(str(free_port()))
    spawn(_member, (2, tmp_path, faces), nprocs=2)  # type: ignore[no-untyped-call]
    alone = gradients(Team())
    for rank in range(2):
        shared = torch.load(tmp_path / f"gradients-{rank}.pt", weights_only=True)
        assert shared.keys() == alone.keys()
        for name, gradient in alone.items():
            # Sums of other orders: each gradient as a whole is the same, its smallest entries need not be.
            assert (shared[name] - gradient).norm() <= 5e-3 * gradient.norm()
    assert len(losses(tmp_path / "one")) == 6
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)
    one, two = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("one", "two"))
    assert one["step"] == two["step"] == 6
    for before, after in zip(one["history"], two["history"], strict=True):
        assert after == pytest.approx(before, abs=0.05)


def test_what_could_not_give_the_same_is_refused() -> None:
    with pytest.raises(ConfigError, match="normalises over the batch"):
        Team(0, 2).check(new_encoder(small()), 24)
    with pytest.raises(ConfigError, match="shared evenly"):
        Team(0, 2).check(new_encoder(without_batch_norms()), 25)
    Team().check(new_encoder(small()), 25)


def test_a_share_is_every_nth_row() -> None:
    batch = torch.arange(6)
    assert [Team(rank, 3).share(batch).tolist() for rank in range(3)] == [[0, 3], [1, 4], [2, 5]]
