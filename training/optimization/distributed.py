"""Training of one network by several processes, each on its shard of every batch: several GPUs or several hosts.

`.venv/bin/torchrun --nproc-per-node 2 -m training train --config FILE` starts them. Every process computes the loss of
the whole batch, so the loss is that of a single process. Each process differentiates it with respect to its own shard
only, and the gradients are summed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.config import ConfigError

T = TypeVar("T")


def pick_device() -> torch.device:
    """Returns the GPU of this process, or the CPU if there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


@dataclass(frozen=True)
class ProcessGroup:
    """The rank of this process and the number of processes. In a group of one, every method returns its input."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process validates, writes checkpoints and shows progress."""
        return self.rank == 0

    def check(self, network: nn.Module, batch_size: int) -> None:
        """Raises ConfigError if the group cannot compute the same gradients as a single process."""
        if self.world_size == 1:
            return
        if batch_size % self.world_size:
            raise ConfigError(
                f"A batch of {batch_size} images cannot be divided evenly among {self.world_size} processes. Change "
                "[sampling] in the config or the number of processes."
            )
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
            raise ConfigError(
                "This architecture has batch normalisation, which would see one shard of the batch only. Train it in "
                "one process, or choose an architecture without it (sface, retail_0095, paper)."
            )

    def shard(self, batch: Tensor) -> Tensor:
        """Returns the rows of this process: every `world_size`-th row, starting at its rank."""
        return batch[self.rank :: self.world_size]

    def all_gather(self, shard: Tensor) -> Tensor:
        """Joins the shards (B / world_size, D) of all processes to the batch (B, D), in the batch's order.

        Only the rows of this process carry a gradient.
        """
        if self.world_size == 1:
            return shard
        shards = [torch.empty_like(shard) for _ in range(self.world_size)]
        dist.all_gather(shards, shard.detach().contiguous())
        shards[self.rank] = shard
        return torch.stack(shards, dim=1).flatten(0, 1)

    def all_reduce_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sums the gradients over all processes, in one message."""
        if self.world_size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        sums = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, total in zip(gradients, sums, strict=True):
            gradient.copy_(total.view_as(gradient))

    def broadcast(self, value: T) -> T:
        """Returns the main process's value, in every process."""
        if self.world_size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]


@contextmanager
def init_process_group() -> Iterator[ProcessGroup]:
    """Joins the group that torchrun started. Without torchrun, the group is this process alone."""
    if "WORLD_SIZE" not in os.environ:
        yield ProcessGroup()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(pick_device())  # NCCL sends from the current device, which is the first GPU by default
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
