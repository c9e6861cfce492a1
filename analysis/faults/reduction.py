"""Reductions: another function, another divisor, other axes."""

from dataclasses import replace

from convparity.analysis.faults.fault import Faulty, fault
from convparity.impls.spec import Reduce, Reduction, Shape, output_shape

WRONG_ONES: tuple[tuple[str, str, Reduction, Reduction, str], ...] = (
    ("01", "the sum for the mean", "mean", "sum", "one value"),
    ("02", "the mean for the sum", "sum", "mean", "one value"),
    ("03", "the largest for the mean", "mean", "max", "one value, equal ones"),
    ("04", "the mean for the largest", "max", "mean", "one value, equal ones"),
    ("05", "the smallest for the largest", "max", "min", "one value, equal ones"),
    ("06", "the largest for the smallest", "min", "max", "one value, equal ones"),
    ("07", "a standard deviation without its root", "std", "var", "deviations of 0 and 1"),
    ("08", "the sum of absolute values for a Euclidean norm", "norm", "norm1", "one value"),
    ("09", "the Euclidean norm for the sum of absolute values", "norm1", "norm", "one value"),
    ("10", "the sum for the sum of absolute values", "norm1", "sum", "values from 0 on"),
)

for _number, _title, _name, _by, _hides in WRONG_ONES:

    def _make(
        spec: Reduce, shape: Shape, name: Reduction = _name, by: Reduction = _by
    ) -> Faulty | None:
        if spec.function != name or (spec.count(shape) == 1 and {name, by} != {"norm1", "sum"}):
            return None
        correction = spec.correction if by == "var" else 0
        return Faulty(replace(spec, function=by, correction=correction), f"{by} for {name}")

    fault(
        f"reduction-{_number}",
        _title,
        Reduce,
        hides=f"other functions, {_hides}",
    )(_make)


def _corrected(spec: Reduce, shape: Shape, correction: int) -> Faulty | None:
    if spec.function not in ("var", "std") or spec.correction == correction:
        return None
    n = spec.count(shape)
    detail = f"squares over {n - correction} instead of {n - spec.correction}"
    return Faulty(replace(spec, correction=correction), detail)


@fault(
    "reduction-11",
    "a variance over n for one over n - 1",
    Reduce,
    hides="other functions, no correction, equal values",
    reference="tensorflow #43324",
)
def correction_left_out(spec: Reduce, shape: Shape) -> Faulty | None:
    return _corrected(spec, shape, 0)


@fault(
    "reduction-12",
    "a variance over n - 1 for one over n",
    Reduce,
    hides="other functions, a correction, one value, equal ones",
    reference="TorchSharp #971",
)
def correction_added(spec: Reduce, shape: Shape) -> Faulty | None:
    return _corrected(spec, shape, 1)


@fault(
    "reduction-13",
    "a Euclidean norm without its root",
    Reduce,
    hides="other functions, norms of 0 and 1",
)
def norm_without_root(spec: Reduce, shape: Shape) -> Faulty | None:
    return Faulty(spec, "y y for y", after=lambda y: y * y) if spec.function == "norm" else None


@fault(
    "reduction-14",
    "another axis of the same size reduced",
    Reduce,
    hides="sizes that differ, axes that are kept",
)
def another_axis_reduced(spec: Reduce, shape: Shape) -> Faulty | None:
    own, right = spec.places(shape), output_shape(spec, shape)
    for axis in own:
        for other in range(1, len(shape)):
            if other not in own and shape[axis] > 1:
                wrong = replace(spec, axes=tuple({*own, other} - {axis}))
                if output_shape(wrong, shape) == right:
                    return Faulty(wrong, f"axis {other}, not {axis}")
    return None


@fault(
    "reduction-15",
    "axes of channels-first arrays reduced in channels-last ones",
    Reduce,
    hides="all axes; elsewhere its shape may show it",
    reference="onnx2tf #617",
)
def axes_of_channels_first(spec: Reduce, shape: Shape) -> Faulty | None:
    last, own = len(shape) - 1, spec.places(shape)
    wrong = tuple(sorted(1 if axis == last else axis + 1 for axis in own))
    if wrong == own or all(shape[axis] == 1 for axis in {*own} ^ {*wrong}):
        return None
    return Faulty(replace(spec, axes=wrong), f"axes {wrong}, not {own}")
