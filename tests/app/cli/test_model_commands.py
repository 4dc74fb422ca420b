import json
import subprocess
import sys
from pathlib import Path

import pytest

from model.encoder.bundle import find_bundle
from tests.support.commands import run_command


def test_the_shipped_bundles_are_listed_and_the_serving_one_is_marked() -> None:
    listed = [
        json.loads(line) for line in run_command("model", "list", "--json", FACETWIN_BUNDLE="lfw").stdout.splitlines()
    ]
    assert {each["name"]: each["serves"] for each in listed} == {"deploy": False, "lfw": True}
    assert "lfw " in run_command("model", "list").stdout


def test_a_damaged_bundle_is_listed_with_its_fault(tmp_path: Path) -> None:
    bundle = tmp_path / "my [1].pt"
    bundle.write_bytes(b"no bundle")
    (mine,) = [
        json.loads(line)
        for line in run_command("model", "list", "--json", FACETWIN_BUNDLE=str(bundle)).stdout.splitlines()
        if "my [1]" in line
    ]
    assert "cannot be read as a bundle" in mine["reason"]
    assert "cannot be read" in run_command("model", "show", "--local", exit_code=2, FACETWIN_BUNDLE=str(bundle)).output
    assert "cannot be read" in run_command("model", "check", bundle, exit_code=1).output
    checked = json.loads(run_command("model", "check", bundle, "--json", exit_code=1).stdout)
    assert checked["usable"] is False


def test_a_bundle_is_shown_and_checked_without_a_service() -> None:
    shown = run_command("model", "show", "--local", FACETWIN_BUNDLE="lfw").stdout
    assert shown.startswith("lfw ")
    assert "false matches (FMR)" in shown
    assert "can serve on cpu" in run_command("model", "check", "lfw", FACETWIN_DEVICE="cpu").stdout


@pytest.mark.parametrize("command", [["check", "nonsense"], ["list"], ["show", "--local"]])
def test_a_missing_bundle_is_named(command: list[str]) -> None:
    output = run_command("model", *command, exit_code=2, FACETWIN_BUNDLE="nonsense").output
    assert "There is no bundle 'nonsense'" in output
    assert find_bundle("lfw").stem in output


def test_importing_a_network_passes_its_options_on(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "model", "import", "--help"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "--landmarks" in finished.stdout
    absent = [
        sys.executable,
        "-c",
        "from app.cli import main; main()",
        "model",
        "import",
        str(tmp_path / "absent.onnx"),
    ]
    assert subprocess.run(absent, capture_output=True, timeout=120, check=False).returncode == 2
