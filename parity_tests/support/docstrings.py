"""The public functions, and what their docstrings explain."""

import inspect
import re
from typing import Any

import convparity

ORDER = ("Args", "Attributes", "Shapes", "Returns", "Raises", "Example")

PUBLIC = {name: getattr(convparity, name) for name in convparity.__all__ if name != "__version__"}
FUNCTIONS = [thing for thing in PUBLIC.values() if not inspect.isclass(thing)]


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section, less their indentation."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in inspect.cleandoc(text).splitlines():
        if line.removesuffix(":") in ORDER:
            lines = found.setdefault(line.removesuffix(":"), [])
        elif line and not line.startswith(" "):
            lines = []  # of a paragraph that is no section
        else:
            lines.append(line.removeprefix("    "))
    return found


def entries(lines: list[str]) -> list[str]:
    """What a section explains, in order: ``name: text``, and more lines that are indented."""
    heads = [line for line in lines if line and not line.startswith(" ")]
    return [re.sub(r"^\*{0,2}([\w.]+): \S.*$", r"\1", head) for head in heads]


def explained(thing: Any) -> dict[str, list[str]]:
    """What each section of a docstring explains."""
    return {name: entries(lines) for name, lines in sections(inspect.getdoc(thing) or "").items()}
