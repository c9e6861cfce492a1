"""A case in one line: a spec, the shape of its input, and the data on which it is judged.

The line is that of ``convparity.impls.notation``, and a last word for the data::

    conv2d c4>8 k3x2 s2x1 d1x2 same g2 hw7x9 ints:17
    {"type": "Conv", ..., "input_shape": [1, 7, 9, 4], "data": "ints:17"}

``ints:SEED`` is ``proof.data.integer_case`` (at ``exact_shape``) and judges the structure;
``reals:SEED`` is ``real_case`` and judges the precision. Both say the same data wherever they run.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from convparity.analysis.proof.compare import Precision, Structure, precision, structure
from convparity.analysis.proof.data import Case, exact_shape, integer_case, real_case, traced
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.errors import SpecError, quoted
from convparity.impls.limits import check_work
from convparity.impls.notation import from_line, to_line
from convparity.impls.notation.json_form import loads, readable_depth, shortened
from convparity.impls.spec import Shapes, Spec, each_shape, output_shape, parameter_shapes
from convparity.impls.values import check_no_join, gives_several, parts
from convparity.impls.weights import Weights

_DATA = re.compile("(ints|reals):(0|[1-9][0-9]{0,18})")
PASSES = 16  # over a case, until it is judged
_EXAMPLE = "ints:17 (small integers, seed 17) or reals:17"


class Replay(NamedTuple):
    """What a line says; ``str(replay)`` is the line."""

    spec: Spec
    input_shape: Shapes
    data: str  # "ints" or "reals"
    seed: int

    def __str__(self) -> str:
        line, word = to_line(self.spec, self.input_shape), f"{self.data}:{self.seed}"
        if line.startswith("{"):
            return json.dumps({**json.loads(line), "data": word})
        return f"{line} {word}"

    def size(self) -> int:
        """How many numbers the case has: the input, the weights and the output."""
        shapes = each_shape(self.input_shape)
        made = output_shape(self.spec, *shapes)
        outputs = parts(made) if gives_several(self.spec) else (made,)
        weights = parameter_shapes(self.spec).values()
        return sum(map(math.prod, (*shapes, *outputs, *weights)))

    def case(self) -> Case:
        """The canonical weights and the float32 input, or a tuple of those of a graph."""
        if self.data == "reals":
            return real_case(self.spec, self.input_shape, self.seed)
        return integer_case(self.spec, exact_shape(self.spec, self.input_shape), self.seed)

    def target(self) -> Any:
        """The float64 reference's output, or all of several, and what rounding may make of it."""
        return traced(self.spec, *self.case())


def parse(line: str) -> Replay:
    """The case that a line says. Raises ``SpecError``, which names the word that is wrong.

    ``UnsupportedError``, where the spec is a join alone.
    """
    spec_line, word = _split(line.strip())
    match = _DATA.fullmatch(word)
    if match is None:
        raise SpecError(f"the data of a case are {_EXAMPLE}, as its last word, not {quoted(word)}")
    spec, shape = from_line(spec_line)
    if shape is None:
        raise SpecError(
            "the size of the input is missing: the first layer says it, hw7x9 for one (dense: n1)"
        )
    check_no_join("replay", spec)
    # raises where the input does not fit the spec, too; data are drawn until they can tell
    check_work(spec, *each_shape(shape), passes=PASSES)
    return Replay(spec, shape, match[1], int(match[2]))


@readable_depth()
def _split(line: str) -> tuple[str, str]:
    """The line without its data, and the word that says them."""
    if not line.startswith("{"):
        *before, word = line.rsplit(None, 1) or [""]
        return "".join(before), shortened(word)
    data = loads(line)
    word = data.pop("data", "")
    if not isinstance(word, str):
        raise SpecError(f'"data" is {_EXAMPLE}, not {shortened(word)}')
    return json.dumps(data), shortened(word)


def judge(case: Replay, frameworks: Iterable[str]) -> dict[str, Structure | Precision]:
    """The verdict on each framework, on the CPU in float32: structure of ints, else precision."""
    adapters = [registry.get(name) for name in frameworks]  # a missing one fails before any work
    weights, x = case.case()
    target = case.target()
    verdict = structure if case.data == "ints" else precision
    return {
        adapter.name: verdict(_output(adapter, case.spec, weights, x), target)
        for adapter in adapters
    }


def _output(adapter: Adapter, spec: Spec, weights: Weights, x: Any) -> Any:
    return adapter.apply(adapter.build(spec, weights), spec, x)
