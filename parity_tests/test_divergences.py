"""Each difference between the frameworks is still there, on the versions that are installed."""

import pytest

from parity_tests.divergences import CATALOGUE
from parity_tests.divergences.entry import SETTINGS, Divergence
from parity_tests.divergences.run import alone, batch, complaint, outcome, pairs

pytestmark = pytest.mark.frameworks

DEATHS = {f"{entry.id}: {each.label}": (entry, each) for entry, each in pairs() if each.deadly}


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_the_difference_is_still_there(entry: Divergence) -> None:
    if entry.unmet:
        pytest.skip(entry.unmet)  # pytest's report ends with it
    here = [each for each in entry.demonstrations if not each.setting and not each.deadly]
    said = "\n".join(filter(None, (complaint(entry, each, outcome(each)) for each in here)))
    assert not said, said


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name])
def test_the_difference_is_still_there_under(setting: str) -> None:
    """Another backend or another switch of a framework, which takes a process of its own."""
    came = {(line.pop("id"), line.pop("label")): line for line in batch(setting)}
    wanted = [
        (entry, each) for entry, each in pairs() if each.setting == setting and not each.deadly
    ]
    assert len(came) == len(wanted) > 0
    complaints = (complaint(entry, each, came[entry.id, each.label]) for entry, each in wanted)
    said = "\n".join(filter(None, complaints))
    assert not said, said


@pytest.mark.parametrize("name", DEATHS)
def test_the_process_still_dies(name: str) -> None:
    if reason := DEATHS[name][0].unmet:
        pytest.skip(reason)
    said = complaint(*DEATHS[name], alone(*DEATHS[name]))
    assert not said, said
