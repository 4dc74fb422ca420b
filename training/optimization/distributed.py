"""Several processes that train one encoder, each on its share of every batch: on several GPUs, or several hosts.

`.venv/bin/torchrun --nproc-per-node 2 -m training train --config FILE` starts them. The loss sees the whole batch
in every process, so it is the very loss of one process; each process differentiates it by its own share alone, and the
gradients are added up.
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
    """The GPU of this process, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


@dataclass(frozen=True)
class Team:
    """This process and how many there are. Alone, every method hands back what it is given."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints, validates and shows progress."""
        return self.rank == 0

    def check(self, encoder: nn.Module, batch: int) -> None:
        """Raises ConfigError where shares of a batch of that many images could not give the same as the whole."""
        if self.size == 1:
            return
        if batch % self.size:
            raise ConfigError(f"A batch of {batch} images cannot be shared evenly by {self.size} processes.")
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in encoder.modules()):
            raise ConfigError(
                "This architecture normalises over the batch, of which each process would see a part only. Train it "
                "in one process, or choose one without batch norms (dlib_resnet, paper)."
            )

    def share(self, batch: Tensor) -> Tensor:
        """Every `size`-th row from this process's rank on."""
        return batch[self.rank :: self.size]

    def gather(self, mine: Tensor) -> Tensor:
        """The embeddings (B, D) of the whole batch in its order from everybody's share (B / size, D); only this
        process's own carry a gradient."""
        if self.size == 1:
            return mine
        shares = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(shares, mine.detach().contiguous())
        shares[self.rank] = mine
        return torch.stack(shares, dim=1).flatten(0, 1)

    def add_up(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sums everybody's gradients, in one message."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        totals = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, total in zip(gradients, totals, strict=True):
            gradient.copy_(total.view_as(gradient))

    def tell(self, value: T) -> T:
        """The leader's value, to everybody."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def joined() -> Iterator[Team]:
    """The team that torchrun started, or one process alone."""
    if "WORLD_SIZE" not in os.environ:
        yield Team()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(pick_device())  # where NCCL sends from; without it, every process would use the first GPU
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
