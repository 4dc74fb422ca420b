import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from training.config import ConfigError, is_of, load_config
from training.experiment import CONFIGS


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_config_is_valid_and_named_like_its_file(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_a_misspelt_field_is_named(tmp_path: Path) -> None:
    changed = tmp_path / "x.toml"
    changed.write_text((CONFIGS / "lfw.toml").read_text().replace("dropout", "dropuot"))
    with pytest.raises(ConfigError, match=r"network\.dropuot"):
        load_config(changed)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no config"):
        load_config(tmp_path / "nonesuch.toml")
    (tmp_path / "broken.toml").write_text("[")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(tmp_path / "broken.toml")


def test_what_a_run_noted_before_a_field_came_is_the_same_config() -> None:
    config = load_config(CONFIGS / "deploy.toml")
    noted = json.loads(json.dumps(asdict(config)))
    del noted["data"]["more"], noted["network"]["side"]
    noted["calibration"]["default_fmr"] = 0.5  # says nothing of the weights
    assert is_of(noted, config)
    noted["loss"]["margin"] = 0.9
    assert not is_of(noted, config)
    assert not is_of({"name": "deploy"}, config)


def test_the_contrastive_loss_needs_a_margin(tmp_path: Path) -> None:
    changed = tmp_path / "x.toml"
    text = (CONFIGS / "lfw.toml").read_text()
    changed.write_text(re.sub(r"^margin = 1\.1", "margin = 0.0", text, flags=re.MULTILINE))
    with pytest.raises(ConfigError, match="margin above 0"):
        load_config(changed)
