"""The frameworks: one row each. Nothing is imported before it is asked for."""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any

from convparity.impls.errors import (
    FROM_USER_CODE,
    FrameworkUnavailable,
    InputError,
    UnsupportedError,
    check_name,
    quoted,
)

if TYPE_CHECKING:
    from convparity.impls.adapter import Adapter


@dataclass(frozen=True)
class Goals:
    """How many times as fast, as built on a CPU, a separable layer is to be as ..."""

    own: float  # the framework's own separable layer
    regular: float  # its regular layer, which takes seven to ten times the arithmetic
    others: Mapping[str, float]  # another framework's own separable layer, channels last
    depthwise_gradient: float  # and a depthwise layer's gradient as the framework's own


@dataclass(frozen=True)
class Framework:
    """One row: where the adapter is, whose classes are its modules, what it needs."""

    name: str  # also the extra that installs it
    adapter: str  # "module:class"
    module: str  # the class that its modules are
    minimum: Mapping[str, str]  # distribution, imported by the same name -> oldest version
    aliases: tuple[str, ...] = ()  # names that are understood, too
    unbiased_variance: bool = False  # BatchNorm's running one is over n - 1, not over n
    goals: Goals | None = None  # where its own algorithms are replaced by faster ones

    @property
    def root(self) -> str:
        """The package whose classes its modules inherit from."""
        return self.module.partition(".")[0]

    @property
    def folder(self) -> str:
        """The package that the adapter lies in, with the other files of the framework."""
        return self.adapter.partition(":")[0].rpartition(".")[0]

    @property
    def packages(self) -> frozenset[str]:
        """The packages that its code may come from."""
        return frozenset({self.root, *self.minimum})


FRAMEWORKS = {
    row.name: row
    for row in (
        Framework(
            "pytorch",
            "convparity.impls.pytorch.adapter:PyTorchAdapter",
            "torch.nn.Module",
            {"torch": "2.6"},
            aliases=("torch",),
            unbiased_variance=True,
        ),
        Framework(
            "flax",
            "convparity.impls.flax.adapter:FlaxAdapter",
            "flax.nnx.Module",
            {"jax": "0.8.1", "flax": "0.12.1"},
            aliases=("jax",),
            goals=Goals(
                own=10, regular=4, others={"pytorch": 1 / 1.5}, depthwise_gradient=5
            ),  # XLA's depthwise convolution is slow on a CPU
        ),
        Framework(
            "keras",
            "convparity.impls.keras.adapter:KerasAdapter",
            "keras.layers.Layer",
            {"keras": "3.12", "tensorflow": "2.20"},
        ),
    )
}


MOST_NAMES = 64  # of frameworks, in one call


def framework(name: str) -> Framework:
    """The row of a framework; an unknown name is an ``InputError`` with a suggestion."""
    if isinstance(name, str):
        name = next((row.name for row in FRAMEWORKS.values() if name in row.aliases), name)
    check_name("framework", name, FRAMEWORKS)
    return FRAMEWORKS[name]


def asked(frameworks: Any) -> tuple[str, ...]:
    """The names that a user gives: one, or several, or None for all that are installed."""
    if frameworks is None:
        return available()
    if isinstance(frameworks, str):
        return (framework(frameworks).name,)
    try:
        names = list(islice(frameworks, MOST_NAMES + 1))
    except FROM_USER_CODE:  # what cannot be iterated, though it may look so: an array without axes
        example = list(FRAMEWORKS)[:1]
        raise InputError(
            f"frameworks are names, such as {example}, not {quoted(frameworks)}"
        ) from None
    if len(names) > MOST_NAMES:
        raise InputError(f"frameworks are at most {MOST_NAMES} names: name each once")
    return tuple(framework(name).name for name in names)


def release(version: str) -> tuple[int, ...]:
    """The first three numbers of a version, which compare as versions do."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@lru_cache
def _version(distribution: str, read: Callable[[str], str]) -> str:
    """The installed version, kept: to ``read`` it is to parse a file, and every call asks."""
    return read(distribution)


def problem(name: str) -> str | None:
    """Why a framework cannot be used here, with the command that mends it; None if it can."""
    row = framework(name)
    for distribution, oldest in row.minimum.items():
        try:
            version = _version(distribution, importlib.metadata.version)
        except importlib.metadata.PackageNotFoundError:
            found = "is not installed"
        else:
            if release(version) >= release(oldest):
                continue
            found = f"{version} is older than {oldest}"
        return f"{row.name}: {distribution} {found}: pip install 'convparity[{row.name}]'"
    return None


def available() -> tuple[str, ...]:
    """The frameworks that are installed here, in the registry's order; imports none of them."""
    return tuple(name for name in FRAMEWORKS if problem(name) is None)


def versions(name: str) -> dict[str, str]:
    """The installed versions of what a framework needs; what is missing is left out."""
    found = {}
    for distribution in framework(name).minimum:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[distribution] = _version(distribution, importlib.metadata.version)
    return found


def get(name: str) -> "Adapter":
    """A framework's adapter. Imports the framework; ``FrameworkUnavailable`` if it is missing."""
    row = framework(name)
    if (reason := problem(name)) is not None:
        raise FrameworkUnavailable(reason)
    module, _, attribute = row.adapter.partition(":")
    adapter: Adapter = getattr(importlib.import_module(module), attribute)()
    return adapter


def script(name: str) -> ModuleType:
    """The ``script.py`` in a framework's folder: its plain calls as text; imports no framework.

    ``UnsupportedError`` for a framework that has none.
    """
    row = framework(name)
    place = f"{row.folder}.script"
    if importlib.util.find_spec(place) is None:
        raise UnsupportedError(f"{row.name}: no script can be written: there is no {place}")
    return importlib.import_module(place)


def owner(module: Any) -> "Adapter":
    """The adapter of the framework that a native module belongs to, by the classes it inherits."""
    roots = {base.__module__.partition(".")[0] for base in type(module).__mro__}
    for row in FRAMEWORKS.values():
        if row.root in roots:
            return get(row.name)
    known = ", ".join(f"{row.root} ({row.name})" for row in FRAMEWORKS.values())
    raise UnsupportedError(f"{type(module).__name__} is no module of {known}")
