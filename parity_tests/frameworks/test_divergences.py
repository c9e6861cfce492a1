"""Each difference between the frameworks is still there, on the versions that are installed."""

import pytest

from convparity.analysis.catalogue.chapters import CATALOGUE
from convparity.analysis.catalogue.entries.environments import SETTINGS
from convparity.analysis.catalogue.entry import Divergence
from convparity.analysis.catalogue.run import complaint, measure, outcome, pairs

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
    wanted = [pair for pair in pairs() if pair[1].setting == setting and not pair[1].deadly]
    came = measure(wanted)
    assert len(came) == len(wanted) > 0
    assert all(each.outcome is not None for each in came)
    said = "\n".join(each.complaint for each in came if each.complaint)
    assert not said, said


@pytest.mark.parametrize("name", DEATHS)
def test_the_process_still_dies(name: str) -> None:
    if reason := DEATHS[name][0].unmet:
        pytest.skip(reason)
    (came,) = measure([DEATHS[name]])
    assert came.outcome is not None
    assert not came.complaint, came.complaint
