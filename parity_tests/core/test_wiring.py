"""A composite's wiring in plain words."""

import pytest

from convparity import UnsupportedError
from convparity.impls.spec import Composite, Wire, Wiring, wired, wiring
from parity_tests.support.graphs import BRANCHES, CHAIN, ONE_OF_TUPLE, SHARED, TUPLE, TWO
from parity_tests.support.wirings import (
    AS_GRAPHS,
    CASES,
    CONV,
    REFUSED,
    SHORT,
    Web,
    each_case,
    each_refused,
)

GRAPHS = [BRANCHES, CHAIN, ONE_OF_TUPLE, SHARED, TUPLE, TWO]


@each_case
def test_the_wiring_says_which_composite_it_is(children, steps, spec):
    assert wired(children, steps) == spec
    assert wired(children, [(name, call, list(inputs)) for name, call, inputs in steps]) == spec


@pytest.mark.parametrize(("children", "steps", "spec"), SHORT)
def test_short_ways_have_a_wiring_of_their_own(children, steps, spec):
    assert wiring(spec) == Wiring(steps)


@pytest.mark.parametrize("spec", [*GRAPHS, *(spec for _, _, spec in CASES), Web(CONV)])
def test_what_is_wired_is_read_back(spec: Composite):
    again = wired(dict(spec.children), *wiring(spec))
    assert again == (spec.as_graph if isinstance(spec, Web) else spec)


def test_a_graph_says_its_inputs_and_outputs():
    said = wiring(TWO)
    assert said.inputs == ("u", "v")
    assert said.outputs == (("image", "m"), ("head", "h"))
    assert said.steps[1] == Wire("m", "m", ("start.0", "start.1"))
    assert [str(wire) for wire in wiring(AS_GRAPHS[3][2]).steps] == [
        "body = body(<input>)",
        "again = body(body)",
    ]


@pytest.mark.parametrize("outputs", ["a", ("b", "a"), (("y", "b"), ("z", "a"))])
def test_outputs_are_renamed_with_their_nodes(outputs):
    children, steps, _ = AS_GRAPHS[4]
    renamed = {"a": "b", "b": "a"}
    spec = wired(children, steps[:2], outputs=outputs)
    found = spec.results.values()
    asked = [outputs] if isinstance(outputs, str) else [each[-1] for each in outputs]
    assert list(found) == [renamed[each] for each in asked]


@each_refused
def test_another_wiring_is_refused(said):
    children, steps = REFUSED[said]
    with pytest.raises(UnsupportedError, match="no spec has this wiring: ") as error:
        wired(children, steps)
    assert said in str(error.value)
    assert str(steps[-1]) in str(error.value)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [("y", "the output 'y' is no value"), ((), "at least one output"), ("a.0", "'a.0' is no")],
)
def test_outputs_that_are_no_values_are_refused(outputs, said):
    with pytest.raises(UnsupportedError, match=said):
        wired({"a": CONV}, [("a", "a", ("<input>",))], outputs=outputs)


def test_a_layer_beside_joins_bears_no_join_s_name():
    with pytest.raises(UnsupportedError, match="cannot be called 'add'"):
        wiring(Web(CONV, "add"))
