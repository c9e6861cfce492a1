"""The script of a case, run: it passes where the framework is right, and nowhere else."""

import subprocess
import sys

import pytest

from convparity import (
    Concat,
    Conv,
    Dense,
    GlobalAvgPool,
    Graph,
    Multiply,
    Subtract,
    UnsupportedError,
)
from convparity.analysis.replay.replay import Replay, parse
from convparity.analysis.replay.scripts import write_script
from convparity.impls.notation.json_form import TYPES
from convparity.impls.registry import FRAMEWORKS
from convparity.impls.spec import Composite, Layer, walk
from parity_tests.support.graphs import ONE_OF_TUPLE, SHARED, TUPLE, TWO
from parity_tests.support.lines import GOLDEN

BOTH = Graph(  # every join, a value that is taken late, and a layer that runs again
    {
        "c": (Conv(2, 2, 1), "x"),
        "less": (Subtract(), "x", "c"),
        "more": (Subtract(), "c", "x"),
        "gate": (GlobalAvgPool(), "less"),
        "again": ("c", "less"),
        "three": (Multiply(), "again", "more", "x"),
        "wide": (Concat(1), "three", "c"),
        "both": (Concat(), "wide", "wide"),
        "pooled": (GlobalAvgPool(), "both"),
        "end": (Concat(), "pooled", "gate", "pooled"),
    }
)
GIVEN_BACK = Graph(  # an input is an output, and one value two of them
    {"d": (Dense(3, 3), "u"), "less": (Subtract(), "d", "v")},
    inputs=("u", "v"),
    outputs={"first": "less", "input": "v", "second": "less"},
)
JOINED = [  # several inputs and outputs, inside and outside
    str(Replay(spec, shape, data, 1))
    for spec, shape in (
        (BOTH, (2, 3, 4, 2)),
        (SHARED, (1, 3, 2, 3)),
        (TWO, ((1, 3, 2, 3), (1, 3, 2, 4))),
        (TUPLE, (1, 3, 2, 3)),
        (ONE_OF_TUPLE, (1, 3, 2, 3)),
        (GIVEN_BACK, ((2, 3), (2, 3))),
    )
    for data in ("ints", "reals")
]
LINES = [  # with GOLDEN, every kind of layer, and every detour of one framework or another
    "conv2d c2>3 k3 s2 d2 same hw7x8 ints:1",
    "conv2d c2>3 k3 p4 circular hw3 ints:2",
    "conv2d c3>2 k3 hw30 ints:3",
    "depthwise2d c3 k3 s2 d2 same hw7x6 ints:4",
    "depthwise3d c2 k2 s2 m3 same dhw4x3x5 ints:5",
    "transpose2d c2>3 k3 s2 d2 p1:2x0:1 op1 nobias hw4 ints:6",
    "transpose2d c4>6 k4 s2 same g2 hw4 ints:7",
    "layernorm c3 hw4 reals:8",
    "groupnorm g2 c4 hw4 ints:9",
    "scale c3 n2 hw4 ints:9",
    "residual( separable2d c4>4 k3 same hw4 | gelu ) | flatten | dropout p0.3 | softmax reals:10",
    "adaptiveavgpool2d o2x3 n2 hw5x4 c3 ints:1",
    "adaptivemaxpool2d o2x3 n2 hw5x4 c3 | gmp ints:1",
    "resize2d to4x9 n2 hw3x5 c2 ints:1",
    "resize2d by2x3 linear hw3x4 c2 reals:2",
    "resize2d to7 linear corners hw3x4 c2 reals:2",
    "rescale scale=0.5 offset=-3.0 n2 hw5x4 c3 | power exponent=3 | power exponent=-2 ints:1",
    "relu n2 hw5x4 c3 | rescale offset=[1.0,0.5,2.0] | power exponent=0.5 reals:1",
    "reduce function=sum axes=1 n2 hw5x4 c3 | reduce function=max axes=-1 keepdims=true ints:1",
    "reduce function=std axes=-1 n2 hw5x4 c3 | reduce function=norm axes=-1 keepdims=true reals:1",
    "reduce function=mean axes=-1 n2 hw5x4 c3 | reduce function=norm1 axes=1 reals:1",
    "reduce function=var axes=1x2 correction=1 n2 hw5x4 c3 reals:1",
    "dense c3>2 n2 hw5x4 ints:1",
    "slice axis=1 start=1 step=2 n2 hw5x4 c3 | slice axis=-1 stop=-1 ints:1",
    "rearrange n,h,w,[g,c]->n,h,w,[c,g] g=2 n2 hw3x4 c6 ints:1",
    "rearrange n,[h,a],[w,b],c->n,h,w,[a,b,c] a=2,b=2 n2 hw4x6 c3 ints:1",
    *JOINED,
    "parameter shape=5x4x3 n2 hw5x4 c3 ints:1",
    "constant values=[0.5,1.0,2.0] shape=1x1x3 n2 hw5x4 c3 ints:2",
    "identity n2 hw5x4 c3 | prelu slopes3 | clamp low-1.0 high2.0 ints:1",
    "maxpoolindices2d k2 p1 n2 hw5x4 c3 ints:1",
    "instancenorm c3 n2 hw5x4 | rmsnorm c3 reals:1",
    "layernorm_over of5x3 axes1x-1 n2 hw5x4 c3 | log_softmax axis1 reals:1",
    "pad p1:-1x2:2 reflect n2 hw5x4 c2 | pad p2:0x0:1 value0.5 ints:1",
]
RUN_ALL = """
import runpy, sys
for path in sys.argv[1:]:
    print(path, flush=True)
    runpy.run_path(path)
"""


def number_of_outputs(spec):
    return len(spec.results) if isinstance(spec, Composite) else 1


def test_no_script_is_written_without_a_bound():
    for framework in FRAMEWORKS:
        with pytest.raises(UnsupportedError, match="no bound is known"):
            write_script(parse("relu c3 hw4 | power exponent=-1 reals:1"), framework)


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )


def test_every_kind_of_layer_is_among_them():
    kinds = {type(layer) for line in GOLDEN + LINES for _, layer in walk(parse(line).spec)}
    assert kinds == {kind for kind in TYPES.values() if issubclass(kind, Layer)}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_scripts_pass(framework, tmp_path):
    paths = [tmp_path / f"{number}.py" for number in range(len(GOLDEN) + len(LINES))]
    for path, line in zip(paths, GOLDEN + LINES, strict=True):
        path.write_text(write_script(parse(line), framework))
    done = run("-c", RUN_ALL, *paths, cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]}\n{done.stderr[-2000:]}"
    outputs = [number_of_outputs(parse(line).spec) for line in GOLDEN + LINES]
    assert done.stdout.count("right: ") == sum(outputs)


@pytest.mark.parametrize(
    ("framework", "data"), [*((name, "ints") for name in FRAMEWORKS), ("pytorch", "reals")]
)
def test_a_script_fails_where_the_framework_does_not_give_the_expected(framework, data, tmp_path):
    script = write_script(parse(f"conv1d c2>3 k2 w4 {data}:1"), framework)
    before, _, after = script.partition("expected = np.array([")
    first, rest = after.split(",", 1)
    wrong = str(float(first) * (1 + 1e-4) + 1e-4)  # as little as TF32 would change it
    path = tmp_path / "case.py"
    path.write_text(f"{before}expected = np.array([{wrong},{rest}")
    done = run(path, cwd=tmp_path)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert "expected" in done.stderr
    assert "right: " not in done.stdout
    assert "numpy " in done.stdout
