"""Which code and which machine a figure comes from."""

import platform
import subprocess
from pathlib import Path
from typing import Final

import torch

HEAD: Final = ("git", "rev-parse", "HEAD")
# What decides a figure: code, configs and versions. A bundle or a report that a run has just written does not.
CHANGED: Final = ("git", "diff", "--quiet", "HEAD", "--", ":/*.py", ":/*.toml", ":/constraints.txt")


def git_commit() -> str:
    """The commit of the code that runs, with `-dirty` where code or configs differ from it."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(HEAD, cwd=here, capture_output=True, text=True, check=True)  # noqa: S603 - constant
        changed = subprocess.run(CHANGED, cwd=here, capture_output=True, check=False)  # noqa: S603 - constant
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("-dirty" if changed.returncode else "")


def machine() -> str:
    """Processor or GPU, and the threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
