"""Pickles that are code: whoever unpickles one runs it."""

import builtins
import operator
import os
import pickle
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Call:
    """Pickled, it is a call: whoever unpickles it makes the call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Restored:
    """Pickled, it runs code of its own when its state is restored."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["path"]).touch()


def _nested(path: str) -> Any:
    """A pickle that loads another file, which is beside it, without any care."""
    Path(path + ".pkl").write_bytes(pickle.dumps(Call(open, path, "w")))
    return Call(pickle.load, Call(open, path + ".pkl", "rb"))


def _script(path: str) -> Any:
    Path(path + ".py").write_text(f"open({path!r}, 'w')")
    return Call(runpy.run_path, path + ".py")


# What makes the file at a path when it is unpickled.
TRAPS: dict[str, Callable[[str], Any]] = {
    "open": lambda path: Call(open, path, "w"),
    "a shell": lambda path: Call(os.system, f"touch {path}"),
    "eval": lambda path: Call(builtins.eval, f"open({path!r}, 'w')"),
    "a method": lambda path: Call(operator.methodcaller("touch"), Path(path)),
    "a library": lambda path: Call(np.savetxt, path, [1.0]),
    "a state": Restored,
    "another pickle": _nested,
    "a script": _script,
}
