"""What each framework supports, found out by running it: the table of the README.

A cell is "exact" where the framework gives the reference's bits on integers. What takes a root, a
mean or an elementary function may round even there: it is "within proved bound" (sums, products,
means and norms) or "within measured margin" (the functions of a library). Which of them, the spec
says and not the machine. "refused" has its reason below the table.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from convparity.analysis.proof.compare import Verdict, compare
from convparity.impls.errors import UnsupportedError
from convparity.impls.notation import from_line

ROWS = {
    "valid, unequal kernel and strides": "conv{r}d c4>6 k3x2 s2x3 {size}",
    "same at any stride, even kernel": "conv{r}d c4>6 k4 s3 same {size}",
    "explicit asymmetric pairs": "conv{r}d c4>6 k3 s2 p1:2x0:3 {size}",
    "stride with dilation": "conv{r}d c4>6 k3 s2 d2 same {size}",
    "groups": "conv{r}d c4>6 k3 s2 d1x2 g2 same nobias {size}",
    "causal": "conv{r}d c4>6 k3 s2 d2 causal {size}",
    "reflect padding, more than the size": "conv{r}d c4>6 k3 p9x2 reflect {size}",
    "replicate padding": "conv{r}d c4>6 k3 s2 same replicate {size}",
    "circular padding, more than the size": "conv{r}d c4>6 k3 p9x2 circular {size}",
    "depthwise, multiplier, stride with dilation": "depthwise{r}d c4 k3 s2x1 d2 m3 same {size}",
    "depthwise, causal": "depthwise{r}d c4 k3 s2 causal m2 {size}",
    "separable, a bias on each step": "separable{r}d c4>6 k5 s2 m2 same nodwbias {size}",
    "transposed, asymmetric, output padding": "transpose{r}d c4>6 k4 s3x2 p1:0x0:2 op2x1 {size}",
    "transposed, same": "transpose{r}d c4>6 k4 s2 same {size}",
    "transposed, groups and dilation": "transpose{r}d c4>6 k3 s2 d2 g2 {size}",
    "max pooling, asymmetric": "maxpool{r}d k3 s2 p1:2x0:1 {size} c4",
    "average pooling, padding counted": "avgpool{r}d k2 s1 p1:0x0:1 {size} c4",
    "average pooling, padding not counted": "avgpool{r}d k3 s2 same nocount {size} c4",
    "batch normalisation": "batchnorm{r}d c4 eps0.001 {size}",
    "layer normalisation": "layernorm c4 {size}",
    "group normalisation": "groupnorm g2 c4 {size}",
    "channel-wise scale": "scale c4 {size}",
    "global average pooling": "relu {power} c4 | gap",
    "flatten and dense": "conv{r}d c4>4 k1 {power} | flatten | dropout p0.2 | dense c{flat}>3",
    "residual": "residual( conv{r}d c4>4 k3 same {size} ; conv{r}d c4>4 k1 )",
    "leaky_relu, elu, silu": "leaky_relu a0.2 {size} c4 | elu | silu",
    "gelu, gelu_tanh, tanh": "gelu {size} c4 | gelu_tanh | tanh",
    "sigmoid, hard_sigmoid, hard_swish": "sigmoid {size} c4 | hard_sigmoid | hard_swish",
    "softplus, softmax": "softplus {size} c4 | softmax",
    "adaptive average pooling": "adaptiveavgpool{r}d o3 {size} c4",
    "pad and crop, a value": "pad p1:2x-1:0 value0.5 {size} c4",
    "pad and crop, reflect": "pad p9:2x-1:0 reflect {size} c4",
    "rearrange": "rearrange n,...,[g,c]->n,...,[c,g] g=2 {size} c4",
    "slice": "slice axis=-1 start=1 {size} c4 | slice axis=1 stop=-1 step=2",
    "adaptive and global max pooling": ("adaptivemaxpool{r}d o3 {size} c4 | gmp"),
    "rescaling": "rescale scale=0.5 offset=-3.0 {size} c4",
    "a whole power": "power exponent=3 {size} c4",
    "another power": "relu {size} c4 | power exponent=1.5",
    "reductions, exact": "reduce function=sum axes=1 {size} c4 | reduce function=max axes=-1 "
    "keepdims=true",
    "reductions, with a root or a mean": "reduce function=std axes=-1 keepdims=true {size} c4",
    "resizing, nearest": "resize{r}d to9 {size} c4",
    "resizing, linear, half pixels": "resize{r}d by3 linear {size} c4",
    "resizing, linear, aligned corners": ("resize{r}d to10 linear corners {size} c4"),
    "max pooling, ceil_mode, dilation": "maxpool{r}d k2 s2 d2 p1 ceil {size} c4",
    "average pooling, ceil_mode, padding counted": "avgpool{r}d k3 s3 p1 ceil {size} c4",
    "average pooling, a divisor": "avgpool{r}d k2 div3 {size} c4",
    "norms of one parameter": "batchnorm{r}d c4 nooffset {size} | groupnorm g2 c4 noscale",
    "instance normalisation": "instancenorm c4 {size}",
    "normalisation by the root mean square": "rmsnorm c4 {size}",
    "norms over a spatial axis": "layernorm_over of7 axes1 {size} c4 | rmsnorm_over of7 axes1",
    "softmax, log_softmax, over a spatial axis": "softmax axis1 {size} c4 | log_softmax axis1",
    "clamp, identity": "clamp low-1.0 high2.0 {size} c4 | identity | dropout channel",
    "prelu": "prelu slopes4 {size} c4",
    "mish, selu, celu": "mish {size} c4 | selu | celu a0.5",
    "softsign, tanhshrink, log_sigmoid": "softsign {size} c4 | tanhshrink | log_sigmoid",
    "quick_gelu, softplus with a beta": "quick_gelu {size} c4 | softplus a2.0",
    "abs, hard_shrink": "abs {size} c4 | hard_shrink a2.0",
    "places of max pooling": "maxpoolindices{r}d k3 s2 p1 ceil {size} c4",
    "relu_squared, soft_shrink": "relu_squared {size} c4 | soft_shrink",
    "resizing, nearest-exact, by a fraction": "resize{r}d by1.3 nearest-exact {size} c4",
    "resizing, cubic": "resize{r}d to9 cubic {size} c4",
    "resizing, antialias": "resize{r}d to3 linear antialias {size} c4",
    "resizing, area": "resize{r}d to3 area {size} c4",
    "dense along another axis": "dense_along c7>3 axis1 {size} c4",
    "a parameter by itself": "parameter shape=3x4 {size} c4",
    "constants": "constant values=[1.0,-2.0,0.5,3.0] shape=2x2 {size} c4",
}
CELLS = {"exact": "exact", "proved": "within proved bound", "measured": "within measured margin"}
SIZES = {1: "w7", 2: "hw7x6", 3: "dhw7x6x5"}
POWERS = {1: "w4", 2: "hw4x2", 3: "dhw4x2x2"}
SIZED = re.compile("(k|s|d|p|op)([-0-9:]+(?:x[-0-9:]+)+)")
CAUSAL = ("causal", "depthwise, causal")  # rank 1 only

# Why a cell is refused: (row, framework) -> the reason, and where there is one, a reference.
REASONS: dict[tuple[str, str], str] = {}


class Row(NamedTuple):
    """A feature, the spec that stands for it, and what each framework makes of it."""

    feature: str
    line: str
    cells: dict[str, str]


def line(row: str, rank: int) -> str:
    """The spec of a row at a rank, in its one-line form."""
    flat = {1: 16, 2: 32, 3: 64}[rank]
    text = ROWS[row].format(r=rank, size=SIZES[rank], power=POWERS[rank], flat=flat)
    return " ".join(_at_rank(word, rank) for word in text.split(" "))


def _at_rank(word: str, rank: int) -> str:
    """A window's token, such as ``k3x2``, with as many sizes as there are axes."""
    if (token := SIZED.fullmatch(word)) is None:
        return word
    sizes = token[2].split("x")
    return token[1] + "x".join((sizes + sizes[:1])[:rank])


def cells(row: str, rank: int, frameworks: Sequence[str]) -> list[str]:
    """What each framework makes of a row at a rank."""
    spec, input_shape = from_line(line(row, rank))
    try:
        verdicts = compare(spec, frameworks=frameworks, input_shape=input_shape)
    except UnsupportedError:  # of one of them; each is asked by itself
        if len(frameworks) == 1:
            return ["refused"]
        return [cells(row, rank, [name])[0] for name in frameworks]
    return [_cell(verdict) for verdict in verdicts]


def _cell(verdict: Verdict) -> str:
    if not verdict.ok:
        return verdict.status.replace("wrong", "WRONG")
    return CELLS[verdict.structure.basis]


def table(names: Sequence[str], found: Iterable[Row]) -> Iterator[str]:
    """The lines of the table in Markdown: a row for each feature, a cell for each framework."""
    yield f"| | in one line (rank 2) | {' | '.join(names)} |"
    yield "|---" * (2 + len(names)) + "|"
    for row in found:
        shown = row.line.replace("|", "\\|")
        yield f"| {row.feature} | `{shown}` | {' | '.join(row.cells[name] for name in names)} |"
    for (feature, name), reason in REASONS.items():
        yield f"\n{feature}, {name}: {reason}"


def rows(names: Sequence[str]) -> Iterator[Row]:
    """What each framework makes of each feature: at ranks 1, 2 and 3 at once (causal: at rank 1).

    Ranks that differ are named.
    """
    for feature in ROWS:
        ranks = (1,) if feature in CAUSAL else (1, 2, 3)
        shown = line(feature, ranks[-1] if len(ranks) == 1 else 2)
        by_rank = [cells(feature, rank, names) for rank in ranks]
        merged = [
            found[0]
            if len(set(found)) == 1
            else ", ".join(f"rank {rank}: {each}" for rank, each in zip(ranks, found, strict=True))
            for found in zip(*by_rank, strict=True)
        ]
        yield Row(feature, shown, dict(zip(names, merged, strict=True)))
