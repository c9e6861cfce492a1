"""All that one can do with a layer, of two that ``new_layer`` puts into a copy of the project."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

import convparity as cp
from convparity import Activation, Conv, Dense, GlobalAvgPool, Residual, Sequential, Shift
from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.replay.replay import judge, parse
from convparity.analysis.replay.scripts import write_script
from convparity.impls import registry
from convparity.impls.errors import UnsupportedError

FRAMEWORKS = tuple(registry.FRAMEWORKS)
SHAPE = (2, 9, 8, 3)
NETWORK = Sequential(
    {
        "stem": Conv(3, 4, 3),
        "shift": Shift(4),
        "act": Activation("hard_tanh"),
        "block": Residual(Sequential(Conv(4, 4, 1), Activation("relu"))),
        "head": Sequential(GlobalAvgPool(), Dense(4, 2)),
    }
)
SPECS = (Shift(3), Activation("hard_tanh"), NETWORK)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """The same names, and the same bits."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def forms(spec: cp.Spec) -> None:
    """As text, as a file, and what it costs."""
    assert cp.from_json(cp.to_json(spec)) == spec
    assert cp.from_line(cp.to_line(spec, SHAPE)) == (spec, SHAPE)
    weights = cp.init_weights(spec, 1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        cp.save(path, spec, weights)
        read, found = cp.load(path)
    assert read == spec
    assert same(found, weights)
    cost = cp.total_cost(spec, SHAPE)
    assert cost.parameters == sum(array.size for array in weights.values())


def native(spec: cp.Spec) -> None:
    """Built, read, converted, run and proved in each framework; and their gradients."""
    weights = cp.init_weights(spec, 1)
    rng = np.random.default_rng(1)
    x = rng.standard_normal(SHAPE).astype(np.float32)
    for name in FRAMEWORKS:
        module = cp.build(spec, weights, framework=name)
        assert cp.describe(module) == spec
        assert same(cp.dump(module), weights)
        for other in FRAMEWORKS if spec is NETWORK else (name,):
            twin = cp.convert(module, to=other)
            assert same(cp.dump(twin), weights)
            if spec is NETWORK and name == "pytorch" != other:
                seen = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
                answer = cp.check(module, twin, seen)
                assert answer.ok, answer
        y = cp.apply(spec, weights, x, framework=name)
        target = trace(spec, weights, exact_input(x))
        assert (abs(y - target.value) <= target.bound).all()
        g = rng.standard_normal(y.shape).astype(np.float32)
        by_x, by_weight = registry.get(name).backward(module, x, g)
        if spec is not NETWORK:
            right = adjoint(spec, weights, [x.astype(np.float64)], g.astype(np.float64))
            for got, wanted in ((by_x, right.inputs[0]), *zip_by_name(by_weight, right.weights)):
                np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    for verdict in cp.compare(spec, input_shape=SHAPE):
        assert verdict.ok, verdict


def zip_by_name(
    a: dict[str, np.ndarray], b: dict[str, np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The arrays of both, pairwise."""
    assert a.keys() == b.keys()
    return [(a[name], b[name]) for name in a]


def faults() -> None:
    """A wrong layer is found, and never called right."""
    right = cp.init_weights(NETWORK, 1)
    wrong = {**right, "shift.amount": right["shift.amount"][::-1].copy()}
    found = cp.first_divergence((NETWORK, wrong), (NETWORK, right), input_shape=SHAPE)
    assert found.first is not None
    assert found.first.path == "shift"

    def left_out(spec: cp.Spec, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        without = {name: 0 * w if name.endswith("amount") else w for name, w in weights.items()}
        return cp.reference(spec, without, x).astype(np.float32)

    def port(spec: cp.Spec, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        return cp.reference(spec, weights, x).astype(np.float32)

    for spec in (Shift(3), NETWORK):
        assert cp.judge(port, spec, input_shape=SHAPE).ok
        verdict = cp.judge(left_out, spec, input_shape=SHAPE)
        assert verdict.status == "wrong", verdict
        diagnosis = cp.diagnose(left_out, spec, input_shape=SHAPE, seconds=3)
        assert not diagnosis.right
        assert cp.diagnose(port, spec, input_shape=SHAPE, seconds=3).right


def not_tested() -> None:
    """What nobody said is an error that names it, or not tested, by name: never an answer."""
    closed = Sequential(Conv(3, 4, 1), Residual(Sequential(Conv(4, 4, 1), Shift(4))))

    def port(spec: cp.Spec, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        return cp.reference(spec, weights, x).astype(np.float32)

    verdict = cp.judge(port, closed, input_shape=SHAPE)
    assert verdict.status == "not tested", verdict
    assert "no way is known to close a branch that ends in Shift" in str(verdict)
    for line, name in (("shift num_features=3", "Shift"), ("hard_tanh c3", "hard_tanh")):
        case = parse(f"{line} hw5x4 ints:3")
        assert all(verdict.ok for verdict in judge(case, FRAMEWORKS).values())
        for framework in FRAMEWORKS:
            with pytest.raises(UnsupportedError, match=f"no script is known for .*{name}"):
                write_script(case, framework)


if __name__ == "__main__":
    for spec in SPECS:
        forms(spec)
        native(spec)
    faults()
    not_tested()
    print("all of it works")
