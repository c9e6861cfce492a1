"""A process for each framework and algorithm: thread pools and allocators don't disturb each other.

The parent builds in each what is to be measured, and then asks for bursts in turn.
"""

import functools
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from convparity.analysis.bench.timing import burst, peak_bytes, take_turns
from convparity.analysis.cost.counting import layer_costs
from convparity.impls.errors import ConvparityError
from convparity.impls.notation import from_json, to_json
from convparity.impls.spec import Shape, Spec


class Job(NamedTuple):
    """A module on an input, in one direction: "forward", or "gradient" for both ways."""

    spec: Spec
    input_shape: Shape
    direction: str
    seed: int = 0


@runtime_checkable
class Chooses(Protocol):
    """An adapter whose "auto" runs other code than "native" does for some layers."""

    def chooses(self, layer: Spec, input_shape: Shape, memory_format: str) -> bool:
        """Whether it does for a layer, on a CPU in float32."""


def has_own_code(
    adapter: Any, algorithm: str, spec: Spec, input_shape: Shape, memory_format: str
) -> bool:
    """Whether it is to be measured: "auto" is not where it is the same code as "native"."""
    if algorithm == "native":
        return True
    return isinstance(adapter, Chooses) and any(
        adapter.chooses(cost.spec, cost.input_shape, memory_format)
        for cost in layer_costs(spec, input_shape)
    )


class Ready(NamedTuple):
    """What a worker says of a job in one memory format, once it has run."""

    memory_format: str
    first_call: float  # seconds, in which most frameworks compile
    peak_bytes: int | None


class Worker:
    """A process with one framework, which builds by one algorithm."""

    def __init__(self, framework: str, algorithm: str) -> None:
        self.framework, self.algorithm = framework, algorithm
        context = multiprocessing.get_context("spawn")  # a fork would inherit thread pools
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, framework, algorithm), daemon=True
        )
        self.process.start()

    def prepare(self, job: Job) -> list[Ready]:
        """Build the module and run it once, in place of what was prepared before."""
        spec, *rest = job
        found = self._ask("prepare", to_json(spec), *rest)
        return [Ready(*each) for each in found]

    def burst(self, memory_format: str) -> float:
        """Seconds a call takes."""
        return float(self._ask("burst", memory_format))

    def _ask(self, *message: Any) -> Any:
        try:
            self.connection.send(message)
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise ConvparityError(
                f"{self.framework}: its process died while it was measured (out of memory?)"
            ) from None
        if isinstance(answer, ConvparityError):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.kill()


@contextmanager
def workers(frameworks: Iterable[str], algorithms: Iterable[str]) -> Iterator[list[Worker]]:
    """A worker for each framework and algorithm, ended at the end."""
    algorithms = tuple(algorithms)
    found = [Worker(framework, each) for framework in frameworks for each in algorithms]
    try:
        yield found
    finally:
        for worker in found:
            worker.close()


class Series(NamedTuple):
    """The times of one call, round by round, and what its first run said."""

    framework: str
    algorithm: str
    ready: Ready
    seconds: list[float]


def measure(found: Iterable[Worker], job: Job) -> list[Series]:
    """Every worker's times of a job, in each memory format, taken in turns."""
    calls, owners = {}, {}
    for worker in found:
        for ready in worker.prepare(job):
            key = worker.framework, worker.algorithm, ready.memory_format
            calls[key] = functools.partial(worker.burst, ready.memory_format)
            owners[key] = ready
    times = take_turns(calls)
    return [Series(key[0], key[1], owners[key], times[key]) for key in calls]


# ---------------------------------------------------------------- in the worker's process


def serve(connection: Connection, framework: str, algorithm: str) -> None:
    """Answer the parent until it closes the connection."""
    runners: dict[str, Callable[[], Any]] = {}
    while True:
        try:
            command, *arguments = connection.recv()
        except (EOFError, OSError):
            return
        answer: Any
        try:
            if command == "prepare":
                runners.clear()
                runners.update(_runners(framework, algorithm, *arguments))
                answer = [(name, *_first(call)) for name, call in runners.items()]
            else:
                answer = burst(runners[arguments[0]])
        except ConvparityError as error:
            answer = error
        connection.send(answer)


def _runners(
    framework: str, algorithm: str, spec_json: str, input_shape: Shape, direction: str, seed: int
) -> dict[str, Callable[[], Any]]:
    from convparity.analysis.report.quiet import import_frameworks
    from convparity.impls import registry
    from convparity.impls.spec import output_shape
    from convparity.impls.weights import init_weights

    spec, rng = from_json(spec_json), np.random.default_rng(seed)
    shape = output_shape(spec, input_shape)  # raises where a framework might not
    import_frameworks([framework])
    adapter = registry.get(framework)
    module = adapter.build(spec, init_weights(spec, seed), algorithm=algorithm)
    x = rng.standard_normal(input_shape).astype(np.float32)
    by_y = rng.standard_normal(shape).astype(np.float32) if direction == "gradient" else None
    return {
        name: call
        for name, call in adapter.runners(module, x, by_y).items()
        if has_own_code(adapter, algorithm, spec, input_shape, name)
    }


def _first(call: Callable[[], Any]) -> tuple[float, int | None]:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start, peak_bytes(call)
