"""Stand-alone scripts that show one case in one framework, for a bug report to its maintainers."""

from convparity.analysis.replay.replay import Replay
from convparity.analysis.replay.scripts.writer import UNPACK, Script, declaration, verdict
from convparity.impls import registry
from convparity.impls.errors import InputError
from convparity.impls.spec import Composite

LIMIT = 65_536  # characters: what a GitHub issue holds
_WORDS = {"ints": "small integers", "reals": "normally distributed numbers"}


def write_script(case: Replay, framework: str) -> str:
    """A Python script that runs ``case`` with NumPy and ``framework`` alone.

    It holds its data and the expected output, makes the plain framework calls, and ends with exit
    status 1 if their output is not the expected one. Raises ``InputError`` if the script would be
    too large for a bug report, and ``UnsupportedError`` for a framework that has no ``script.py``.
    """
    writer = registry.script(framework)
    if (size := case.size()) > LIMIT:
        raise _too_large(f"{size} numbers")
    weights, x = case.case()
    out = Script(isinstance(case.spec, Composite))
    out.write(case.spec, weights, x.shape, writer.write_layer)
    target = case.target()
    ending, exact = verdict(target, writer.native, writer.axes(target.value.ndim))
    wanted = "the expected bits" if exact else "what rounding to float32 explains"
    arrays = [
        declaration("x", writer.native(x), writer.axes(x.ndim)),
        *(declaration(name, array, axes) for name, (array, axes) in out.arrays.items()),
    ]
    body = "\n".join([*arrays, "", *writer.start(out), *out.lines, writer.END])
    packed = "unpack(" in body + ending
    imports = "import base64\n\n" if packed else ""
    text = f'''"""A case for {writer.PACKAGE}: {_WORDS[case.data]}, against a float64 reference.

    {case}

Needs NumPy and {writer.PACKAGE} alone.
Exit status 0: {writer.PACKAGE} gives {wanted}; 1: it does not.
"""

{imports}{writer.IMPORTS}{UNPACK if packed else ""}
{body}
{ending}'''
    if len(text) > LIMIT:
        raise _too_large(f"{len(text)} characters")
    return text


def _too_large(size: str) -> InputError:
    return InputError(
        f"the script would be too large for a bug report ({size}; a GitHub issue holds {LIMIT} "
        "characters): give a smaller input, or fewer channels"
    )
