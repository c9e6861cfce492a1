"""What moves values: where each entry comes from, and the normal form of patterns."""

import json

import einops
import numpy as np
import pytest

from convparity import (
    Pad,
    Rearrange,
    Slice,
    SpecError,
    from_json,
    from_line,
    output_shape,
    reference,
    to_json,
    to_line,
)
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.axis_patterns import axes, moves, reshape_pattern
from parity_tests.support.oracle import oracle

PATTERNS = [
    ("n h w (g c) -> n h w (c g)", {"g": 2}, (2, 3, 4, 6)),
    ("n (h a) (w b) c -> n h w (a b c)", {"a": 2, "b": 3}, (2, 4, 6, 5)),
    ("n h w (a b c) -> n (h a) (w b) c", {"a": 2, "b": 3}, (1, 2, 3, 12)),
    ("n h w c -> (n h) w c", {}, (2, 3, 4, 5)),
    ("(n t) h c -> n h (t c)", {"t": 3}, (6, 2, 5)),
    ("n c -> n 1 1 c", {}, (2, 3)),
    ("n 1 c -> n c 1", {}, (2, 1, 3)),
    ("n ... c -> n c ...", {}, (2, 3, 4, 5)),
    ("n a ... -> n (... a)", {}, (2, 3, 4, 5)),
    ("n (1 c) ... -> n (c ...) 1", {}, (2, 3)),
    ("n ... -> n (...)", {}, (2, 3, 4)),
    ("n c ... -> n c (...)", {}, (2, 3)),
]


@pytest.mark.parametrize(("pattern", "sizes", "shape"), PATTERNS)
def test_a_reshape_a_permute_and_a_reshape_are_what_einops_does(pattern, sizes, shape) -> None:
    spec = Rearrange(pattern, **sizes)
    x = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape)
    expected = einops.rearrange(x, pattern, **sizes)
    split, order, merged = moves(*axes(spec.pattern, x.ndim), shape, sizes.items())
    np.testing.assert_array_equal(x.reshape(split).transpose(order).reshape(merged), expected)
    assert output_shape(spec, shape) == expected.shape
    np.testing.assert_array_equal(reference(spec, {}, x), expected)


def test_values_by_hand() -> None:
    """Two groups of three channels, read across: the channel shuffle of arXiv 1707.01083."""
    x = np.array([[1, 2, 3, 4, 5, 6]])
    y = reference(Rearrange("n (g c) -> n (c g)", g=2), {}, x)
    assert y.tolist() == [[1, 4, 2, 5, 3, 6]]


def test_a_pattern_and_its_sizes_have_one_form() -> None:
    spec = Rearrange("n  h ( g  c )->n (c g)  h ()", g=2, h=3)
    assert spec == Rearrange("n h (g c) -> n (c g) h 1", h=3, sizes={"g": 2})
    assert spec == Rearrange("n h (g c) -> n (c g) h 1", sizes=[["h", 3], ["g", np.int64(2)]])
    assert len({spec, Rearrange(spec.pattern, g=2, h=3), Rearrange(spec.pattern, g=2)}) == 2
    assert spec.sizes == (("g", 2), ("h", 3))
    assert repr(spec) == "Rearrange('n h (g c) -> n (c g) h 1', g=2, h=3)"


def test_json_holds_the_sizes() -> None:
    spec = Rearrange("n (g c) -> n (c g)", g=2)
    assert json.loads(to_json(spec)) == {
        "type": "Rearrange",
        "pattern": "n (g c) -> n (c g)",
        "sizes": [["g", 2]],
    }
    assert from_json(to_json(spec)) == spec
    assert from_json('{"type": "Rearrange", "pattern": "n c -> n 1 c"}') == (
        Rearrange("n c -> n 1 c")
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (Slice(1, 1), [2, 3, 4]),
        (Slice(1, -3, -1), [2, 3]),
        (Slice(1, step=3), [1, 4]),
        (Pad([(1, 2)]), [0, 1, 2, 3, 4, 0, 0]),
        (Pad([(-1, 2)], value=9), [2, 3, 4, 9, 9]),
        (Pad([(2, -1)], "reflect"), [3, 2, 1, 2, 3]),
        (Pad([(-2, 3)], "reflect"), [3, 4, 3, 4, 3]),  # it crops first
        (Pad([(-1, 2)], "replicate"), [2, 3, 4, 4, 4]),
        (Pad([(1, -1)], "circular"), [3, 1, 2, 3]),
        (Pad([(0, 5)], "circular"), [1, 2, 3, 4, 1, 2, 3, 4, 1]),
    ],
)
def test_a_row_of_four_by_hand(spec, expected) -> None:
    x = np.array([1, 2, 3, 4]).reshape(1, 4, 1)
    assert reference(spec, {}, x).ravel().tolist() == expected


def test_a_value_that_the_dtype_lacks_is_within_a_bound() -> None:
    x = np.ones((1, 3, 1))
    for dtype, value, exact in (
        ("float32", 0.5, True),
        ("float32", 0.1, False),
        ("float16", 2049.0, False),
        ("float16", 2048.0, True),
    ):
        target = trace(Pad([(0, 1)], value=value), {}, exact_input(x, dtype))
        assert target.exact == exact
        assert (target.bound.ravel() > 0).tolist() == [False, False, False, not exact]
        assert target.bound.max() <= 2.0 * UNIT_ROUNDOFF[dtype] * value


def test_channels_are_padded_and_left_out() -> None:
    x = np.array([[1, 2, 3], [4, 5, 6]]).reshape(1, 2, 3)
    spec = Pad([(0, -1)], value=9, channels=(2, -1))
    for judge in (reference, oracle):
        assert judge(spec, {}, x).tolist() == [[[9, 9, 1, 2]]]
    assert output_shape(spec, (4, 3, 5)) == (4, 2, 6)
    assert from_json(to_json(spec)) == spec
    assert to_line(spec) == "pad p0:-1 value9.0 ch2:-1"
    assert from_line("pad p0:-1 value9.0 ch2:-1")[0] == spec
    assert from_json('{"type": "Pad", "pads": [[1, 2]]}') == Pad([(1, 2)])
    with pytest.raises(SpecError, match="nothing is left"):
        output_shape(Pad([0], channels=(-1, -2)), (1, 4, 3))
    with pytest.raises(SpecError, match="mode 'reflect' takes no channels"):
        Pad([1], "reflect", channels=(0, 1))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((7,), (1, 1, 7), "n c -> n 1 1 c"),
        ((1, 1, 9), (9,), "n 1 1 c -> n c"),
        ((7, 5, 4), (140,), "n h w c -> n (h w c)"),
        ((None, None, 4), (None, 4), "n h w c -> n (h w) c"),
        ((None, None, 3), (None, None, 1, 3), "n h w c -> n h w 1 c"),
        ((12, 2), (3, 8), "n (w0 w1) c -> n w0 (w1 c)"),
        ((6, 4), (4, 6), None),
        ((0, 4), (4, 0), None),
    ],
)
def test_a_reshape_is_a_pattern_where_one_says_it(before, after, said) -> None:
    found = reshape_pattern(before, after)
    assert (found and found[0]) == said
    if found is not None and None not in before:
        pattern, sizes = found
        x = np.arange(2 * np.prod(before)).reshape(2, *before)
        y = reference(Rearrange(pattern, sizes=sizes), {}, x)
        np.testing.assert_array_equal(y, x.reshape(2, *after))
