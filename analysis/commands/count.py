"""``convparity count``."""

import json
from typing import Any

import click

from convparity.analysis.commands.shared import (
    find_subject,
    given_shape,
    json_option,
    open_console,
    write_json,
)
from convparity.impls.notation import to_json
from convparity.impls.spec import Layer, Shape, Spec, each_shape


@click.command()
@click.argument("what", metavar="LAYER_OR_NETWORK")
@click.option("--input", "shape", metavar="SHAPE", help="The input's shape: 1x224x224x3.")
@json_option
@click.option("--width", type=float, help="Multiplies the channels of mobilenet_v1.")
@click.option("--resolution", type=float, help="Multiplies a network's 224 pixels.")
@click.option("--classes", type=int, help="The size of a network's output.")
@click.option("--shallow", is_flag=True, default=None, help="mobilenet_v1 without five blocks.")
@click.option("--separable/--regular", default=None, help="Which blocks mobilenet_v1 has.")
def count(what: str, shape: str | None, path: str | None, **options: Any) -> None:
    """Learnables, MACs, FLOPs and bytes of a layer or a network.

    A layer is one line, in quotes; a convolution is shown beside its separable twin.

    \b
    convparity count "conv2d c3>64 k5 s2 hw228"
    convparity count "separable2d c32>64 k3 same nobias hw112"
    convparity count "conv2d c3>8 k3 hw32 | relu | gap | dense c8>10"
    convparity count mobilenet_v1 --width 0.5
    convparity count efficientnet_lite0
    """
    from convparity.analysis.cost import counting
    from convparity.analysis.report import tables

    given = {name: value for name, value in options.items() if value is not None}
    title, spec, input_shape = find_subject(what.strip(), given, given_shape(shape))
    shapes, pair = each_shape(input_shape), counting.twins(spec)
    specs = dict(zip(("regular", "separable"), pair, strict=True)) if pair else {title: spec}
    costs = {name: counting.total_cost(each, *shapes) for name, each in specs.items()}

    console = open_console(path)
    if pair or isinstance(spec, Layer):
        tables.show(console, tables.learnables_table(costs))
    else:
        blocks = counting.block_costs(spec, *shapes)
        tables.show(console, tables.blocks_table(blocks, costs[title]))
    tables.show(console, tables.costs_table(costs))
    if any(each.macs for each in costs.values()):
        tables.show(console, tables.conventions_table(costs))
    if path is not None:
        data: dict[str, Any] = {name: _report(each, *shapes) for name, each in specs.items()}
        if pair:
            before, after = (each.parameters for each in costs.values())
            data["reduction_percent"] = counting.reduction(before, after)
        write_json(path, data)


def _report(spec: Spec, *shapes: Shape) -> dict[str, Any]:
    """Everything that is known of a spec's cost, for JSON."""
    from convparity.analysis.cost import counting

    return {
        **counting.total_cost(spec, *shapes).as_dict(),
        "spec": json.loads(to_json(spec)),
        "tensors": [tensor._asdict() for tensor in counting.tensors(spec)],
        "layers": [step.as_dict() for step in counting.layer_costs(spec, *shapes)],
    }
