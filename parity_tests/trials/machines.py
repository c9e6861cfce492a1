"""The same verdicts on every processor: the suite under each cap that the frameworks offer.

    python -m parity_tests.trials.machines

A processor chooses its code: which vector instructions, how many threads. For each setting below
the properties of outputs run on fewer examples, and the main job; every one must pass, and the main
job must give the verdicts that it gives without any setting. One machine shows what its own
processor can do: the table bears its name. What no setting can show, another processor's
approximations, the doubles show (``parity_tests.trials.doubles``).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.text import Text

from convparity.analysis.report import tables
from parity_tests.support.processor import processor
from parity_tests.support.root import ROOT

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def _threads(number: int) -> dict[str, str]:
    return dict.fromkeys(THREADS, str(number))


# name -> environment variables, on top of those of this process
SETTINGS: dict[str, dict[str, str]] = {
    "as it is": {},
    "PyTorch, no vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "PyTorch, AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "oneDNN, SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "oneDNN, AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "TensorFlow, oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "TensorFlow, no oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "XLA, SSE4.2": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
    "XLA, AVX2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
    "one thread": {**_threads(1), "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"},
    "two threads": _threads(2),
}


class Row(NamedTuple):
    """What one setting gave."""

    setting: str
    tests: str  # pytest's closing line
    verdicts: Mapping[str, Any]  # of the main job
    failures: tuple[str, ...]


def run(setting: str, examples: int) -> Row:
    """The properties of outputs, and the main job, in processes with this setting."""
    environment = {
        **os.environ,
        **SETTINGS[setting],
        "HYPOTHESIS_PROFILE": "reduced",
        "HYPOTHESIS_MAX_EXAMPLES": str(examples),
    }
    failures = []
    tests = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "parity_tests/properties/test_outputs.py",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    closing = tests.stdout.strip().splitlines()[-1] if tests.stdout.strip() else tests.stderr
    if tests.returncode:
        failures.append(f"{setting}: {tests.stdout}{tests.stderr}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "main-job.json"
        command = [sys.executable, "-m", "convparity.analysis.cli", "compare", "--json", str(path)]
        job = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if job.returncode:
            failures.append(f"{setting}: {job.stdout}{job.stderr}")
        verdicts = dict(found(json.loads(path.read_text()))) if path.exists() else {}
    return Row(setting, closing.split(" in ")[0], verdicts, tuple(failures))


def found(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What the main job found out of every kind but speed and size of errors, by its path."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name in ("status", "class", "agrees", "learnables", "output_shape"):
                yield f"{path}.{name}", value
            else:
                yield from found(value, f"{path}.{name}")
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from found(value, f"{path}.{i}")


def main() -> None:
    """Run every setting, print the table; exit status 1 if anything failed or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=15, help="of each property")
    parser.add_argument("--setting", choices=SETTINGS, action="append", help="only this, or these")
    asked = parser.parse_args()
    console = tables.console()
    shown = tables.table(
        processor(), "setting", "outputs", "main job", text=("outputs", "main job")
    )
    first: Mapping[str, Any] | None = None
    failures: list[str] = []
    for setting in asked.setting or SETTINGS:
        row = run(setting, asked.examples)
        first = first if first is not None else row.verdicts
        differing = sorted(
            k for k in first.keys() | row.verdicts if first.get(k) != row.verdicts.get(k)
        )
        job = f"{len(row.verdicts)} findings" + (f", {len(differing)} differ" if differing else "")
        shown.add_row(setting, row.tests, job)
        failures += [*row.failures, *(f"{setting}: {name} differs" for name in differing)]
        print(f"{setting}: {row.tests}; main job: {job}", file=sys.stderr, flush=True)
    tables.show(console, shown, *(Text(failure, style="red") for failure in failures))
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
