"""Each error that a public function's docstring names is raised where it says so."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convparity as cp
from parity_tests.support.docstrings import FUNCTIONS, explained

SPEC = cp.Conv(2, 3, 3)
SHAPE = (1, 5, 5, 2)
JOIN = cp.Add()  # of no number of values
WEIGHTS = cp.init_weights(SPEC, 0)
X = np.ones(SHAPE)
MISFIT = np.ones((1, 5, 5, 4))
NO_BIAS = {"kernel": WEIGHTS["kernel"]}
HUGE = cp.Dense(2**20, 2**20)  # beyond the limit
LARGE = {**WEIGHTS, "bias": np.full(3, 1e38)}  # beyond float16


def module(value: float = 1.0) -> Any:
    import torch

    found = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(found.weight, value)
    return found


def tensor(*shape: int) -> Any:
    import torch

    return torch.ones(*shape)


def unreadable() -> Any:
    import torch

    return torch.nn.LSTM(2, 2)


def port(spec: cp.Spec, weights: Any, x: np.ndarray) -> np.ndarray:
    return cp.reference(spec, weights, x)


def broken(*given: Any) -> np.ndarray:
    raise RuntimeError("of its own")


def case(*layers: cp.Spec) -> tuple[cp.Spec, Any]:
    spec = cp.Sequential(*layers)
    return spec, cp.init_weights(spec, 0)


# of a function: the error, and calls that raise it
IN_CORE: dict[str, dict[str, list[Callable[[], Any]]]] = {
    "check": {"UnsupportedError": [lambda: cp.check(X, X, X)]},
    "compare": {
        "InputError": [
            lambda: cp.compare(SPEC),
            lambda: cp.compare(SPEC, input_shape=SHAPE, dtype="int8"),
            lambda: cp.compare(SPEC, input_shape=SHAPE, frameworks="theano"),
        ],
        "SpecError": [lambda: cp.compare(SPEC, x=MISFIT)],
    },
    "compare_callables": {
        "InputError": [
            lambda: cp.compare_callables(X, abs, SHAPE),
            lambda: cp.compare_callables(broken, abs, SHAPE),
            lambda: cp.compare_callables(lambda x: "text", abs, SHAPE),
            lambda: cp.compare_callables(abs, abs, SHAPE, seed=-1),
        ],
        "SpecError": [lambda: cp.compare_callables(abs, abs, "5x5")],
    },
    "convert": {"UnsupportedError": [lambda: cp.convert(X, to="keras")]},
    "describe": {"UnsupportedError": [lambda: cp.describe(X)]},
    "diagnose": {
        "UnsupportedError": [lambda: cp.diagnose(port, JOIN, input_shape=SHAPE)],
        "InputError": [
            lambda: cp.diagnose(port, SPEC),
            lambda: cp.diagnose(X, SPEC, x=X),
            lambda: cp.diagnose(7, SPEC, x=X),
            lambda: cp.diagnose(broken, SPEC, x=X),
            lambda: cp.diagnose(port, SPEC, x=X, seconds=-1),
        ],
        "SpecError": [lambda: cp.diagnose(port, SPEC, x=MISFIT)],
        "WeightError": [lambda: cp.diagnose(port, SPEC, NO_BIAS, X)],
    },
    "dump": {"UnsupportedError": [lambda: cp.dump(X)]},
    "first_divergence": {
        "InputError": [
            lambda: cp.first_divergence((SPEC, WEIGHTS), (SPEC, WEIGHTS)),
            lambda: cp.first_divergence((SPEC, WEIGHTS), (SPEC, WEIGHTS), X, dtype="int8"),
            lambda: cp.first_divergence(case(SPEC), case(SPEC, cp.Conv(3, 3, 1)), X),
        ],
        "UnsupportedError": [lambda: cp.first_divergence(X, (SPEC, WEIGHTS), X)],
        "SpecError": [lambda: cp.first_divergence((SPEC, WEIGHTS), (SPEC, WEIGHTS), MISFIT)],
        "WeightError": [lambda: cp.first_divergence((SPEC, NO_BIAS), (SPEC, WEIGHTS), X)],
    },
    "from_json": {
        "SpecError": [lambda: cp.from_json("{"), lambda: cp.from_json('{"type": "Cnov"}')]
    },
    "from_line": {"SpecError": [lambda: cp.from_line("conv2d c3>8 k3 smae")]},
    "init_weights": {
        "SpecError": [lambda: cp.init_weights(cp.Conv, 0)],
        "InputError": [lambda: cp.init_weights(SPEC, -1), lambda: cp.init_weights(HUGE, 0)],
    },
    "judge": {
        "UnsupportedError": [lambda: cp.judge(port, JOIN, input_shape=SHAPE)],
        "InputError": [
            lambda: cp.judge(X, SPEC, x=X),
            lambda: cp.judge(broken, SPEC, x=X),
            lambda: cp.judge(lambda *given: "text", SPEC, x=X),
            lambda: cp.judge(port, SPEC),
            lambda: cp.judge(port, SPEC, x=X, dtype="int8"),
        ],
        "SpecError": [lambda: cp.judge(port, SPEC, x=MISFIT)],
        "WeightError": [lambda: cp.judge(port, SPEC, NO_BIAS, X)],
    },
    "layer_costs": {"SpecError": [lambda: cp.layer_costs(SPEC, MISFIT.shape)]},
    "load": {"WeightError": [lambda: cp.load("nothing.safetensors"), lambda: cp.load(__file__)]},
    "output_shape": {
        "SpecError": [
            lambda: cp.output_shape(SPEC, (1, 5, 2)),
            lambda: cp.output_shape(SPEC, MISFIT.shape),
            lambda: cp.output_shape(SPEC, (1, 2, 2, 2)),
        ]
    },
    "parameter_shapes": {"SpecError": [lambda: cp.parameter_shapes(cp.Conv)]},
    "reference": {
        "SpecError": [lambda: cp.reference(SPEC, WEIGHTS, MISFIT)],
        "WeightError": [
            lambda: cp.reference(SPEC, NO_BIAS, X),
            lambda: cp.reference(SPEC, {**WEIGHTS, "bias": np.ones(4)}, X),
            lambda: cp.reference(SPEC, {**WEIGHTS, "bias": np.full(3, np.nan)}, X),
        ],
        "InputError": [
            lambda: cp.reference(SPEC, WEIGHTS, "text"),
            lambda: cp.reference(HUGE, {}, np.ones((1, 2**20))),
        ],
    },
    "save": {
        "SpecError": [lambda: cp.save("x.safetensors", cp.Conv, WEIGHTS)],
        "WeightError": [lambda: cp.save("x.safetensors", SPEC, NO_BIAS)],
        "InputError": [
            lambda: cp.save("no/such/folder/x.safetensors", SPEC, WEIGHTS),
            lambda: cp.save("x.h5", SPEC, WEIGHTS),
        ],
    },
    "to_json": {"SpecError": [lambda: cp.to_json(cp.Conv)]},
    "to_line": {"SpecError": [lambda: cp.to_line(cp.Conv), lambda: cp.to_line(SPEC, "5x5")]},
    "total_cost": {"SpecError": [lambda: cp.total_cost(SPEC, MISFIT.shape)]},
}
WITH_FRAMEWORKS: dict[str, dict[str, list[Callable[[], Any]]]] = {
    "apply": {
        "SpecError": [lambda: cp.apply(SPEC, WEIGHTS, MISFIT, framework="flax")],
        "WeightError": [
            lambda: cp.apply(SPEC, NO_BIAS, X, framework="flax"),
            lambda: cp.apply(SPEC, LARGE, X, framework="flax", dtype="float16"),
        ],
        "UnsupportedError": [
            lambda: cp.apply(SPEC, WEIGHTS, X, framework="flax", device="gpu:77"),
            lambda: cp.apply(SPEC, WEIGHTS, X, framework="flax", dtype="int8"),
        ],
        "InputError": [
            lambda: cp.apply(SPEC, WEIGHTS, "text", framework="flax"),
            lambda: cp.apply(SPEC, WEIGHTS, X, framework="theano"),
            lambda: cp.apply(HUGE, {}, np.ones((1, 2**20)), framework="flax"),
        ],
    },
    "build": {
        "SpecError": [lambda: cp.build(cp.Conv, framework="flax")],
        "WeightError": [
            lambda: cp.build(SPEC, NO_BIAS, framework="flax"),
            lambda: cp.build(SPEC, LARGE, framework="flax", dtype="float16"),
        ],
        "UnsupportedError": [
            lambda: cp.build(SPEC, framework="flax", device="gpu:77"),
            lambda: cp.build(SPEC, framework="flax", dtype="int8"),
        ],
        "InputError": [
            lambda: cp.build(SPEC, framework="theano"),
            lambda: cp.build(SPEC, framework="flax", algorithm="fast"),
            lambda: cp.build(HUGE, framework="flax"),
        ],
    },
    "check": {
        "InputError": [
            lambda: cp.check(module(), module(), tensor(1, 3)),
            lambda: cp.check(module(), module(), "text"),
        ]
    },
    "compare": {
        "WeightError": [lambda: cp.compare(SPEC, NO_BIAS, "flax", X)],
        "UnsupportedError": [lambda: cp.compare(SPEC, frameworks="flax", x=X, device="gpu:77")],
    },
    "convert": {
        "UnsupportedError": [lambda: cp.convert(unreadable(), to="keras")],
        "InputError": [
            lambda: cp.convert(module(), to="theano"),
            lambda: cp.convert(module(), to="keras", inputs="text"),
        ],
        "WeightError": [lambda: cp.convert(module(np.nan), to="keras")],
    },
    "describe": {
        "UnsupportedError": [lambda: cp.describe(unreadable())],
        "InputError": [lambda: cp.describe(module(), inputs=(tensor(1, 2), tensor(1, 2)))],
        "WeightError": [lambda: cp.describe(module(np.inf))],
    },
    "dump": {
        "UnsupportedError": [lambda: cp.dump(unreadable())],
        "WeightError": [lambda: cp.dump(module(np.nan))],
    },
    "first_divergence": {
        "UnsupportedError": [lambda: cp.first_divergence(module(), unreadable(), np.ones((1, 2)))],
    },
}
# with a framework that seems not to be installed
WITHOUT: dict[str, tuple[str, Callable[[], Any]]] = {
    "apply": ("flax", lambda: cp.apply(SPEC, WEIGHTS, X, framework="flax")),
    "build": ("flax", lambda: cp.build(SPEC, framework="flax")),
    "compare": ("flax", lambda: cp.compare(SPEC, frameworks="flax", x=X)),
    "convert": ("keras", lambda: cp.convert(module(), to="keras")),
    "load": ("torch", lambda: cp.load("released.pth")),
}


def calls(table: dict[str, dict[str, list[Callable[[], Any]]]]) -> list[Any]:
    return [
        pytest.param(getattr(cp, error), call, id=f"{name}-{error}-{number}")
        for name, errors in table.items()
        for error, each in errors.items()
        for number, call in enumerate(each)
    ]


@pytest.mark.parametrize(("error", "call"), calls(IN_CORE))
def test_it_is_raised(
    error: type[Exception],
    call: Callable[[], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error


@pytest.mark.frameworks
@pytest.mark.parametrize(("error", "call"), calls(WITH_FRAMEWORKS))
def test_it_is_raised_with_frameworks(error: type[Exception], call: Callable[[], Any]) -> None:
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error


@pytest.mark.frameworks
@pytest.mark.parametrize("name", WITHOUT)
def test_a_missing_framework_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed, (missing, call) = importlib.metadata.version, WITHOUT[name]

    def version(distribution: str) -> str:
        if distribution == missing:
            raise importlib.metadata.PackageNotFoundError(distribution)
        return installed(distribution)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.chdir(tmp_path)
    Path("released.pth").write_bytes(b"PK")
    with pytest.raises(cp.FrameworkUnavailable, match=missing):
        call()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
def test_every_error_that_is_named_is_here(function: Callable[..., Any]) -> None:
    name = function.__name__
    raised = {**IN_CORE.get(name, {}), **WITH_FRAMEWORKS.get(name, {})}
    missing = ["FrameworkUnavailable"] if name in WITHOUT else []
    assert {*explained(function)["Raises"]} == {*raised, *missing}
