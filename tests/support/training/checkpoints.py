"""Checkpoints of training runs."""

from pathlib import Path

import torch


def assert_same_weights(first: Path, second: Path) -> None:
    """Fails unless the networks in two checkpoints are equal bit by bit."""
    weights, other = (torch.load(path, weights_only=True)["encoder"] for path in (first, second))
    assert weights.keys() == other.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(other[name], tensor, atol=0, rtol=0)
