import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from model.encoder.bundle import find_bundle, load_bundle, shipped_bundles
from training.config import CONFIGS, ConfigError, load_config, matches_config


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_config_is_valid_and_has_the_name_of_its_file(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_the_error_names_an_unknown_field(tmp_path: Path) -> None:
    changed = tmp_path / "x.toml"
    changed.write_text((CONFIGS / "lfw.toml").read_text().replace("dropout", "dropuot"))
    with pytest.raises(ConfigError, match=r"network\.dropuot"):
        load_config(changed)


def test_a_missing_or_invalid_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no config"):
        load_config(tmp_path / "nonesuch.toml")
    (tmp_path / "broken.toml").write_text("[")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(tmp_path / "broken.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text((CONFIGS / "lfw.toml").read_text(), encoding="utf-8-sig")
    assert load_config(tmp_path / "x.toml") == load_config(CONFIGS / "lfw.toml")


@pytest.mark.parametrize(
    ("field", "section"),
    [("size = 0", "crops"), ("steps = 0", "training"), ("validation_share = 1.5", "data"), ("photos = 0", "sampling")],
)
def test_the_error_names_a_field_that_is_out_of_range(tmp_path: Path, field: str, section: str) -> None:
    name = field.split()[0]
    text = (CONFIGS / "lfw.toml").read_text()
    (tmp_path / "x.toml").write_text(re.sub(rf"^{name} = \S+", field, text, flags=re.MULTILINE))
    with pytest.raises(ConfigError, match=rf"{section}\.{name}"):
        load_config(tmp_path / "x.toml")


def test_a_saved_config_matches_despite_new_fields_and_other_thresholds() -> None:
    config = load_config(CONFIGS / "deploy.toml")
    saved = json.loads(json.dumps(asdict(config)))
    del saved["data"]["more"], saved["network"]["side"]
    saved["calibration"]["default_fmr"] = 0.5
    assert matches_config(saved, config)
    saved["loss"]["margin"] = 0.9
    assert not matches_config(saved, config)
    assert not matches_config({"name": "deploy"}, config)


def test_the_contrastive_loss_needs_a_margin(tmp_path: Path) -> None:
    changed = tmp_path / "x.toml"
    text = (CONFIGS / "lfw.toml").read_text()
    changed.write_text(re.sub(r"^margin = 1\.1", "margin = 0.0", text, flags=re.MULTILINE))
    with pytest.raises(ConfigError, match="margin above 0"):
        load_config(changed)


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_every_shipped_bundle_was_made_with_its_config(name: str) -> None:
    metadata, config = load_bundle(find_bundle(name)).metadata, load_config(CONFIGS / f"{name}.toml")
    assert (metadata.version, metadata.alignment) == (config.version, config.crops.alignment)
    saved = metadata.training["config"]
    if "alignment" in metadata.training:  # the weights were trained behind another one (decision 38)
        crops = replace(config.crops, alignment=metadata.training["alignment"])
        config = replace(config, version=saved["version"], crops=crops)
    assert matches_config(saved, config)
