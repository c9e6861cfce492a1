"""The assertion that weights are the same, bit for bit."""

from convparity.impls.weights import Weights


def assert_same_bits(got: Weights, expected: Weights) -> None:
    """The same names in the same order, dtypes, shapes and bits."""
    assert list(got) == list(expected)
    for name, array in expected.items():
        assert got[name].dtype == array.dtype, name
        assert got[name].shape == array.shape, name
        assert got[name].tobytes() == array.tobytes(), name
