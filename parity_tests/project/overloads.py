"""Writes ``impls/overloads.py``: what ``build`` and ``convert`` return, by the framework's name.

python -m parity_tests.project.overloads
"""

from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.root import ROOT

PAGE = ROOT / "impls" / "overloads.py"

HEAD = '''\
"""What ``build`` and ``convert`` return, by the framework's name: for type checkers alone.

Written by ``python -m parity_tests.project.overloads`` from the rows of the registry.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, overload

import numpy as np

from convparity.impls.spec import Spec

if TYPE_CHECKING:
{imports}

'''

BUILD = """
    @overload
    def __call__(
        self,
        spec: Spec,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        framework: {name},
        device: str = "cpu",
        dtype: str = "float32",
        algorithm: str = "auto",
    ) -> {returned}: ...
"""

CONVERT = """
    @overload
    def __call__(
        self, module: Any, to: {name}, inputs: Any = None, share: bool = False
    ) -> {returned}: ...
"""

TAIL = '''

def typed_build(function: Callable[..., Any]) -> Build:
    """The function itself, with the type of ``build``."""
    return cast(Build, function)


def typed_convert(function: Callable[..., Any]) -> Convert:
    """The function itself, with the type of ``convert``."""
    return cast(Convert, function)
'''


def page() -> str:
    """The whole file."""
    packages = sorted(row.module.rpartition(".")[0] for row in FRAMEWORKS.values())
    text = HEAD.format(imports="\n".join(f"    import {package}" for package in packages))
    rows = [(f'Literal["{row.name}"]', f'"{row.module}"') for row in FRAMEWORKS.values()]
    for title, call in (("Build", BUILD), ("Convert", CONVERT)):
        calls = "".join(call.format(name=n, returned=r) for n, r in [*rows, ("str", "Any")])
        text += f'class {title}(Protocol):\n    """The type of ``{title.lower()}``."""\n{calls}\n\n'
    return text.rstrip("\n") + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
