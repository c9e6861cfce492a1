"""A composite's wiring in plain words."""

import pytest

from convparity import UnsupportedError
from convparity.impls.spec import wired, wires
from parity_tests.support.wirings import CONV, UNKNOWN, Web, each_case, each_unknown


@each_case
def test_the_wiring_says_which_composite_it_is(children, steps, spec):
    assert wires(spec) == steps
    assert wired(children, steps) == spec
    assert wired(children, [(name, call, list(inputs)) for name, call, inputs in steps]) == spec


@each_unknown
def test_another_wiring_is_refused(said):
    with pytest.raises(UnsupportedError, match="no spec has this wiring yet: ") as error:
        wired(*UNKNOWN[said])
    assert said in str(error.value)


def test_a_layer_beside_joins_bears_no_join_s_name():
    with pytest.raises(UnsupportedError, match="cannot be called 'add'"):
        wires(Web(CONV, "add"))
