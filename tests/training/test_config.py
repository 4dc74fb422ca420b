from pathlib import Path

import pytest

from training.config import ConfigError, load_config
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
