"""The settings of the service, read from FACETWIN_* environment variables. Unsafe settings are refused."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from limits import parse_many
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.addresses import Proxies, is_address, is_loopback
from app.body_limits import MOST_PHOTOS, largest_body
from app.cores import count_cores
from app.gallery import POSTGRES_PREFIX, SQLITE_PREFIX
from app.gallery.audit import AuditSecret
from app.gallery.base import GalleryLimits
from app.verification.liveness import LivenessMode
from model.encoder.bundle import Precision
from model.images import MAX_PIXELS, ImageLimits
from model.runtime.forms import Engine
from model.runtime.onnx_runtime import is_installed

PREFIX: Final = "FACETWIN_"
# Variables with the same prefix that training and tests read, and those of the client, which may run here, too.
OTHER_VARIABLES: Final = {"FACETWIN_DATA", "FACETWIN_REQUIRE_DATA", "FACETWIN_URL", "FACETWIN_API_KEY"}


class Settings(BaseSettings):
    """Everything that an operator can set. Raises pydantic's ValidationError, a ValueError, on a bad value."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    root_path: str = Field(
        "", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="Prefix under which a proxy serves the service, as /faces."
    )
    max_connections: int = Field(1000, ge=1, description="Connections per process. Further ones are closed at once.")
    max_connections_per_address: int = Field(
        250,
        ge=1,
        description="Of these, connections of one address (IPv6: of one /64). Trusted proxies have no such limit.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Comma-separated addresses and networks of proxies, as 10.0.0.0/8. Their X-Forwarded-For is "
        "believed: it names the caller for the limits by address.",
    )
    bundle: str = Field("deploy", description="Name of a shipped bundle, or path of your own.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the networks run.")
    precision: Precision = Field(
        Precision.FLOAT32, description="Precision of the encoder. bf16 is nearly twice as fast on recent CPUs."
    )
    engine: Engine = Field(
        Engine.TORCHSCRIPT, description="What may run the networks on a CPU. onnxruntime needs the extra `onnxruntime`."
    )
    gallery_url: str = Field(
        "sqlite:///data/gallery.db", description="Where templates are stored: sqlite:///PATH or postgresql://..."
    )
    gallery_timeout_s: float = Field(
        5.0, gt=0, le=300, description="Seconds to wait for a lock or a connection of the gallery; then 503."
    )
    gallery_connections: int = Field(
        10, ge=2, le=1000, description="Connections to PostgreSQL per process; half of them are for searches."
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Comma-separated keys of at least 16 characters, with every scope. Callers send one as "
        "`Authorization: Bearer KEY`. `facetwin keys` makes keys that may do less.",
    )
    allow_anonymous: bool = Field(False, description="Allow other machines to call the service without a key.")
    audit_key: SecretStr | None = Field(
        None, description="Secret of the audit log, at least 32 characters. Without it, nothing is recorded."
    )
    audit_key_file: Path | None = Field(None, description="File with that secret, instead of FACETWIN_AUDIT_KEY.")
    allow_unaudited: bool = Field(
        False, description="Allow changes without a record to a gallery that has an audit log."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated names by which callers without a key may address the service."
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated origins of web pages that may call the service, as https://example.com (CORS)."
    )
    rate_limits: str = Field(
        "",
        description="Requests that each key, or each address without keys, may send to each process, as "
        "`600/minute; 20/second`. Default: any.",
    )
    page: bool = Field(True, description="Serve the web page at /.")
    docs: bool = Field(True, description="Serve /docs and /openapi.json.")
    metrics: bool = Field(True, description="Serve /metrics.")
    max_image_bytes: int = Field(ImageLimits.max_bytes, ge=1024, description="Largest photo, in bytes.")
    max_image_pixels: int = Field(
        ImageLimits.max_pixels,
        ge=4096,
        le=MAX_PIXELS,
        description="Largest photo, in pixels; above 50 million only JPEG.",
    )
    max_decode_s: float = Field(
        2.0, gt=0, le=60, description="Seconds of the processor that decoding one photo may take."
    )
    max_decode_bytes: int = Field(
        1024 * 1024 * 1024, ge=50 * 1024 * 1024, description="Bytes of memory that decoding one photo may take."
    )
    workers: int = Field(1, ge=1, le=64, description="Number of processes. They share the gallery.")
    threads: int | None = Field(
        None, ge=1, le=256, description="Threads per process that compute. Default: cores / workers."
    )
    max_waiting: int = Field(
        64, ge=0, description="Requests that may wait for a thread. Further ones are answered 429."
    )
    max_held_bytes: int = Field(
        512 * 1024 * 1024, ge=1024, description="Bytes of all request bodies held at once. Beyond, requests get 429."
    )
    upload_s: float = Field(30.0, gt=0, description="Seconds in which a request's body must arrive; then 408.")
    deadline_s: float = Field(
        30.0, gt=0, description="Seconds after the arrival of the body in which a request is answered; then 504."
    )
    liveness: LivenessMode = Field(
        LivenessMode.OFF,
        description="Whether every request judges if faces are live: off, report or require. A request may ask for "
        "more, never for less.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def threads_or_default(self) -> int:
        """Threads per process that compute."""
        return self.threads or max(count_cores() // self.workers, 1)

    @property
    def image_limits(self) -> ImageLimits:
        return ImageLimits(self.max_image_bytes, self.max_image_pixels)

    @property
    def gallery_limits(self) -> GalleryLimits:
        wait_s = min(self.gallery_timeout_s, self.deadline_s / 2)
        return GalleryLimits(wait_s, self.gallery_connections, statement_s=self.deadline_s)

    @property
    def needs_stored_key(self) -> bool:
        """Whether the service must not serve anybody until its gallery has a key."""
        return not (is_loopback(self.host) or self.api_keys or self.allow_anonymous)

    @property
    def audit_secret(self) -> AuditSecret | None:
        """The secret of the audit log; None if nothing is recorded."""
        if self.audit_key_file is not None:
            return AuditSecret(_read_secret(self.audit_key_file).encode())
        return None if self.audit_key is None else AuditSecret(self.audit_key.get_secret_value().encode())

    @property
    def known_hosts(self) -> tuple[str, ...] | None:
        """The names by which callers without a key may address the service, besides this machine's; None allows any."""
        if self.allowed_hosts or is_loopback(self.host):
            return (*self.allowed_hosts, self.host.lower())
        return None

    @field_validator("api_keys", "allowed_hosts", "allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _check_key_length(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 16 for key in keys):
            raise ValueError("a key has fewer than 16 characters; generate one with `openssl rand -hex 24`")
        return keys

    @field_validator("rate_limits")
    @classmethod
    def _check_rate_limits(cls, limits: str) -> str:
        try:
            parse_many(limits or "1/second")
        except ValueError as error:
            raise ValueError("a limit looks like 600/minute; several are separated by semicolons") from error
        return limits

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", origin) for origin in origins):
            raise ValueError("an origin looks like https://example.com: a scheme, a name in small letters, and no path")
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(host.lower().removeprefix("[").removesuffix("]").rstrip(".") for host in hosts)
        if not all(re.fullmatch(r"[a-z0-9._-]+", name) or is_address(name) for name in names):
            raise ValueError("a name looks like faces.example.com: without a scheme, a port and a path")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        try:
            Proxies(proxies)
        except ValueError as error:
            raise ValueError(
                "a proxy is an address or a network without bits of the host, as 10.0.0.1 or 10.0.0.0/8"
            ) from error
        return proxies

    @field_validator("engine")
    @classmethod
    def _check_engine_installed(cls, engine: Engine) -> Engine:
        if engine is Engine.ONNXRUNTIME and not is_installed():
            raise ValueError("onnxruntime is not installed; install it with `pip install 'facetwin[onnxruntime]'`")
        return engine

    @field_validator("gallery_url")
    @classmethod
    def _check_gallery_url(cls, url: str) -> str:
        if url.startswith(POSTGRES_PREFIX):
            if find_spec("psycopg") is None or find_spec("pgvector") is None:
                raise ValueError(
                    "PostgreSQL support is not installed; install it with `pip install 'facetwin[postgres]'`"
                )
            return url
        if not url.startswith(SQLITE_PREFIX) or url.removeprefix(SQLITE_PREFIX) in ("", ":memory:"):
            raise ValueError(
                "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE; enrollments kept in memory "
                "would be lost"
            )
        return url

    @field_validator("audit_key")
    @classmethod
    def _check_audit_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _check_secret(key.get_secret_value())
        return key

    @field_validator("audit_key_file")
    @classmethod
    def _check_audit_key_file(cls, path: Path | None) -> Path | None:
        if path is not None:
            _read_secret(path)
        return path

    @model_validator(mode="after")
    def _check_one_audit_key(self) -> Self:
        if self.audit_key is not None and self.audit_key_file is not None:
            raise ValueError("set FACETWIN_AUDIT_KEY or FACETWIN_AUDIT_KEY_FILE, not both")
        return self

    @model_validator(mode="after")
    def _check_held_bytes(self) -> Self:
        largest = largest_body(MOST_PHOTOS, self.max_image_bytes)
        if self.max_held_bytes < largest:
            raise ValueError(
                f"FACETWIN_MAX_HELD_BYTES must be at least {largest:,}, for two photos of FACETWIN_MAX_IMAGE_BYTES"
            )
        return self


def load_settings(**overrides: Any) -> Settings:
    """Reads the environment. Raises ValueError on a bad value and on an unknown FACETWIN_* variable."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ValueError(f"Unknown setting {', '.join(unknown)}. Known settings: {', '.join(sorted(known))}")
    return Settings(**overrides)


def unused_client_key(settings: Settings) -> str | None:
    """Says that the client's key is set, and that only keys of the gallery would make the service ask for one.

    Whoever means FACETWIN_API_KEYS would otherwise believe that the service asks for a key. None if it is not so.
    """
    if not os.environ.get("FACETWIN_API_KEY") or settings.api_keys or settings.needs_stored_key:
        return None
    return (
        "FACETWIN_API_KEY is the key that clients send. Unless its gallery has keys, this service asks for none: "
        "everybody who reaches it may call. Set FACETWIN_API_KEYS, or use `facetwin keys add`, to have it ask."
    )


def _read_secret(path: Path) -> str:
    """Returns the secret in a file, without the line break at its end. Raises ValueError."""
    try:
        return _check_secret(path.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error


def _check_secret(secret: str) -> str:
    if len(secret) < 32:
        raise ValueError("the secret has fewer than 32 characters; generate one with `openssl rand -hex 32`")
    return secret
