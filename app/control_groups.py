"""The control groups around this process, in which a container's limits are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path("/")


def control_groups(controller: str, root: Path = ROOT) -> Iterator[tuple[int, Path]]:
    """Yields version, 1 or 2, and folder of each group that limits this process: `cpu` or `memory`.

    A limit holds for all groups inside. `root` is the file system's. A container need not show every folder.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in groups:
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            version, folder = 2, root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            version, folder = 1, root / "sys/fs/cgroup" / controller
        else:
            continue
        group = folder / name.lstrip("/")
        for each in (group, *group.parents):
            if each != folder and folder not in each.parents:
                break
            yield version, each
