"""Strategies of normalisations."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from convparity import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Scale, Spec
from convparity.impls.spec import Shape
from parity_tests.support.drawing import Pair, values


def norms_of(
    channels: int, rank: int, groups: int | None = None
) -> dict[type, st.SearchStrategy[Spec]]:
    """Each kind of normalisation, with an epsilon that networks use; of so many groups, or any."""
    eps = st.sampled_from([1e-5, 1e-3])
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    some = st.sampled_from(divisors) if groups is None else st.just(groups)
    size, parts = st.just(channels), {"scale": LACKS_SELDOM, "offset": LACKS_SELDOM}
    return {
        BatchNorm: st.builds(BatchNorm, size, eps, rank=st.just(rank), **parts),
        LayerNorm: st.builds(LayerNorm, size, eps, **parts),
        GroupNorm: st.builds(GroupNorm, some, size, eps, **parts),
        InstanceNorm: st.builds(InstanceNorm, size, eps, **parts),
        RMSNorm: st.builds(RMSNorm, size, eps, scale=LACKS_SELDOM),
    }


LACKS_SELDOM = st.sampled_from([True, True, True, False])  # of a parameter that a norm may lack


@st.composite
def norms_over_axes(draw: Any, kind: Any, shape: Shape) -> Spec:
    """A norm over some axes of an input of this shape, counted from either end."""
    n = len(shape)
    axes = sorted(draw(st.sets(st.integers(1, n - 1), min_size=1)))
    last = [axis - n if axis == n - 1 and draw(st.booleans()) else axis for axis in axes]
    parts = {"scale": draw(LACKS_SELDOM)}
    if kind is LayerNorm:
        parts["offset"] = draw(LACKS_SELDOM)
    return kind(tuple(shape[axis] for axis in axes), axes=tuple(last), **parts)


def norms(kind: type) -> Callable[[int], st.SearchStrategy[Pair]]:
    """A normalisation of one kind, by rank; BatchNorm is flat where its rank is 1."""

    @st.composite
    def norm(draw: Any, rank: int) -> Pair:
        flat = rank == 1 if kind is BatchNorm else kind is not InstanceNorm
        shape = draw(values(rank, flat))
        groups = None
        if kind is GroupNorm:  # of any width, few have several groups of several channels
            groups = draw(st.integers(1, 3))
            shape = (*shape[:-1], groups * draw(st.integers(1, 3)))
        if kind in (LayerNorm, RMSNorm) and draw(st.booleans()):
            return draw(norms_over_axes(kind, shape)), shape
        return draw(norms_of(shape[-1], rank, groups)[kind]), shape

    return norm


@st.composite
def scales(draw: Any, rank: int) -> Pair:
    """A factor of each channel."""
    shape = draw(values(rank))
    return Scale(shape[-1]), shape
