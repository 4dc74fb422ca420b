"""How many CPU cores this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from app.control_groups import ROOT, control_groups


def count_cores(root: Path = ROOT) -> int:
    """Returns the number of cores: those of the machine, less by affinity and by a container's quota. At least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min([cores, *_quotas(root)]), 1)


def _quotas(root: Path) -> Iterator[int]:
    """Whole cores, rounded up, that each control group around this process may use. `root` is the file system's."""
    for version, folder in control_groups("cpu", root):
        try:
            quota, period = (_read_v2 if version == 2 else _read_v1)(folder)
        except (OSError, ValueError):  # no quota, or a container that does not show this folder
            continue
        if quota > 0 and period > 0:
            yield math.ceil(quota / period)


def _read_v2(folder: Path) -> tuple[int, int]:
    quota, period = (folder / "cpu.max").read_text().split()
    return int(quota), int(period)  # "max" is no number: ValueError


def _read_v1(folder: Path) -> tuple[int, int]:
    quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    return int(quota), int(period)  # -1 is no quota
