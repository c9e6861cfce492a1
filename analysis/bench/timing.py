"""Times of calls that take turns, summed up as medians with their spread."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROUNDS = 7
BURST = 0.03  # seconds in each round that a call is repeated for
PATIENCE = 6.0  # seconds after which a call has had enough rounds, but for the least
LEAST_ROUNDS = 3


class Spread(NamedTuple):
    """A median, and the quartiles about it."""

    median: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return self._asdict()


def spread(values: Sequence[float]) -> Spread:
    """The median and the quartiles of some values; of one value, itself."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def ratio(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """How many times as long ``slow`` took, round by round: what disturbs a round disturbs both."""
    return spread([a / b for a, b in zip(slow, fast, strict=False)])


def burst(call: Callable[[], Any], seconds: float = BURST) -> float:
    """Seconds a call, over as many as fit, after one that is not counted."""
    call()
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds or not calls:
        call()
        calls += 1
    return passed / calls


def take_turns(calls: Mapping[Any, Callable[[], float]]) -> dict[Any, list[float]]:
    """What each call says that it took, round by round; each round begins with another one.

    A call that has taken ``PATIENCE`` seconds stays out, but never before ``LEAST_ROUNDS``.
    """
    found: dict[Any, list[float]] = {key: [] for key in calls}
    spent = dict.fromkeys(calls, 0.0)
    keys = list(calls)
    for turn in range(ROUNDS):
        shift = turn % max(1, len(keys))
        for key in keys[shift:] + keys[:shift]:
            if spent[key] > PATIENCE and len(found[key]) >= LEAST_ROUNDS:
                continue
            start = time.perf_counter()
            found[key].append(calls[key]())
            spent[key] += time.perf_counter() - start
    return found


# ---------------------------------------------------------------- memory


def peak_bytes(call: Callable[[], Any]) -> int | None:
    """How far a call raises this process's memory above what it held before.

    Linux counts it; elsewhere it is not known (None).
    """
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not status.exists() or "VmHWM" not in status.read_text():
        return None
    _return_free_memory()
    try:
        reset.write_text("5")  # the peak begins anew
    except OSError:
        return None
    before = _kilobytes("VmRSS")
    call()
    return max(0, _kilobytes("VmHWM") - before) * 1024


def _kilobytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def _return_free_memory() -> None:
    """Memory that was freed but kept by the allocator would hide what the call takes."""
    import ctypes

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
