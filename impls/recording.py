"""One run of a network, with what every module in it was given and gave."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Value(NamedTuple):
    """What went in or out of a module: a channels-last copy, and the dtype that it had.

    bfloat16, which NumPy lacks, is widened to float32. What is no array is kept as its type's name.
    """

    array: np.ndarray | None
    dtype: str


@dataclass
class Call:
    """One call of a module: what it was given and gave, and the calls of modules inside it."""

    module: Any
    given: tuple[Value, ...]
    made: Value | None = None  # None: it has not come back
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
        call = Call(module, tuple(map(self.value, inputs)))
        (self._running[-1].inside if self._running else self.roots).append(call)
        self._running.append(call)

    def leave(self, output: Any) -> None:
        """The module that was called last, and has not come back, gives ``output``."""
        self._running.pop().made = self.value(output)

    def around(self, module: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        """``run`` with its calls kept as those of ``module``."""

        def recorded(*inputs: Any, **options: Any) -> Any:
            self.enter(module, inputs)
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
