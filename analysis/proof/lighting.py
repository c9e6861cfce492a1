"""A network lit one layer at a time: the way to prove a black box that takes weights.

For each layer there are weights and an input with which the layers before it pass signals on, it
holds dense small integers itself, and the layers after it carry all of its channels to the output:
exactly, or within less than half a unit. A certificate counts what of the layer was lit (see
``certificate``): lightings follow until that is everything, or tries are used up.

What a layer without weights does is proved with the layer before it; if there is none, it is lit
itself.
"""

import math
from collections.abc import Iterator

from convparity.analysis.proof.certificate import Certificate
from convparity.analysis.proof.data import exact_shape
from convparity.analysis.proof.lighting_run import Lighting, LightingRun
from convparity.analysis.proof.smaller_shapes import near_shapes
from convparity.analysis.proof.wiring import Wiring
from convparity.impls.errors import UnsupportedError
from convparity.impls.spec import Join, Shapes, Spec, each_shape, together, walk_shapes

__all__ = ["Lighting", "Lights"]

TRIES = 8  # lightings of one layer at most, as long as each shows something new
PATIENCE = 3  # so many that show nothing new are enough
APART = 4  # lightings at most whose one purpose is to tell the weights of a filter apart
LARGEST, SMALL = 47, 2  # of a kernel's integers: smaller ones where rounding hides them
SMOOTH = 7.0  # where values lie on no lattice
FARTHEST = 16  # times the pixels of the small shape: larger ones would take too long
PIXELS = 64  # layers with fewer are lit with the larger of the batches
BATCHES = (2, 8)


class Lights:
    """Every lighting of a network, one layer after another.

    Args:
        spec: the network, of any wiring.
        input_shape: what it is used with; small shapes near it are chosen (see ``near_shapes``),
            with a larger batch for layers that have few pixels.
        seed: of all that is drawn.
        dtype: what candidates compute in.
        direct: sums are taken as they stand, without a transform such as Winograd's.
    """

    def __init__(
        self,
        spec: Spec,
        input_shape: Shapes,
        seed: int = 0,
        dtype: str = "float32",
        direct: bool = True,
    ) -> None:
        self.spec, self.seed, self.dtype, self.direct = spec, seed, dtype, direct
        self.wiring = Wiring(spec)
        self.shapes = near_shapes(spec, input_shape)
        whole, near = exact_shape(spec, input_shape), self.shapes[0]
        # where small shapes leave something dark
        if whole not in self.shapes and _pixels(whole) <= FARTHEST * _pixels(near):
            self.shapes.append(whole)
        self._pixels = [self._pixels_of(shape) for shape in self.shapes]
        self._certificates: dict[int, Certificate] = {}
        self._rooms: dict[tuple[int, int, bool], LightingRun] = {}

    @property
    def targets(self) -> list[int]:
        """The nodes that are lit: those with weights, and one without that comes first."""
        return [
            i
            for i, node in enumerate(self.wiring.nodes)
            if (node.has_weights and self.wiring.first[i] == i)
            or (
                node.depends
                and min(node.inputs) < 0
                and not node.has_weights
                and not isinstance(node.spec, Join)
            )
        ]

    def path(self, target: int) -> str:
        """The dotted path of a node."""
        return self.wiring.nodes[target].path

    def of(self, target: int, tries: int = TRIES) -> Iterator[Lighting]:
        """The lightings of one node, until everything is lit or nothing new is."""
        certificate = self._certificates.setdefault(target, Certificate())
        try:
            yield from self._lightings(target, certificate, tries)
        except UnsupportedError as error:  # a layer through which nobody said how to light others
            certificate.refuse(str(error))

    def _lightings(self, target: int, certificate: Certificate, tries: int) -> Iterator[Lighting]:
        limit, dull = float(LARGEST), 0
        for number in range(tries):
            lighting_run = self._room(target, number)
            draft = lighting_run.draft(target, int(limit))
            while draft.excess > 1 and limit > 1:  # smaller integers, as rounding hides these
                limit = max(1.0, min(limit / 1.5, limit / draft.excess))
                draft = lighting_run.draft(target, int(limit))
            if draft.smooth and limit > SMOOTH:  # a step must be no trifle
                limit = SMOOTH
                draft = lighting_run.draft(target, int(limit))
            new = lighting_run.certify(draft, certificate)
            if draft.smooth and not certificate.complete:
                limit = max(1.0, limit / 2)
            yield draft.lighting
            dull = 0 if new else dull + 1
            done = certificate.complete and (certificate.told_apart or number + 1 >= APART)
            if done or dull >= PATIENCE:
                return

    def flat(self, target: int) -> Lighting:
        """A lighting with an input that is constant over space: it shows where the target errs.

        Errors of other layers that only move or cut off pixels do not show before the target.
        """
        return self._room(target, 0, flat=True).draft(target, SMALL).lighting

    def silence(self, target: int) -> Lighting:
        """Zeros up to the target and within it: errors there do not show, those behind it may."""
        return self._room(target, 0, flat=True).silence(target)

    @property
    def unlit(self) -> dict[str, str]:
        """By path: what of a layer was not lit, by the lightings that were asked for."""
        return {
            self.path(i): str(self._certificates[i]) if i in self._certificates else "not lit"
            for i in self.targets
            if i not in self._certificates or not self._certificates[i].complete
        }

    def _room(self, target: int, number: int, flat: bool = False) -> LightingRun:
        which = number % len(self.shapes)
        kinds = {i: self._kind(i, which) for i in self.targets}
        batch, signed = kinds[target]
        key = -1 if flat else number, batch, signed
        if key not in self._rooms:
            self._rooms[key] = LightingRun(
                self.wiring,
                together([(batch, *shape[1:]) for shape in each_shape(self.shapes[which])]),
                (self.seed, number),
                self.dtype,
                self.direct,
                targets=[i for i, kind in kinds.items() if kind == kinds[target]],
                flat=flat,
                signed=signed,
            )
        return self._rooms[key]

    def _kind(self, target: int, which: int) -> tuple[int, bool]:
        """The batch that lights a node on one of the shapes, and whether its input is signed."""
        few = self._pixels[which][target] < PIXELS
        return BATCHES[few], not self.wiring.nodes[target].has_weights

    def _pixels_of(self, shape: Shapes) -> list[int]:
        """How many pixels each node has to work on."""
        sizes = {
            path: math.prod(shapes[0][1:-1])
            for path, _, shapes in walk_shapes(self.spec, *each_shape(shape))
        }
        return [sizes[node.path] for node in self.wiring.nodes]


def _pixels(shape: Shapes) -> int:
    """The pixels of an example of all inputs."""
    return sum(math.prod(each[1:-1]) for each in each_shape(shape))
