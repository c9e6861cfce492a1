"""The order in which packages have to be imported: triton before TensorFlow.

PyTorch as pip installs it on Linux brings triton, and imports it late: for its first optimizer,
say. TensorFlow, from 2.20 on, shows its own LLVM to every library that is loaded after it; triton
carries another LLVM, takes TensorFlow's by mistake, and the process dies of a segmentation fault
(https://github.com/tensorflow/tensorflow/issues/124205). The other order is harmless.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from types import ModuleType

from convparity.impls.errors import ImportOrderWarning


def watch() -> None:
    """See to it that triton is imported before TensorFlow, whoever imports that, or not at all.

    From now on, the first import of TensorFlow imports triton first, if that is installed; it takes
    about half a second. Where TensorFlow is here already and triton is not, triton is blocked:
    PyTorch then does what it does without triton, and an ``ImportOrderWarning`` says what is lost.
    """
    if sys.modules.get("tensorflow") and _can_come("triton"):
        _block(
            "TensorFlow was imported before triton, which would now kill the process",
            "write `import triton` before anything that imports TensorFlow, Keras included",
        )
    elif WATCHER not in sys.meta_path:
        sys.meta_path.insert(0, WATCHER)


class _TritonFirst(MetaPathFinder):
    """Python asks it where a package is, before it imports that; it finds none itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname == "tensorflow" and _can_come("tensorflow") and _can_come("triton"):
            try:
                importlib.import_module("triton")
            except Exception as error:  # PyTorch would try again, behind TensorFlow
                reason = f"triton cannot be imported ({type(error).__name__}: {error})"
                _block(reason, "mend its installation")


WATCHER = _TritonFirst()


def _can_come(package: str) -> bool:
    """Whether it is installed, and neither imported nor blocked yet."""
    return package not in sys.modules and PathFinder.find_spec(package) is not None


def _block(reason: str, remedy: str) -> None:
    sys.modules["triton"] = None  # type: ignore[assignment]  # Python's way to say "not installed"
    warnings.warn(
        f"{reason}: it is blocked. PyTorch works, but in this process torch.compile for a GPU and "
        f"kernels written in triton do not. To have them, {remedy}.",
        ImportOrderWarning,
        stacklevel=4,  # the user's own import
    )
