"""Unknown names, and frameworks that are missing or too old: an error of ours says what to do."""

import importlib.metadata

import numpy as np
import pytest

import convparity
from convparity import Conv, FrameworkUnavailable, InputError, UnsupportedError, init_weights
from convparity.analysis.proof.compare import compare
from convparity.analysis.replay.replay import parse
from convparity.analysis.replay.scripts import write_script
from convparity.impls import networks, registry
from convparity.impls.errors import unknown_name

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)
X = np.ones((1, 5, 5, 2))

# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "call",
    [
        lambda name: convparity.build(SPEC, WEIGHTS, framework=name),
        lambda name: convparity.apply(SPEC, WEIGHTS, X, framework=name),
        lambda name: compare(SPEC, input_shape=X.shape, frameworks=[name]),
    ],
)
def test_an_unknown_framework_gets_a_suggestion(call):
    with pytest.raises(InputError, match=r"'pytroch'\. Did you mean 'pytorch'.*Known: flax"):
        call("pytroch")


def test_of_a_long_list_the_nearest_names_are_said():
    names = [f"layer{i}" for i in range(100)]
    assert unknown_name("layer", "lair", names[:50]).endswith(f"{', '.join(sorted(names[:50]))}.")
    message = unknown_name("layer", "layer77x", names)
    assert "Did you mean 'layer77'? Known: layer" in message
    assert " layer77, " in message
    assert message.endswith(" and 88 others.")


@pytest.mark.parametrize(("name", "meant"), [("torch", "pytorch"), ("jax", "flax")])
def test_a_library_is_understood_as_its_framework(name, meant):
    assert registry.framework(name).name == meant
    assert registry.problem(name) == registry.problem(meant)
    case = parse("relu c1 hw2 ints:1")
    assert write_script(case, name) == write_script(case, meant)


def test_an_unknown_network_gets_a_suggestion():
    with pytest.raises(InputError, match=r"'efficientnet_light0'\. Did you mean 'efficientn"):
        networks.get("efficientnet_light0")


def test_what_is_no_module_is_named():
    for call in (
        convparity.describe,
        convparity.dump,
        lambda module: convparity.convert(module, to="keras"),
    ):
        with pytest.raises(UnsupportedError, match=r"ndarray is no module of torch \(pytorch\)"):
            call(X)


# ---------------------------------------------------------------- missing and old frameworks


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The distributions that seem to be installed, and their versions; a test may edit it."""
    found: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return found


@pytest.mark.parametrize("name", registry.FRAMEWORKS)
def test_a_missing_framework_names_its_extra(installed, name):
    with pytest.raises(FrameworkUnavailable, match=rf"{name}: .* is not installed.*\[{name}\]'"):
        convparity.build(SPEC, WEIGHTS, framework=name)
    assert registry.available() == ()


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"jax": "0.8.0", "flax": "0.12.1"}, r"jax 0.8.0 is older than 0.8.1: pip.*\[flax\]'"),
        ({"jax": "0.8.1", "flax": "0.9.12"}, "flax 0.9.12 is older than 0.12.1"),
        ({"jax": "0.8.1"}, "flax is not installed"),
        ({"jax": "0.8.1", "flax": "0.12.1"}, None),
        ({"jax": "0.10.0", "flax": "1.0"}, None),
        ({"jax": "0.8.1.dev20260101+cpu", "flax": "0.12.1rc1"}, None),
    ],
)
def test_versions_are_compared_as_numbers(installed, versions, problem):
    installed |= versions
    if problem is None:
        assert registry.problem("flax") is None
        assert registry.available() == ("flax",)
    else:
        with pytest.raises(FrameworkUnavailable, match=f"flax: {problem}"):
            registry.get("flax")
