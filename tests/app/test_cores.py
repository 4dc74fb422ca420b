import os
from pathlib import Path

import pytest

from app.cores import count_cores


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 16 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("quota", "cores"), [("200000 100000", 2), ("250000 100000", 3), ("50000 100000", 1), ("max 100000", 16)]
)
def test_a_containers_quota_limits_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota}\n"}
    assert count_cores(write(tmp_path, files)) == cores


def test_the_smallest_quota_of_all_groups_around_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/slice/service\n",
        "sys/fs/cgroup/slice/service/cpu.max": "800000 100000\n",
        "sys/fs/cgroup/slice/cpu.max": "400000 100000\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
    }
    assert count_cores(write(tmp_path, files)) == 4


def test_the_quotas_of_version_1_count_too(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/box\n3:cpu,cpuacct:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "300000\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert count_cores(write(tmp_path, files)) == 3


def test_without_control_groups_all_cores_count(tmp_path: Path) -> None:
    assert count_cores(tmp_path) == 16
