"""A framework with a fault is wrong where the fault is, and right everywhere else."""

import numpy as np
import pytest

import convparity
from convparity import Conv, Sequential, UnsupportedError, init_weights, reference
from convparity.analysis.proof.compare import compare
from convparity.analysis.proof.data import integer_case
from convparity.impls import registry
from convparity.impls.adapter import Placement
from parity_tests.support import numpy_framework
from parity_tests.support.asserts import assert_precision, assert_structure
from parity_tests.support.fakes import FakeAdapter
from parity_tests.support.faults import CONTROL, FAULTS
from parity_tests.support.numpy_framework import NumpyAdapter
from parity_tests.support.seeded_adapter import Outputs, SeededAdapter, installed, level_of
from parity_tests.support.strategies import Case

LAYER = Case(Conv(4, 4, 3, 2, "same"), (2, 8, 6, 4), 17)
NETWORK = LAYER._replace(spec=Sequential(LAYER.spec, Conv(4, 2, 1)))


def seeded(fault: str | None, level: str | None = None) -> SeededAdapter:
    known = None if fault is None else FAULTS[fault]
    return SeededAdapter(Outputs(FakeAdapter("pytorch")), known, level)


@pytest.mark.parametrize("case", [LAYER, NETWORK], ids=["layer", "network"])
def test_without_a_fault_it_is_right(case: Case) -> None:
    assert_structure(case, [seeded(None)])
    assert_precision(case, [seeded(None)])


@pytest.mark.parametrize("case", [LAYER, NETWORK], ids=["layer", "network"])
def test_with_one_it_is_wrong(case: Case) -> None:
    for check in (assert_structure, assert_precision):
        with pytest.raises(AssertionError, match=r"wrong|differ"):
            check(case, [seeded("padding-03")])


def test_at_one_level_alone() -> None:
    assert (level_of(LAYER.spec), level_of(NETWORK.spec)) == ("layer", "network")
    assert_structure(LAYER, [seeded("padding-03", "network")])
    assert_structure(NETWORK, [seeded("padding-03", "layer")])


@pytest.mark.parametrize("case", [LAYER, NETWORK], ids=["layer", "network"])
def test_the_control_is_not_seen(case: Case) -> None:
    adapter = seeded(CONTROL)
    for seed in range(30):
        assert_structure(case._replace(seed=seed), [adapter])
        assert_precision(case._replace(seed=seed), [adapter])
    assert adapter.seeded == 60


def test_what_the_framework_refuses_is_no_port_of_it() -> None:
    class Refusing(FakeAdapter):
        def forward(self, module, x):
            if module[0] != LAYER.spec:
                raise UnsupportedError("cannot")
            return super().forward(module, x)

    adapter = SeededAdapter(Outputs(Refusing("pytorch")), FAULTS["padding-03"])
    assert_structure(LAYER, [adapter])
    assert adapter.seeded == 0


def test_it_answers_for_its_framework() -> None:
    weights, x = integer_case(*LAYER)
    right, adapter = registry.get, seeded("padding-03")
    with installed(adapter):
        assert registry.get("pytorch") is adapter
        y = convparity.apply(LAYER.spec, weights, x, framework="pytorch")
    assert registry.get is right
    faulty = FAULTS["padding-03"].seed(LAYER.spec, x.shape)
    np.testing.assert_array_equal(y, faulty.output(reference, weights, x))


def test_right_outputs_are_kept_and_copied() -> None:
    outputs = Outputs(FakeAdapter("pytorch"))
    weights, x = integer_case(*LAYER)
    place = Placement()
    first = outputs(LAYER.spec, weights, x, place)
    first += 1
    assert len(outputs.known) == 1
    np.testing.assert_array_equal(outputs(LAYER.spec, weights, x, place), first - 1)
    moved = {**weights, "bias": weights["bias"] + 1}
    np.testing.assert_array_equal(outputs(LAYER.spec, moved, x, place), first)
    assert len(outputs.known) == 2


def test_a_layer_inside_a_network_is_wrong_as_well() -> None:
    chain = NETWORK.spec
    weights = init_weights(chain, 3)
    adapter = SeededAdapter(Outputs(NumpyAdapter()), FAULTS["padding-03"], "network")
    with numpy_framework.installed(), installed(adapter):
        [verdict] = compare(chain, weights, [adapter.name], input_shape=LAYER.input_shape)
    assert verdict.structure.status == "wrong"
    assert verdict.structure.layer == "0"


# ---------------------------------------------------------------- real frameworks


@pytest.mark.frameworks
@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("parameters-05", "count"),
        ("parameters-10", "dump"),
        ("parameters-13", "load"),
        ("gradient-02", "backward"),
        ("gradient-11", "train"),
    ],
)
def test_one_operation_is_wrong_and_the_others_are_right(fault: str, what: str) -> None:
    spec = Conv(2, 3, 3, bias=fault != "parameters-05")
    case = Case(spec, (2, 4, 4, 2), 5)
    weights, x = integer_case(*case)
    cotangent = reference(spec, weights, x).astype(np.float32)
    found = []
    for adapter in (seeded_pytorch(None), seeded_pytorch(fault)):
        module = adapter.build(spec, convparity.init_weights(spec, 1))
        dumped = adapter.dump(module)
        adapter.load(module, weights)
        answers = {
            "forward": adapter.apply(module, spec, x),
            "count": adapter.count(module),
            "dump": dumped,
            "load": adapter.real.dump(module.native),
            "backward": adapter.backward(module, x, cotangent)[1],
        }
        adapter.real.load(module.native, weights)
        adapter.train(module, x, cotangent, rate=0.5, decay=0.5)
        found.append({**answers, "train": adapter.real.dump(module.native)})
    right, wrong = found
    different = {name for name in right if not _same(right[name], wrong[name])}
    # a module that was loaded wrongly computes wrongly
    assert different == ({what, "forward"} if what == "load" else {what})


def seeded_pytorch(fault: str | None) -> SeededAdapter:
    known = None if fault is None else FAULTS[fault]
    return SeededAdapter(Outputs(registry.get("pytorch")), known)


def _same(a: object, b: object) -> bool:
    if isinstance(a, dict):
        return all(np.array_equal(a[name], b[name]) for name in a)
    return np.array_equal(a, b)
