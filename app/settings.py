"""Every setting, from FACETWIN_* in the environment. The only reader of it; refuses what is unsafe."""

import os
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.gallery import POSTGRES, SQLITE
from model.detector.orientation import DetectorKind
from model.encoder.bundle import Precision
from model.images import MOST_PIXELS, ImageLimits
from model.runtime.forms import Engine
from model.runtime.onnx_runtime import is_installed

PREFIX = "FACETWIN_"
# Of the same prefix, but read by the training and the tests.
ELSEWHERE = {"FACETWIN_DATA", "FACETWIN_REQUIRE_DATA"}


class Settings(BaseSettings):
    """What an operator can choose. Raises ValueError (pydantic's) naming the setting and what to do."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    bundle: str = Field("deploy", description="A shipped bundle's name, or the path of your own.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the networks run.")
    precision: Precision = Field(
        Precision.FLOAT32, description="Of the encoder: bf16 takes little more than half the time on newer CPUs."
    )
    engine: Engine = Field(
        Engine.TORCHSCRIPT, description="What may run the networks on a CPU; onnxruntime needs the extra `onnxruntime`."
    )
    detector: DetectorKind = Field(
        DetectorKind.LOCATOR, description="What finds the faces: facetwin's own, or MTCNN from the extra `mtcnn`."
    )
    gallery_url: str = Field("sqlite:///data/gallery.db", description="Where templates are kept; or postgresql://...")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Comma-separated; each at least 16 characters. Callers send one as `Authorization: Bearer KEY`."
    )
    allow_anonymous: bool = Field(False, description="Serve beyond this machine without any key.")
    max_image_bytes: int = Field(ImageLimits.max_bytes, ge=1024, description="Of one photo.")
    max_image_pixels: int = Field(ImageLimits.max_pixels, ge=4096, le=MOST_PIXELS, description="Of one photo.")
    workers: int = Field(1, ge=1, le=64, description="Processes on this machine, which share the gallery.")
    threads: int | None = Field(
        None, ge=1, le=256, description="Of each process, that compute; default: the cores divided by the processes."
    )
    max_waiting: int = Field(64, ge=0, description="Requests that may wait for a thread; more are answered 429.")
    deadline_s: float = Field(30.0, gt=0, description="Seconds after which a request is given up with 504.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def threads_or_default(self) -> int:
        return self.threads or max(cores() // self.workers, 1)

    @property
    def image_limits(self) -> ImageLimits:
        return ImageLimits(self.max_image_bytes, self.max_image_pixels)

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 16 for key in keys):
            raise ValueError("a key has fewer than 16 characters; make one with `openssl rand -hex 24`")
        return keys

    @field_validator("detector")
    @classmethod
    def _installed(cls, kind: DetectorKind) -> DetectorKind:
        if kind is DetectorKind.MTCNN and find_spec("facenet_pytorch") is None:
            raise ValueError("mtcnn is an extra; install it with `pip install 'facetwin[mtcnn]'`")
        return kind

    @field_validator("engine")
    @classmethod
    def _engine_installed(cls, engine: Engine) -> Engine:
        if engine is Engine.ONNXRUNTIME and not is_installed():
            raise ValueError("onnxruntime is an extra; install it with `pip install 'facetwin[onnxruntime]'`")
        return engine

    @field_validator("gallery_url")
    @classmethod
    def _durable(cls, url: str) -> str:
        if url.startswith(POSTGRES):
            if find_spec("psycopg") is None or find_spec("pgvector") is None:
                raise ValueError("PostgreSQL is an extra; install it with `pip install 'facetwin[postgres]'`")
            return url
        if not url.startswith(SQLITE) or url.removeprefix(SQLITE) in ("", ":memory:"):
            raise ValueError(
                "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE; an enrolment kept in memory alone "
                "would be lost"
            )
        return url

    @model_validator(mode="after")
    def _nobody_unasked(self) -> Self:
        if not (_is_loopback(self.host) or self.api_keys or self.allow_anonymous):
            raise ValueError(
                f"refusing to offer biometric data on {self.host} to everybody. Set FACETWIN_API_KEYS or, where "
                "something in front of the service checks callers, FACETWIN_ALLOW_ANONYMOUS=true"
            )
        return self


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_settings(**overrides: Any) -> Settings:
    """Reads the environment. Raises ValueError on a bad value and on a name that means nothing."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | ELSEWHERE
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no setting of facetwin. There are: {', '.join(sorted(known))}")
    return Settings(**overrides)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
