import shutil
import subprocess
from pathlib import Path

import pytest

from training import provenance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit of code and a report."""
    for name in ("training/code.py", "docs/report.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    git = shutil.which("git")
    assert git
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "m"],
    ):
        subprocess.run([git, *arguments], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "training" / "code.py"))
    return tmp_path


def test_changed_code_makes_a_commit_dirty_and_a_changed_report_does_not(project: Path) -> None:
    commit = provenance.git_commit()
    assert len(commit) == 40
    (project / "docs" / "report.json").write_text("2")
    assert provenance.git_commit() == commit
    (project / "training" / "code.py").write_text("2")
    assert provenance.git_commit() == f"{commit}-dirty"


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit() == "unknown"
