"""The smallest relative error that each check sees: a seeded one is made smaller until it is not.

The error is in every output, gradient, weight or statistic of every layer, and of one sign.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings

from convparity.analysis.proof.linear_form import LINEAR
from convparity.impls.spec import BatchNorm
from parity_tests.support.asserts import assert_precision, assert_structure
from parity_tests.support.faults import CONTROL, FAULTS, Misbehaviour, Misport
from parity_tests.support.seeded_adapter import SeededAdapter, installed
from parity_tests.support.strategies import Case, chain_cases, linear_cases
from parity_tests.trials import trial

MOST = 30  # 2**-30 is far below a rounding of float32


class Sensitivity(NamedTuple):
    """A check, and the relative error that it still sees: 2 to the power of minus ``bits``."""

    check: str
    framework: str
    bits: int


def _by(factor: float) -> Callable[..., Any]:
    def scaled(array: np.ndarray) -> np.ndarray:
        return (array.astype(np.float64) * (1 + factor)).astype(array.dtype)

    return scaled


def _forward(factor: float) -> Misport:
    return Misport(None, "", after=_by(factor))  # type: ignore[arg-type]


def _backward(factor: float) -> Misport:
    change = _by(factor)
    return Misport(
        None,  # type: ignore[arg-type]
        "",
        gradients=lambda found, batch: {name: change(g) for name, g in found.items()},
    )


def _dumped(factor: float) -> Misport:
    return Misport(None, "", read=lambda name, array: _by(factor)(array))  # type: ignore[arg-type]


def _trained(factor: float) -> Misport:
    change = _by(factor)
    return Misport(
        None,  # type: ignore[arg-type]
        "",
        trained=lambda old, new, shape: {n: change(new[n]) for n in ("mean", "variance")},
    )


def perturbation(operation: str, factor: float) -> Misbehaviour:
    """A fault of a given size."""
    kinds = {
        "forward": (_forward, LINEAR),
        "backward": (_backward, LINEAR),
        "dump": (_dumped, LINEAR),
        "train": (_trained, (BatchNorm,)),
    }
    make, on = kinds[operation]
    return replace(
        FAULTS[CONTROL],
        id=f"error-{factor:g}",
        on=on,
        operation=operation,
        make=lambda spec, shape: replace(make(factor), spec=spec),
    )


@cache
def _cases(kind: str) -> list[Case]:
    found: list[Case] = []

    @settings(max_examples=60)
    @given(linear_cases if kind == "layer" else chain_cases)
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def _each(check: Any, kind: str) -> Callable[[Any], None]:
    def run(adapter: Any) -> None:
        for case in _cases(kind):
            check(case, [adapter])

    return run


def checks() -> Iterator[tuple[str, str, Any]]:
    """What is asked, in which operation the error is, and the check itself."""
    from parity_tests.support.properties import PROPERTIES, Property

    for kind, many in (("layer", "layers"), ("network", "networks")):
        for name, check in (("structure", assert_structure), ("precision", assert_precision)):
            title = f"{name} of {many}"
            yield title, "forward", Property(title, (kind,), "forward", _each(check, kind))
    for title, operation, name in (
        ("MobileNetV1 on integers", "forward", "networks agree: odd sizes"),
        ("gradients of layers", "backward", "gradients: linear"),
        ("gradients of networks", "backward", "gradients: network"),
        ("conversion", "dump", "conversion: build and dump"),
        ("running statistics", "train", "training: statistics"),
    ):
        yield title, operation, PROPERTIES[name]


def smallest(framework: str) -> list[Sensitivity]:
    """Bisect, check by check, on powers of two."""
    found = []
    for title, operation, prop in checks():
        seen, unseen = 0, MOST + 1
        while unseen - seen > 1:
            power = (seen + unseen) // 2
            fault = perturbation(operation, 2.0**-power)
            adapter = SeededAdapter(trial.outputs(framework), fault)
            with installed(adapter):
                killed = trial.run(prop, adapter) is not None
            seen, unseen = (power, unseen) if killed else (seen, power)
        found.append(Sensitivity(title, framework, seen))
    return found
