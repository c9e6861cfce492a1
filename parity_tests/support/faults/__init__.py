"""Every fault that the trials seed: those that an output shows, and those that none does.

``FAULTS`` holds them by id, family by family; the control is the last.
"""

from convparity.analysis import faults as known
from parity_tests.support.faults import (  # noqa: F401 (each registers its own)
    control,
    edges,
    gradient,
    normalisation,
    parameters,
)
from parity_tests.support.faults.fault import (
    MISBEHAVIOURS,
    Misbehaviour,
    Misport,
    Step,
    operations,
)

CONTROL = "control-01"

_ALL = {id: Misbehaviour.of(fault) for id, fault in known.FAULTS.items()} | MISBEHAVIOURS
_FAMILIES = [
    *dict.fromkeys(f.family for f in known.FAULTS.values() if f.family != "edges"),
    "gradient",
    "edges",
    "control",
]
FAULTS = {id: _ALL[id] for family in _FAMILIES for id in sorted(_ALL) if _ALL[id].family == family}

__all__ = ["CONTROL", "FAULTS", "Misbehaviour", "Misport", "Step", "operations"]
