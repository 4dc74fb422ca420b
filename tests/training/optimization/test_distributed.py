import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.multiprocessing.spawn import spawn

from model.encoder.network import SiameseEncoder
from tests.support.training.textures import SPLIT, small_config
from training.config import Config, ConfigError
from training.data.prepared_faces import PreparedFaces
from training.encoder.factory import create_encoder, create_loss
from training.encoder.loop import train
from training.optimization.distributed import ProcessGroup, init_process_group


def config_without_batch_norms() -> Config:
    """The paper's network, as small as it can be, with distillation: no layer of it looks across the batch."""
    config = small_config()
    return replace(
        config,
        crops=replace(config.crops, size=32, margin=4),
        network=replace(config.network, architecture="paper", width=0.05, hidden=16, dropout=0.0, side=76),
        loss=replace(config.loss, distillation_weight=0.5),
        training=replace(config.training, steps=6, validate_every=3),
    )


def compute_gradients(group: ProcessGroup) -> dict[str, torch.Tensor]:
    """The gradients of the contrastive loss of one fixed batch, by the parameter's name."""
    config = config_without_batch_norms()
    torch.manual_seed(0)
    encoder = create_encoder(config)
    assert isinstance(encoder, SiameseEncoder)
    pixels = torch.rand(12, 3, 32, 32) * 255
    embeddings = group.all_gather(encoder.embed(group.shard(pixels)))
    create_loss(config, encoder)(embeddings, torch.arange(4).repeat_interleave(3)).backward()
    group.all_reduce_gradients(encoder.parameters())
    return {name: parameter.grad for name, parameter in encoder.named_parameters() if parameter.grad is not None}


def _train_in_group(rank: int, world_size: int, folder: Path, faces: PreparedFaces) -> None:
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": (folder / "port").read_text()}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size), **address}
    torch.set_num_threads(1)
    with init_process_group() as group:
        torch.save(compute_gradients(group), folder / f"gradients-{rank}.pt")
        train(config_without_batch_norms(), faces, SPLIT, folder / "two", group=group)


def read_losses(run: Path) -> list[float]:
    events = EventAccumulator(str(run))
    events.Reload()
    return [event.value for event in events.Scalars("loss")]


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_train_the_same_network_as_one(faces: PreparedFaces, tmp_path: Path) -> None:
    train(config_without_batch_norms(), faces, SPLIT, tmp_path / "one")
    (tmp_path / "port").write_text(str(find_free_port()))
    spawn(_train_in_group, (2, tmp_path, faces), nprocs=2)  # type: ignore[no-untyped-call]
    expected = compute_gradients(ProcessGroup())
    for rank in range(2):
        gradients = torch.load(tmp_path / f"gradients-{rank}.pt", weights_only=True)
        assert gradients.keys() == expected.keys()
        for name, gradient in expected.items():
            # The order of the sums differs, so each gradient agrees as a whole, but not in its smallest entries.
            assert (gradients[name] - gradient).norm() <= 5e-3 * gradient.norm()
    assert len(read_losses(tmp_path / "one")) == 6
    assert read_losses(tmp_path / "two") == pytest.approx(read_losses(tmp_path / "one"), rel=1e-3)
    one, two = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("one", "two"))
    assert one["step"] == two["step"] == 6
    for before, after in zip(one["history"], two["history"], strict=True):
        assert after == pytest.approx(before, abs=0.05)


def test_a_group_refuses_what_it_cannot_compute_as_one_process_would() -> None:
    with pytest.raises(ConfigError, match="batch normalisation"):
        ProcessGroup(0, 2).check(create_encoder(small_config()), 24)
    with pytest.raises(ConfigError, match="divided evenly"):
        ProcessGroup(0, 2).check(create_encoder(config_without_batch_norms()), 25)
    ProcessGroup().check(create_encoder(small_config()), 25)


def test_a_shard_is_every_nth_row() -> None:
    batch = torch.arange(6)
    assert [ProcessGroup(rank, 3).shard(batch).tolist() for rank in range(3)] == [[0, 3], [1, 4], [2, 5]]
