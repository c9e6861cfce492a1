"""How long the command and the library take to start, each in a process of its own."""

import functools
import subprocess
import sys
import time
from typing import Any

from convparity.analysis.bench.layers import Step
from convparity.analysis.bench.timing import ratio, spread, take_turns

COMMAND = "import sys; sys.argv[1:] = {!r}; from convparity.analysis.cli import main; main()"
CALLS = {
    "python": "pass",
    "numpy": "import numpy",
    "convparity": "import convparity",
    "convparity --help": COMMAND.format(["--help"]),
    "convparity count": COMMAND.format(["count", "mobilenet_v1"]),
}


def startup(step: Step) -> dict[str, Any]:
    """Seconds of each, and how many times as long as importing NumPy alone."""
    step("starting processes")
    for code in CALLS.values():
        _seconds(code)  # a warm-up: the files are read from the disk
    found = take_turns({name: functools.partial(_seconds, code) for name, code in CALLS.items()})
    return {
        name: {
            "time": spread(times).as_dict(),
            "of numpy": ratio(times, found["numpy"]).as_dict(),
            "beyond numpy": spread(
                [a - b for a, b in zip(times, found["numpy"], strict=True)]
            ).as_dict(),
        }
        for name, times in found.items()
    }


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
