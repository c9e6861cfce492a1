"""Which arithmetic an error is consistent with, named from the signature of the probes."""

from collections.abc import Iterable

import numpy as np

from convparity.analysis.proof.probes import SIGNIFICAND, Probe
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF

# Effective bits between correct float32 (over 17), TF32 or float16 (9.8 to 12) and bfloat16.
LEAST_BITS = {"float32": 15.0, "tf32 or float16": 9.6, "bfloat16": 5.5}


def from_probes(probes: Iterable[Probe], dtype: str) -> str:
    """What the probes of one spec say: ``dtype`` where all hold, "unknown" where none fits.

    "tf32", "bfloat16", "float16" (and "float32" of a float64 spec) are what the inputs and kernels
    are read as; "... bias", "... accumulation" and "... output" what is said. With one product an
    output, accumulation and output are the same thing, and called accumulation.
    """
    worst: dict[str, Probe] = {}
    for probe in probes:
        if probe.name not in worst or probe.deviation > worst[probe.name].deviation:
            worst[probe.name] = probe
    failed = {name for name, probe in worst.items() if not probe.ok}
    if not failed:
        return dtype

    def width(name: str) -> str:
        return _width(worst[name].deviation * UNIT_ROUNDOFF[dtype], dtype)

    if "product" in failed:  # then the other probes see its width, too
        narrow = width("product")
        if narrow == "tf32" and np.isfinite(worst["accumulator"].deviation):
            return "tf32"  # a transform's products, of operands that have become longer
        if narrow == "unknown":
            return narrow
        lost = "cancellation" in failed or "cancellation" not in worst
        return f"{_half(narrow)} {'accumulation' if lost else 'output'}"
    if failed & {"accumulator", "cancellation"}:
        return "unknown"
    found = []
    for name in ("inputs", "kernel"):
        if name in failed:
            overflow = np.isinf(worst[name].deviation)
            found.append("float16" if overflow else width(name))
    if "bias" in failed:
        found.append(f"{_half(width('bias'))} bias")
    return (
        "unknown" if any("unknown" in each for each in found) else ", ".join(dict.fromkeys(found))
    )


def from_bits(effective_bits: float, dtype: str) -> str:
    """What the precision meter alone says of a float32 spec, such as a whole network."""
    if dtype == "float32":
        for name, least in LEAST_BITS.items():
            if effective_bits >= least:
                return name
    return "unknown"


def _half(width: str) -> str:
    """Of a bias or an accumulator: TF32 is a format of operands only."""
    return "float16" if width == "tf32" else width


def _width(error: float, dtype: str) -> str:
    """The format whose rounding, or truncation, moves a probe's entries in [1, 2) so far."""
    for name, bits in SIGNIFICAND.items():
        spacing = 2.0 ** (1 - bits)
        if bits < SIGNIFICAND[dtype] and 0.75 * spacing / 4 <= error <= 1.25 * spacing:
            return name
    return "unknown"
