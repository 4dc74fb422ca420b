from pathlib import Path

from app.control_groups import control_groups


def test_every_group_around_the_process_is_found_inside_out(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/slice/service\n4:memory:/box\n3:cpu,cpuacct:/other\n")
    root = tmp_path / "sys/fs/cgroup"
    assert list(control_groups("memory", tmp_path)) == [
        (2, root / "slice/service"),
        (2, root / "slice"),
        (2, root),
        (1, root / "memory/box"),
        (1, root / "memory"),
    ]


def test_without_control_groups_there_are_none(tmp_path: Path) -> None:
    assert list(control_groups("cpu", tmp_path)) == []
