"""What an entry of the catalogue is: two or three frameworks, the same request, other answers.

A chapter is a module that makes its entries with ``Chapter.entry``; each entry then collects
its demonstrations by the decorator ``entry.shows``. A demonstration is a function without arguments
that imports what it needs and returns the tell-tale value.
"""

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from convparity.analysis.catalogue.answers import Dies, Raises, Since, text_of
from convparity.analysis.catalogue.entries.environments import (
    DATE,
    LIBRARIES,
    NEEDS,
    SETTINGS,
    VERSIONS,
)

KINDS = {
    "layout": "the same numbers in another order or shape",
    "default": "the same argument, left out, means another value",
    "meaning": "the same argument, given, means something else",
    "refusal": "one does it, another raises an error",
    "precision": "the same formula, rounded or computed in another way",
    "edge": "empty, tiny or non-finite inputs, and wrong shapes",
    "bug": "one is wrong, by its own documentation or by any",
}


@cache
def processor_flags() -> frozenset[str]:
    """The flags of this processor, as Linux spells them; none where it is another system."""
    path = Path("/proc/cpuinfo")
    return frozenset(path.read_text().split()) if path.exists() else frozenset()


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
        return self.setting or LIBRARIES[self.library].title

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Those that have to be installed for it."""
        return (LIBRARIES[self.library].framework, *SETTINGS[self.setting].needs)

    @property
    def expected_here(self) -> Any:
        """The answer on this processor, and of the installed version."""
        if self.flag and self.flag not in processor_flags():
            return self.right
        return self.expected.installed if isinstance(self.expected, Since) else self.expected

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
        function = ast.parse(source).body[0]
        assert isinstance(function, ast.FunctionDef)
        return textwrap.dedent("\n".join(source.splitlines()[function.body[0].lineno - 1 :]))

    @property
    def code(self) -> str:
        """The demonstration as one would type it, with what it returns printed."""
        lines = self.body.splitlines()
        function = ast.parse("def _():\n" + textwrap.indent(self.body, "    ")).body[0]
        assert isinstance(function, ast.FunctionDef)
        if isinstance(last := function.body[-1], ast.Return):
            first = last.lineno - 2  # the line of the def is not in the body
            lines[first] = lines[first].replace("return ", "print(", 1)
            lines[-1] += ")"
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "label": self.label,
            "environment": SETTINGS[self.setting].environment if self.setting else {},
            "code": self.code,
            "answer": text_of(self.expected),
            "right": None if self.right is None else text_of(self.right),
        }


@dataclass(frozen=True)
class Divergence:
    """One difference: what each framework does, and what a right port does about it."""

    chapter: str
    id: str
    title: str
    kind: str
    frameworks: Mapping[str, str]  # what each of them does
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
            shown = label or setting or LIBRARIES[library].title
            made = Demonstration(library, shown, run, expected, right, setting, flag)
            self.demonstrations.append(made)
            return run

        return add

    @property
    def bug(self) -> bool:
        """Whether one of them is wrong, and not merely different."""
        return self.kind == "bug"

    @property
    def wrong(self) -> Demonstration:
        """The demonstration of a bug that gives the wrong answer."""
        (found,) = [each for each in self.demonstrations if each.right is not None]
        return found

    @property
    def threads(self) -> list[str]:
        """The addresses of its references; GitHub sends an issue's on to a pull request."""
        pairs = [each.split("#") for each in self.references]
        return [f"https://github.com/{name}/issues/{number}" for name, number in pairs]

    @property
    def seen_with(self) -> str:
        """When and with what its answers were seen."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"seen on {self.date} with {versions}"

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
        """Who agrees with whom: "A ≠ B = C"."""
        groups = list(self.answers().values())
        split = Counter(name for group in groups for name in {each.name for each in group})
        named = [
            dict.fromkeys(each.name if split[each.name] == 1 else each.label for each in group)
            for group in groups
        ]
        return " ≠ ".join(" = ".join(names) for names in named)

    def data(self) -> dict[str, Any]:
        """Itself as plain data, for other programs."""
        return {
            "id": self.id,
            "chapter": self.chapter,
            "title": self.title,
            "kind": self.kind,
            "sides": self.sides,
            **self.frameworks,
            "port": self.port,
            "upstream": self.upstream,
            "needs": self.needs,
            "references": self.threads,
            "date": self.date,
            "versions": dict(self.versions),
            "demonstrations": [each.data() for each in self.demonstrations],
        }


@dataclass(frozen=True)
class Chapter:
    """The entries about one subject, in their order."""

    title: str
    entries: list[Divergence] = field(default_factory=list)

    def entry(
        self,
        id: str,
        title: str,
        *,
        kind: str,
        port: str,
        references: tuple[str, ...] = (),
        upstream: str = "",
        needs: str = "",
        date: str = DATE,
        versions: Mapping[str, str] = VERSIONS,
        **frameworks: str,
    ) -> Divergence:
        """Another entry; what each framework does is said under its name."""
        made = Divergence(
            self.title,
            id,
            title,
            kind,
            frameworks=frameworks,
            port=port,
            references=references,
            upstream=upstream,
            needs=needs,
            date=date,
            versions=versions,
        )
        self.entries.append(made)
        return made
