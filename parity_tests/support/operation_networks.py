"""Networks that hold every kind of operation, each in branches with outputs of their own.

The axes of the value that branches take have one size, so that one taken for another still fits.
"""

from typing import Any

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    Clamp,
    Constant,
    Conv,
    Dense,
    Divide,
    Einsum,
    GlobalMaxPool,
    Graph,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Minimum,
    Multiply,
    Power,
    PReLU,
    Reduce,
    Rescale,
    RMSNorm,
    Spec,
)

SHAPE = (2, 6, 6, 3)


def branches(**nodes: Any) -> Graph:
    """A graph of nodes that take what a convolution makes, or another node; each is an output."""
    wired = {
        name: node if isinstance(node, tuple) else (node, "stem") for name, node in nodes.items()
    }
    return Graph({"stem": (Conv(3, 6, 1), "x"), **wired}, outputs={n: n for n in wired})


POOLS = branches(
    ceiled=MaxPool(3, 2, ceil_mode=True),
    averaged=AvgPool(3, 2, 1, ceil_mode=True),
    divided=AvgPool(3, 2, divisor_override=5),
    dilated=MaxPool(2, 1, dilation=2),
    places=MaxPoolIndices(3, 2, 1),
    largest=GlobalMaxPool(),
    adaptive=AdaptiveMaxPool((4, 5)),
    mean=AdaptiveAvgPool((4, 5)),
)
UNPOOLED = branches(  # of windows that share pixels, and of such that share none
    largest=MaxPool(3, 2, 1),
    places=MaxPoolIndices(3, 2, 1),
    back=(MaxUnpool(3, 2, 1, output_size=6), "largest", "places"),
    halves=MaxPool(2),
    spots=MaxPoolIndices(2),
    mixed=(Conv(6, 6, 1), "halves"),
    spread=(MaxUnpool(2), "mixed", "spots"),
    narrow=(Conv(6, 2, 3), "spread"),
)
NORMS = branches(
    instance=InstanceNorm(6, 1e-3),
    square=RMSNorm(6, 1e-3),
    rows=LayerNorm(6, 1e-3, axes=1),
    groups=GroupNorm(3, 6, 1e-3),
)
FUNCTIONS = branches(
    softmax=Activation("softmax", axis=1),
    logarithm=Activation("log_softmax", axis=2),
    softplus=Activation("softplus", 2.0),
    celu=Activation("celu", 0.5),
    soft=Activation("soft_shrink", 2.0),
    hard=Activation("hard_shrink", 2.0),
    slopes=PReLU(6),
    clamp=Clamp(-1.5, 2.5),
)
REDUCTIONS = branches(
    mean=Reduce("mean", (1, 2), keepdims=True),
    sum=Reduce("sum", -1),
    max=Reduce("max", 1),
    min=Reduce("min", (1, -1)),
    var=Reduce("var", (1, 2)),
    std=Reduce("std", -1, correction=1),
    norm=Reduce("norm", 2),
    norm1=Reduce("norm1", (1, 2)),
)
ARITHMETIC = branches(
    bounded=Activation("tanh"),
    divisor=(Rescale(0.5, 2), "bounded"),
    colours=Rescale((0.5, -2, 0.1, 3, 1, 2), (1, 2, -3, 0.5, 0, 4)),
    inverse=(Power(-2), "divisor"),
    cube=(Power(3), "bounded"),
    quotient=(Divide(), "stem", "divisor"),
    largest=(Maximum(), "stem", "colours"),
    smallest=(Minimum(), "stem", "colours"),
    average=(Average(), "stem", "colours", "bounded"),
    mean=Reduce("mean", (1, 2), keepdims=True),
    gate=(Multiply(), "bounded", "mean"),
    row=Reduce("max", 1),
    column=Reduce("min", 2),
    scores=(Einsum("n q c, n k c -> n q k"), "row", "column"),
    scaled=(Rescale(0.4), "scores"),
    numbers=(Constant((257, 1, -2, 0.5, 3, 1025), (1, 1, 6)),),  # bfloat16 does not hold them all
    shifted=(Add(), "stem", "numbers"),
)
DENSE = branches(
    channels=Dense(6, 6),
    rows=Dense(6, 6, axis=1),
    columns=Dense(6, 6, bias=False, axis=2),
)
NETWORKS: dict[str, Spec] = {
    "pools": POOLS,
    "unpools": UNPOOLED,
    "norms": NORMS,
    "functions": FUNCTIONS,
    "reductions": REDUCTIONS,
    "arithmetic": ARITHMETIC,
    "dense layers": DENSE,
}
