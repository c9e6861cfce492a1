"""The verdict on a black box that takes weights: every layer by itself, through the others."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convparity.analysis.proof.judging import structure
from convparity.analysis.proof.lighting import Lighting, Lights
from convparity.analysis.proof.verdict import Structure
from convparity.impls.errors import UnsupportedError
from convparity.impls.reference import Implementation
from convparity.impls.spec import Shapes, Spec
from convparity.impls.values import on_each


@dataclass(frozen=True)
class LitStructure(Structure):
    """Whether a black box is right in every layer that was lit."""

    lightings: int = 0
    unlit: tuple[tuple[str, str], ...] = ()  # the paths of layers, and what of them was not lit

    @property
    def status(self) -> str:
        """One of STATUSES; "not tested" where something was not lit."""
        if self.wrong or self.problem is not None:
            return "wrong"
        return "not tested" if self.unlit else "ok"

    def __str__(self) -> str:
        if self.status == "wrong":
            return super().__str__()
        if self.unlit:
            some = "; ".join(f"{path or 'the layer'}: {why}" for path, why in self.unlit[:3])
            return f"{len(self.unlit)} layers not tested: {some}"
        return super().__str__()


def lit_structure(
    candidate: Implementation,
    spec: Spec,
    input_shape: Shapes,
    seed: int,
    dtype: str,
    direct: bool,
) -> LitStructure:
    """Light each layer of ``spec`` and compare what ``candidate`` makes of it.

    The input shapes are small ones near ``input_shape``, see ``near_shapes``.
    """
    lights = Lights(spec, input_shape, seed, dtype, direct)
    found: list[tuple[str, Structure]] = []
    suspects: dict[int, float] = {}  # target -> the share of wrong entries
    for target in lights.targets:
        for lighting in lights.of(target):
            output = on_each(np.asarray, candidate(spec, lighting.weights, lighting.x))
            one = structure(output, lighting.target)
            found.append((lighting.path, one))
            if one.status == "wrong":
                share = 1.0 if one.problem is not None else one.wrong / one.size
                suspects[target] = max(share, suspects.get(target, 0.0))
    layer = ""
    if suspects:
        layer = lights.path(_culprit(candidate, spec, lights, suspects))
    judged = [one for _, one in found]
    wrong = [one for path, one in found if one.status == "wrong" and path == layer]
    worst = max(wrong, key=lambda one: one.wrong) if wrong else None
    return LitStructure(
        sum(one.wrong for one in judged),
        sum(one.size for one in judged),
        max((one.slack for one in judged), default=0.0),
        None if worst is None else worst.problem,
        None if worst is None else worst.worst,
        max(
            (one.basis for one in judged),
            default="exact",
            key=("exact", "proved", "measured").index,
        ),
        layer=layer,
        output="" if worst is None else worst.output,
        lightings=len(judged),
        unlit=tuple(lights.unlit.items()),
    )


def _culprit(
    candidate: Implementation, spec: Spec, lights: Lights, suspects: dict[int, float]
) -> int:
    """Which of the layers whose lightings came out wrong is the wrong one.

    A fault shows while other layers are lit, too. One that moves pixels does not show before the
    layer that is lit, with an input that is constant over space: the last of these is the one. Of
    other faults, it is the first layer that hides them when everything up to it is zero.
    """
    if len(suspects) == 1:
        return next(iter(suspects))

    def wrong(light: Callable[[int], Lighting], target: int) -> bool:
        try:
            lighting = light(target)
        except UnsupportedError:  # with these data, some layer cannot pass the signal on
            return False
        output = on_each(np.asarray, candidate(spec, lighting.weights, lighting.x))
        return structure(output, lighting.target).status == "wrong"

    flat = [target for target in suspects if wrong(lights.flat, target)]
    if flat and len(flat) < len(suspects):
        return flat[-1]
    ordered = list(suspects)
    return next((each for each in ordered if not wrong(lights.silence, each)), ordered[-1])
