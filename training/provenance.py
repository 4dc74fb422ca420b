"""Which code and which machine a figure comes from."""

import subprocess
from pathlib import Path
from typing import Final

import torch

from model.runtime.processor import instruction_set, processor_name

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
    """GPU, or processor with its instruction set and the threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{processor_name()} ({instruction_set()}), {torch.get_num_threads()} threads"
