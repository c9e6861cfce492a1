"""PyTorch's own samples of its operations, as specs: judged in every framework, and in PyTorch.

    python -m parity_tests.trials.torch_samples [--op conv2d ...] [--framework flax ...]

The samples are those by which PyTorch tests itself (OpInfo). Each becomes a spec, its weights and
its input, channels last; one without a batch gets a batch of 1. What torch gives for the sample is
judged as each framework's output is, by the float64 reference and its bound. A sample that no
spec says is counted with its reason.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click
import torch

from convparity.analysis.proof.compare import precision
from convparity.analysis.proof.data import traced
from convparity.impls import registry
from convparity.impls.errors import ConvparityError
from convparity.impls.spec import output_shape
from parity_tests.trials.sample_specs import SPECS, Said, said


class Sample(NamedTuple):
    """A sample of torch's: how to run it, and how a spec says it."""

    name: str
    run: Callable[[], Any]
    said: Callable[[], Said]


def samples(op: str) -> Iterator[Sample]:
    """Those of each variant of an operation that takes float32."""
    from torch.testing._internal.common_methods_invocations import op_db

    found = [info for info in op_db if info.name in (op, f"nn.functional.{op}")]
    for info in found:
        if torch.float32 not in info.supported_dtypes("cpu"):
            continue
        for i, each in enumerate(info.sample_inputs("cpu", torch.float32, requires_grad=False)):
            given, how = (each.input, *each.args), each.kwargs
            yield Sample(
                f"{info.formatted_name} {i}",
                lambda run=info.op, given=given, how=how: run(*given, **how),
                lambda given=given, how=how: said(op, *given, **how),
            )


def judged(sample: Sample, adapters: list[Any]) -> dict[str, str | None]:
    """What is wrong with each output, if anything; a ``ConvparityError`` where no spec says it."""
    spec, weights, x, canonical, dtype = sample.said()
    output_shape(spec, x.shape)  # raises where the spec does not take it
    target = traced(spec, weights, x, dtype)

    def wrong(output: Any) -> str | None:
        verdict = precision(output, target)
        return None if verdict.ok or verdict.untested else str(verdict)

    found = {"torch": wrong(canonical(sample.run()))}
    for adapter in adapters:
        module = adapter.build(spec, weights, device="cpu", dtype=dtype)
        found[adapter.name] = wrong(adapter.apply(module, spec, x))
    return found


@click.command()
@click.option("--op", "ops", multiple=True, type=click.Choice(list(SPECS)))
@click.option(
    "--framework", "frameworks", multiple=True, type=click.Choice(list(registry.FRAMEWORKS))
)
@click.option("--each", is_flag=True, help="Print every sample that is refused.")
def main(ops: tuple[str, ...], frameworks: tuple[str, ...], each: bool) -> None:
    """Judge the samples; exit with status 1 if an output is wrong."""
    adapters = [registry.get(name) for name in frameworks or registry.FRAMEWORKS]
    total: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for op in ops or SPECS:
        here: Counter[str] = Counter()
        for sample in samples(op):
            here["samples"] += 1
            try:
                found = judged(sample, adapters)
            except ConvparityError as error:
                here["refused"] += 1
                reasons[f"{op}: {error}" if each else f"{op}: {_kind(error)}"] += 1
                continue
            for name, problem in found.items():
                if problem is not None:
                    here["wrong"] += 1
                    print(f"WRONG {sample.name} in {name}: {problem}")
        total += here
        print(f"{op}: {_summary(here)}", flush=True)
    for reason, times in reasons.most_common():
        print(f"  {times} refused: {reason}")
    print(f"all: {_summary(total)}, {total['refused'] / max(total['samples'], 1):.1%} refused")
    sys.exit(total["wrong"] > 0)


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[what]} {what}" for what in ("samples", "wrong", "refused"))


def _kind(error: ConvparityError) -> str:
    """The error without its numbers."""
    return "".join("n" if char.isdigit() else char for char in str(error))


if __name__ == "__main__":
    main()
