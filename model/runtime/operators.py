"""Registers torchvision's C++ operators with TorchScript when it is imported, as `import torchvision` does.

It loads the library alone: torchvision's Python package takes seconds to import, at every start of the service.
"""

from importlib.util import find_spec
from pathlib import Path

import torch


def _register() -> None:
    spec = find_spec("torchvision")  # finds the package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("torchvision is not installed: install facetwin again")
    folder = Path(spec.submodule_search_locations[0])
    libraries = sorted(folder.glob("_C*.so"))
    if not libraries:
        raise ImportError(f"{folder} has no library of operators: install torchvision again")
    torch.ops.load_library(str(libraries[0]))  # type: ignore[no-untyped-call]


_register()
