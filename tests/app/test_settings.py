from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings, load_settings


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_PORT", "9000")
    monkeypatch.setenv("FACETWIN_API_KEYS", "a-key-of-sixteen!, another-key-of-24-chars")
    settings = load_settings()
    assert settings.port == 9000
    assert [key.get_secret_value() for key in settings.api_keys] == ["a-key-of-sixteen!", "another-key-of-24-chars"]


def test_keys_do_not_appear_in_the_representation() -> None:
    assert "sixteen" not in repr(Settings(api_keys="a-key-of-sixteen!"))


def test_an_unknown_variable_is_refused_with_a_list_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_GALERY_URL", "sqlite:///x.db")
    with pytest.raises(ValueError, match=r"Unknown setting FACETWIN_GALERY_URL.*FACETWIN_GALLERY_URL"):
        load_settings()


def test_variables_of_training_and_tests_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETWIN_DATA", "somewhere")
    load_settings()


def test_an_engine_that_is_not_installed_is_refused_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings(engine="onnxruntime").engine == "onnxruntime"
    monkeypatch.setattr("app.settings.is_installed", lambda: False)
    assert load_settings().engine == "torchscript"
    with pytest.raises(ValueError, match=r"facetwin\[onnxruntime\]"):
        load_settings(engine="onnxruntime")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("api_keys", "short", "openssl rand"),
        ("gallery_url", "sqlite://", "would be lost"),
        ("gallery_url", "sqlite:///:memory:", "would be lost"),
        ("gallery_url", "mysql://x/y", "must be sqlite:///PATH or postgresql"),
        ("trusted_proxies", "10.0.0.1/8", "bits of the host"),
        ("trusted_proxies", "proxy.example.com", "an address or a network"),
        ("audit_key", "short", "openssl rand"),
        ("audit_key_file", "/nowhere/audit.key", "cannot read /nowhere/audit.key"),
        ("max_image_pixels", 10**9, "max_image_pixels"),
        ("allowed_hosts", "faces.example.com:8000", "without a scheme, a port"),
        ("allowed_hosts", "http://faces.example.com", "without a scheme, a port"),
        ("max_held_bytes", 60_000_000, "FACETWIN_MAX_HELD_BYTES must be at least 62,980,096"),
        ("max_image_bytes", 300_000_000, "FACETWIN_MAX_HELD_BYTES must be at least"),
        ("device", "tpu", "device"),
        ("threads", 0, "threads"),
    ],
)
def test_unsafe_and_invalid_values_are_refused(name: str, value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Settings(**{name: value})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_loopback_address_needs_no_key(host: str) -> None:
    assert not Settings(host=host).needs_stored_key


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org", "::", "192.168.0.1"])
def test_other_addresses_need_a_key_or_an_explicit_permission(host: str) -> None:
    assert Settings(host=host).needs_stored_key
    assert not Settings(host=host, api_keys="a-key-of-sixteen!").needs_stored_key
    assert not Settings(host=host, allow_anonymous=True).needs_stored_key


def test_the_secret_of_the_audit_comes_from_a_variable_or_a_file_but_not_both(tmp_path: Path) -> None:
    assert Settings().audit_secret is None
    file = tmp_path / "audit.key"
    file.write_text("s" * 32 + "\n", encoding="utf-8")
    given, read = Settings(audit_key="s" * 32).audit_secret, Settings(audit_key_file=file).audit_secret
    assert given is not None
    assert read is not None
    assert given.id == read.id
    assert "ssss" not in repr(Settings(audit_key="s" * 32))
    with pytest.raises(ValueError, match="not both"):
        Settings(audit_key="s" * 32, audit_key_file=file)


def test_names_of_hosts_are_compared_in_small_letters_without_a_final_dot() -> None:
    given = Settings(allowed_hosts="Faces.Example.COM., [::1]")
    assert given.allowed_hosts == ("faces.example.com", "::1")
    assert Settings(host="0.0.0.0", allow_anonymous=True, allowed_hosts="a").known_hosts == ("a", "0.0.0.0")
