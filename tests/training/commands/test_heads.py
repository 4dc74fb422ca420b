from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.training.commands import run
from training.commands.heads import VARIANTS, vary
from training.config import CONFIGS, load_config


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_differs_from_the_config_in_the_named_fields_only(name: str) -> None:
    config = load_config(CONFIGS / "deploy.toml")
    before, after = asdict(config), asdict(vary(config, VARIANTS[name]))
    changed = {
        (section, field): after[section][field]
        for section in before
        if isinstance(before[section], dict)
        for field in before[section]
        if before[section][field] != after[section][field]
    }
    named = {(section, field): value for section, fields in VARIANTS[name].items() for field, value in fields.items()}
    assert changed == named


def test_a_config_without_layers_over_branches_is_refused(lfw_folder: Path) -> None:
    result = run("heads", "--config", CONFIGS / "lfw.toml", "--data", lfw_folder)
    assert result.exit_code == 1
    assert "has no [head]" in result.output
