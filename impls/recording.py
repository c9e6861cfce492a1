"""One run of a network, with what every module in it was given and gave."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Value(NamedTuple):
    """What went in or out of a module: a channels-last copy, and the dtype that it had.

    bfloat16, which NumPy lacks, is widened to float32. What is no array is kept as its type's name;
    a tuple, a list or a mapping with its parts, by how they are got out of it: "[0]", "['name']".
    """

    array: np.ndarray | None
    dtype: str
    parts: tuple[tuple[str, "Value"], ...] = ()

    def arrays(self, at: str = "") -> dict[str, np.ndarray]:
        """Every array in it, by how it is got out; one array is at ""."""
        if self.array is not None:
            return {at: self.array}
        return {
            key: array for step, part in self.parts for key, array in part.arrays(at + step).items()
        }

    def leaves(self) -> list["Value"]:
        """What it is made of, in order; a value without parts is its own."""
        return [leaf for _, part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def dtypes(self) -> list[str]:
        """The dtypes of every array in it."""
        return [leaf.dtype for leaf in self.leaves() if leaf.array is not None]


@dataclass
class Call:
    """One call of a module: what it was given and gave, and the calls of modules inside it."""

    module: Any
    given: tuple[Value, ...]
    output: Value | None = None  # None: it has not come back
    inside: list["Call"] = field(default_factory=list)


class Recorder:
    """Keeps the calls of a run, each inside the one that was running when it began.

    ``value`` copies a native array at once: a module may write into it later.
    """

    def __init__(self, value: Callable[[Any], Value]) -> None:
        self.value = value
        self.roots: list[Call] = []
        self._running: list[Call] = []

    def enter(self, module: Any, inputs: tuple[Any, ...]) -> None:
        """``module`` is called with ``inputs``."""
        call = Call(module, tuple(map(self.kept, inputs)))
        (self._running[-1].inside if self._running else self.roots).append(call)
        self._running.append(call)

    def leave(self, output: Any) -> None:
        """The module that was called last, and has not come back, gives ``output``."""
        self._running.pop().output = self.kept(output)

    def kept(self, native: Any) -> Value:
        """A native value, or those in a tuple, a list or a mapping, as it is kept."""
        if isinstance(native, Mapping):
            steps = [(f"[{key!r}]", part) for key, part in native.items()]
        elif isinstance(native, tuple | list):
            steps = [(f"[{index}]", part) for index, part in enumerate(native)]
        else:
            return self.value(native)
        parts = tuple((step, self.kept(part)) for step, part in steps)
        return Value(None, type(native).__name__, parts)

    def around(
        self, module: Any, run: Callable[..., Any], given: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """``run`` with its calls kept as those of ``module``.

        ``given`` says of what it is called with what counts as its inputs: None is all that has no
        name.
        """

        def recorded(*inputs: Any, **options: Any) -> Any:
            self.enter(module, inputs if given is None else given(*inputs, **options))
            output = run(*inputs, **options)
            self.leave(output)
            return output

        return recorded


@contextmanager
def generators_as_they_were() -> Iterator[None]:
    """Afterwards Python's and NumPy's global generators are where they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the user's, not ours)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
