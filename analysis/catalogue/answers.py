"""What a demonstration answers: plain data, an error, or the death of its process."""

import math
from dataclasses import dataclass
from importlib import metadata
from typing import Any


@dataclass(frozen=True)
class Raises:
    """The demonstration ends in this error, whose message contains ``text``."""

    error: str
    text: str

    def __str__(self) -> str:
        return f"{self.error}: {self.text}" if self.text else self.error


@dataclass(frozen=True)
class Dies:
    """The demonstration kills its process; it gets one of its own."""

    signal: str

    def __str__(self) -> str:
        return f"the process dies of {self.signal}"


@dataclass(frozen=True)
class Since:
    """Another answer from a version of a distribution on: ``new``, and ``old`` before it."""

    distribution: str
    version: str
    new: Any
    old: Any

    def with_version(self, version: str) -> Any:
        """The answer of that version."""
        from convparity.impls.registry import release  # with NumPy, which no statement needs

        return self.new if release(version) >= release(self.version) else self.old

    @property
    def installed(self) -> Any:
        """The answer of the installed version; of the newest, where none is installed."""
        try:
            return self.with_version(metadata.version(self.distribution))
        except metadata.PackageNotFoundError:
            return self.new

    def __str__(self) -> str:
        since = f"{self.distribution} {self.version}"
        return f"{text_of(self.new)} since {since}, {text_of(self.old)} before"


def plain(value: Any) -> Any:
    """Arrays as lists, whole floats as ints, other floats that JSON cannot say as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value == int(value) else value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if hasattr(value, "as_list"):  # a shape that is no tuple
        return plain(value.as_list())
    if hasattr(value, "detach"):  # a tensor that has a gradient
        value = value.detach().cpu()
    if hasattr(value, "numpy"):
        value = value.numpy()
    if hasattr(value, "__array__") and not hasattr(value, "tolist"):
        import numpy as np

        value = np.asarray(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"a demonstration returned {type(value).__name__}, which is not plain data")


def text_of(answer: Any) -> str:
    """An answer as tables and pages show it."""
    return str(answer) if isinstance(answer, Raises | Dies | Since) else repr(plain(answer))
