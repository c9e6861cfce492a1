"""Every two faults in random layers and chains: each gives an output, or says that it cannot."""

import warnings
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from convparity.analysis.diagnosis.suspects import KNOWN, right
from convparity.analysis.faults import seed
from convparity.analysis.proof.data import real_case
from convparity.impls.errors import SpecError
from parity_tests.trials.unknown_trials import cases


@dataclass
class Result:
    """What the trials counted."""

    pairs: int = 0
    tried: int = 0
    refused: int = 0
    errors: list[str] = field(default_factory=list)


def run(count: int, each: int, first_seed: int) -> Result:
    """Put every two faults that fit into ``count`` cases, each two ``each`` times at most."""
    result, times = Result(), Counter[tuple[str, str]]()
    drawn = cases(count, first_seed)
    for _ in range(count):
        spec, shape, number = case = next(drawn)
        weights, x = real_case(spec, shape, number)
        here = [fault for fault in KNOWN if seed(spec, shape, fault) is not None]
        for one in here:
            for other in here:
                if one is other or times[one.id, other.id] == each:
                    continue
                times[one.id, other.id] += 1
                result.tried += 1
                try:
                    faulty = seed(spec, shape, one, other)
                    if faulty is None:
                        result.refused += 1
                        continue
                    with np.errstate(all="ignore"), warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        faulty.output(right, weights, x)
                except SpecError:
                    result.refused += 1
                except Exception as error:
                    told = f"{type(error).__name__}: {error}"
                    result.errors.append(f"{one.id} and {other.id}: {told}: {case}")
    result.pairs = len(times)
    return result
