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
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

import model.runtime.operators  # noqa: F401  # registers the operators that a module may name

ARTIFACTS: Final = Path(__file__).parents[1] / "artifacts"
METADATA, GOLDEN = "metadata.json", "golden.npz"


class BundleError(Exception):
    """The file is not a bundle, is damaged, or fails its golden check."""


class HasSchema(Protocol):
    @property
    def schema(self) -> int: ...


Metadata = TypeVar("Metadata", bound=HasSchema)


@dataclass(frozen=True)
class ScriptedFile:
    """The contents of a file: `metadata` is JSON, `golden` the inputs and outputs of the golden check."""

    module: torch.jit.ScriptModule
    metadata: str
    golden: Mapping[str, NDArray[Any]]


def script(network: nn.Module) -> torch.jit.ScriptModule:
    """Compiles a network to TorchScript, in evaluation mode on the device where it is."""
    with _jit():
        return torch.jit.script(network.eval())


def trace(network: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    """Records what a network does with one input, for networks that cannot be compiled."""
    with _jit(), torch.no_grad():
        traced: torch.jit.ScriptModule = torch.jit.trace(network.eval(), example)  # type: ignore[no-untyped-call]
        return traced


def read_module(path: Path) -> torch.jit.ScriptModule:
    """Reads TorchScript that is no bundle. Raises BundleError."""
    try:
        with _jit():
            module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is not TorchScript. ({str(error).splitlines()[0]})") from error
    return module.eval()


def freeze(module: torch.jit.ScriptModule, methods: Sequence[str] = ()) -> torch.jit.ScriptModule:
    """Returns a copy with the weights folded into the code, which runs faster but cannot be saved.

    It keeps `forward` and the given methods.
    """
    with _jit():
        frozen: torch.jit.ScriptModule = torch.jit.freeze(module, preserved_attrs=list(methods))
        return frozen


def load_scripted(path: Path, device: str, arrays: Sequence[str]) -> ScriptedFile:
    """Reads a module, its metadata and the golden arrays with these names. Raises BundleError."""
    extra: dict[str, Any] = {METADATA: "", GOLDEN: ""}
    try:
        with _jit():
            module = torch.jit.load(str(path), map_location=device, _extra_files=extra)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"{path} cannot be read as a bundle. Get the file again. ({reason})") from error
    # torch.jit.load leaves a missing extra file empty.
    missing = [name for name, content in extra.items() if not content]
    if missing:
        raise BundleError(f"{path} is not a facetwin bundle: it has no {' and no '.join(missing)}")
    with np.load(io.BytesIO(extra[GOLDEN]), allow_pickle=False) as stored:
        if absent := [name for name in arrays if name not in stored]:
            raise BundleError(f"{path} is another kind of bundle: it has no golden {' and no '.join(absent)}")
        golden = {name: stored[name] for name in arrays}
    module.eval()
    return ScriptedFile(module, extra[METADATA], golden)


def parse_metadata(file: ScriptedFile, kind: type[Metadata], schema: int, path: Path) -> Metadata:
    """Parses the metadata to a dataclass with a field `schema`. Raises BundleError if it has another schema."""
    try:
        metadata = TypeAdapter(kind).validate_json(file.metadata)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise BundleError(
            f"{path}: the metadata do not match schema {schema} (field {field}). Export it again."
        ) from error
    if metadata.schema != schema:
        raise BundleError(f"{path} has schema {metadata.schema}; this version reads schema {schema}. Export it again.")
    return metadata


def save_scripted(path: Path, scripted: ScriptedFile) -> None:
    """Writes a file atomically: a reader sees either the old file or the new one."""
    arrays = io.BytesIO()
    np.savez(arrays, **scripted.golden)  # type: ignore[arg-type]  # no array is named allow_pickle
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


def compute_digest(state: Mapping[str, Tensor], rest: str) -> str:
    """Returns the SHA-256 of a state dict, in the order of its names, and of a string."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(rest.encode())
    return digest.hexdigest()


@contextmanager
def _jit() -> Iterator[None]:
    """Silences the warning that TorchScript is deprecated: this project uses it by design."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
        yield
