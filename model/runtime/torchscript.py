"""TorchScript files: a module, its metadata, and golden outputs that it must reproduce.

Only model/runtime/ calls torch.jit.
"""

import hashlib
import io
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import torch
import torchvision  # noqa: F401  # registers the operators that a module may name
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

ARTIFACTS: Final = Path(__file__).parents[1] / "artifacts"
METADATA, GOLDEN = "metadata.json", "golden.npz"


class BundleError(Exception):
    """The file is no bundle, is damaged, or does not compute what it should."""


class HasSchema(Protocol):
    @property
    def schema(self) -> int: ...


Metadata = TypeVar("Metadata", bound=HasSchema)


@dataclass(frozen=True)
class Scripted:
    """A file as read: `metadata` is JSON, `golden` the arrays sealed with the module."""

    module: torch.jit.ScriptModule
    metadata: str
    golden: Mapping[str, NDArray[Any]]


def script(network: nn.Module) -> torch.jit.ScriptModule:
    """The network as TorchScript, in evaluation mode on the CPU."""
    with _jit():
        return torch.jit.script(network.eval().cpu())


def freeze(module: torch.jit.ScriptModule, methods: Sequence[str] = ()) -> torch.jit.ScriptModule:
    """A copy with the weights folded into the code, which runs faster and cannot be saved. It keeps `forward` and the
    methods named."""
    with _jit():
        frozen: torch.jit.ScriptModule = torch.jit.freeze(module, preserved_attrs=list(methods))
        return frozen


def load_scripted(path: Path, device: str, arrays: Sequence[str]) -> Scripted:
    """Reads the module, its metadata and those arrays. Raises BundleError."""
    extra: dict[str, Any] = {METADATA: "", GOLDEN: ""}
    try:
        with _jit():
            module = torch.jit.load(str(path), map_location=device, _extra_files=extra)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise BundleError(f"{path} cannot be read as a bundle: {str(error).splitlines()[0]}") from error
    # torch.jit.load leaves a missing extra file empty.
    missing = [name for name, content in extra.items() if not content]
    if missing:
        raise BundleError(f"{path} is not a facetwin bundle: {' and '.join(missing)} missing")
    with np.load(io.BytesIO(extra[GOLDEN]), allow_pickle=False) as stored:
        if absent := [name for name in arrays if name not in stored]:
            raise BundleError(f"{path} is not a bundle of this kind: it holds no {' and no '.join(absent)}")
        golden = {name: stored[name] for name in arrays}
    module.eval()
    return Scripted(module, extra[METADATA], golden)


def metadata_of(read: Scripted, kind: type[Metadata], schema: int, path: Path) -> Metadata:
    """The metadata as a dataclass that has a field `schema`. Raises BundleError where it is of another."""
    try:
        metadata = TypeAdapter(kind).validate_json(read.metadata)
    except ValidationError as error:
        raise BundleError(f"{path}: its metadata is not of schema {schema}: {error.errors()[0]['loc']}") from error
    if metadata.schema != schema:
        raise BundleError(f"{path} has schema {metadata.schema}; this version of facetwin reads {schema}")
    return metadata


def save_scripted(path: Path, scripted: Scripted) -> None:
    """Writes beside the target, then renames: a reader sees the old file or the new one, never half of one."""
    arrays = io.BytesIO()
    np.savez(arrays, **scripted.golden)  # type: ignore[arg-type]  # none of them is named allow_pickle
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    os.close(handle)
    partial = Path(name)
    try:
        with _jit():
            files = {METADATA: scripted.metadata, GOLDEN: arrays.getvalue()}
            torch.jit.save(scripted.module, str(partial), _extra_files=files)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def digest_of(state: Mapping[str, Tensor], rest: str) -> str:
    """SHA-256 over the weights, their constants among them, and what else decides what they compute."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(rest.encode())
    return digest.hexdigest()


@contextmanager
def _jit() -> Iterator[None]:
    """torch warns that TorchScript is deprecated; it is this project's format by design."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
        yield
