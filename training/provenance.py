"""The code and the machine that a figure comes from."""

import subprocess
from pathlib import Path
from typing import Final

import torch

from model.runtime.processor import instruction_set, processor_name

HEAD_COMMAND: Final = ("git", "rev-parse", "HEAD")
# Only the files that figures depend on: not the bundles and reports that a run writes.
DIFF_COMMAND: Final = ("git", "diff", "--quiet", "HEAD", "--", ":/*.py", ":/*.toml", ":/constraints.txt")


def git_commit() -> str:
    """The current commit, with `-dirty` if code or configs differ from it; `unknown` outside a repository."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(HEAD_COMMAND, cwd=here, capture_output=True, text=True, check=True)  # noqa: S603 - constant
        changed = subprocess.run(DIFF_COMMAND, cwd=here, capture_output=True, check=False)  # noqa: S603 - constant
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("-dirty" if changed.returncode else "")


def describe_machine() -> str:
    """The name of the GPU, or of the processor with its instruction set and the number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{processor_name()} ({instruction_set()}), {torch.get_num_threads()} threads"
