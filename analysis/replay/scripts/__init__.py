"""Stand-alone scripts that show one case in one framework, for a bug report to its maintainers."""

from convparity.analysis.replay.replay import Replay
from convparity.analysis.replay.scripts.writer import UNPACK, Script, Value, declaration, verdict
from convparity.impls import registry
from convparity.impls.errors import InputError
from convparity.impls.spec import Composite
from convparity.impls.values import named_parts, parts

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
    out = Script(isinstance(case.spec, Composite), writer.concat)
    inputs = dict(zip(_names("x", len(parts(x))), parts(x), strict=True))
    start = [f"{name} = {writer.TENSOR.format(name)}" for name in inputs]
    values = [Value(name, array.shape) for name, array in inputs.items()]
    if len(values) == 1:  # it is the first y
        start = [f"y = {writer.TENSOR.format('x')}"]
        out.held = values[0]
        out.held.variable = "y"
    made = out.write(case.spec, weights, values, writer.write_layer)
    endings, exact = [], True
    ends = zip(parts(made), named_parts(case.target()).items(), strict=True)
    for end, (name, target) in ends:
        ending, bits = verdict(target, writer.native, writer.axes(target.value.ndim))
        said = f"\n# the output {name}\n" if name else ""
        endings.append(f"{said}got = {writer.NUMPY.format(end.variable)}\n{ending}")
        exact &= bits
    wanted = "the expected bits" if exact else "what rounding to float32 explains"
    arrays = [
        *(
            declaration(name, writer.native(array), writer.axes(array.ndim))
            for name, array in inputs.items()
        ),
        *(declaration(name, array, axes) for name, (array, axes) in out.arrays.items()),
    ]
    body = "\n".join([*arrays, "", *writer.start(out), *start, *out.lines])
    ending = "".join(endings)
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


def _names(name: str, number: int) -> list[str]:
    """One name, or so many numbered ones."""
    return [name] if number == 1 else [f"{name}_{i}" for i in range(number)]


def _too_large(size: str) -> InputError:
    return InputError(
        f"the script would be too large for a bug report ({size}; a GitHub issue holds {LIMIT} "
        "characters): give a smaller input, or fewer channels"
    )
