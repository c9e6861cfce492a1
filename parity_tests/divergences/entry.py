"""What an entry of the catalogue is: two or three frameworks, the same request, other answers.

A chapter is a module that makes its entries with ``Chapter.entry``; each entry then collects
its demonstrations by the decorator ``entry.shows``. A demonstration is a function without arguments
that imports what it needs and returns the tell-tale value.
"""

import ast
import inspect
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.version import Version

FRAMEWORKS = {"pytorch": "PyTorch", "flax": "Flax", "keras": "Keras"}
LIBRARIES = {**FRAMEWORKS, "jax": "JAX", "tensorflow": "TensorFlow"}  # those beneath them, too
KINDS = {
    "layout": "the same numbers in another order or shape",
    "default": "the same argument, left out, means another value",
    "meaning": "the same argument, given, means something else",
    "refusal": "one does it, another raises an error",
    "precision": "the same formula, rounded or computed in another way",
    "edge": "empty, tiny or non-finite inputs, and wrong shapes",
    "bug": "one is wrong, by its own documentation or by any",
}
VERSIONS = {
    "torch": "2.13.0",
    "jax": "0.10.2",
    "flax": "0.12.8",
    "keras": "3.15.1",
    "tensorflow": "2.21.0",
}
DATE = "2026-11-24"

# What no framework depends on, so that it may be missing, and where it comes from.
NEEDS = {
    "triton": "PyTorch's CUDA build, which pip installs on Linux, brings it: "
    "`tox run -e cuda-build` has it.",
}

# TensorFlow turns oneDNN on by itself where the processor has AVX512-VNNI or the like; a
# demonstration whose answer depends on it says which it wants.
ONEDNN = "TensorFlow with oneDNN"
NO_ONEDNN = "TensorFlow without oneDNN"

# Where a demonstration runs if not in the process of the tests: the environment variables.
SETTINGS: dict[str, dict[str, str]] = {
    "": {"KERAS_BACKEND": "tensorflow"},
    "Keras on JAX": {"KERAS_BACKEND": "jax"},
    "Keras on PyTorch": {"KERAS_BACKEND": "torch"},
    ONEDNN: {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"},
    NO_ONEDNN: {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "0"},
}


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
        return self.new if Version(version) >= Version(self.version) else self.old

    def __str__(self) -> str:
        since = f"{self.distribution} {self.version}"
        return f"{text_of(self.new)} since {since}, {text_of(self.old)} before"


@dataclass(frozen=True)
class Demonstration:
    """One library's answer."""

    library: str
    label: str
    run: Callable[[], Any]
    expected: Any  # plain data, Raises or Dies; or, by version, Since
    right: Any  # what it ought to be, where that is a bug; else None
    setting: str
    flag: str  # of the processor, as Linux spells it, without which a bug is not there

    @property
    def name(self) -> str:
        """The library, with the setting that it runs in."""
        return self.setting or LIBRARIES[self.library]

    @property
    def expected_here(self) -> Any:
        """The answer on this processor, and of the installed version."""
        if self.flag and self.flag not in Path("/proc/cpuinfo").read_text().split():
            return self.right
        if isinstance(self.expected, Since):
            return self.expected.with_version(metadata.version(self.expected.distribution))
        return self.expected

    @property
    def deadly(self) -> bool:
        """Whether it kills its process, with one version at least: it gets one of its own."""
        answer = self.expected
        answers = (answer.new, answer.old) if isinstance(answer, Since) else (answer,)
        return any(isinstance(each, Dies) for each in answers)

    @property
    def body(self) -> str:
        """What the function does, as it is written."""
        source = inspect.getsource(self.run)
        (function,) = ast.parse(source).body
        return textwrap.dedent("\n".join(source.splitlines()[function.body[0].lineno - 1 :]))

    @property
    def code(self) -> str:
        """The demonstration as one would type it, with what it returns printed."""
        lines = self.body.splitlines()
        function = ast.parse("def _():\n" + textwrap.indent(self.body, "    ")).body[0]
        if isinstance(last := function.body[-1], ast.Return):
            first = last.lineno - 2  # the line of the def is not in the body
            lines[first] = lines[first].replace("return ", "print(", 1)
            lines[-1] += ")"
        return "\n".join(lines)


@dataclass(frozen=True)
class Divergence:
    """One difference: what each framework does, and what a right port does about it."""

    chapter: str
    id: str
    title: str
    kind: str
    pytorch: str
    flax: str
    keras: str
    port: str
    references: tuple[str, ...] = ()  # "owner/repository#number"
    upstream: str = ""  # of a bug: the repository to report it to
    needs: str = ""  # a distribution of NEEDS, which may be missing
    date: str = DATE
    versions: Mapping[str, str] = field(default_factory=lambda: VERSIONS)
    demonstrations: list[Demonstration] = field(default_factory=list)

    def shows(
        self,
        library: str,
        expected: Any,
        label: str = "",
        *,
        setting: str = "",
        flag: str = "",
        right: Any = None,
    ) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        """The decorator of a demonstration; ``label`` tells two of one library apart."""

        def add(run: Callable[[], Any]) -> Callable[[], Any]:
            shown = label or setting or LIBRARIES[library]
            made = Demonstration(library, shown, run, expected, right, setting, flag)
            self.demonstrations.append(made)
            return run

        return add

    @property
    def bug(self) -> bool:
        return self.kind == "bug"

    @property
    def wrong(self) -> Demonstration:
        """The demonstration of a bug that gives the wrong answer."""
        (found,) = [each for each in self.demonstrations if each.right is not None]
        return found

    @property
    def unmet(self) -> str:
        """Why the entry cannot be shown here; "" if it can."""
        if not self.needs:
            return ""
        try:
            metadata.version(self.needs)
        except metadata.PackageNotFoundError:
            return f"{self.id} is not shown: {self.needs} is not installed. {NEEDS[self.needs]}"
        return ""

    def seen(self, demonstration: Demonstration) -> Any:
        """The answer of the versions that the entry was seen with."""
        answer = demonstration.expected
        if isinstance(answer, Since):
            return answer.with_version(self.versions[answer.distribution])
        return answer

    def answers(self) -> dict[str, list[Demonstration]]:
        """Each distinct answer with those who give it; an error is one, whatever it says."""
        groups: dict[str, list[Demonstration]] = {}
        for each in self.demonstrations:
            answer = self.seen(each)
            refused = isinstance(answer, Raises)
            groups.setdefault("an error" if refused else text_of(answer), []).append(each)
        return groups

    @property
    def sides(self) -> str:
        """Who agrees with whom: "PyTorch ≠ Flax = Keras"."""
        groups = list(self.answers().values())
        split = Counter(name for group in groups for name in {each.name for each in group})
        named = [
            dict.fromkeys(each.name if split[each.name] == 1 else each.label for each in group)
            for group in groups
        ]
        return " ≠ ".join(" = ".join(names) for names in named)


@dataclass(frozen=True)
class Chapter:
    """The entries about one subject, in their order."""

    title: str
    entries: list[Divergence] = field(default_factory=list)

    def entry(self, id: str, title: str, **fields: Any) -> Divergence:
        made = Divergence(self.title, id, title, **fields)
        self.entries.append(made)
        return made


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
    if hasattr(value, "as_list"):  # a shape of TensorFlow's
        return plain(value.as_list())
    if hasattr(value, "detach"):
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
    """An answer as the pages show it."""
    return str(answer) if isinstance(answer, Raises | Dies | Since) else repr(plain(answer))
