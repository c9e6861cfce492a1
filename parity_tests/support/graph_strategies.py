"""A strategy that draws graphs: branches that part and meet, layers that run again, graphs inside.

Nodes come from a small pool of shapes, of two channel numbers and two image sizes, so that
compilers meet each but once. What leads to no output is left out; the simplest graph is one ReLU.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from convparity import (
    Activation,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Graph,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Pad,
    Parameter,
    PReLU,
    Rearrange,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Slice,
    Spec,
    Subtract,
)
from convparity.impls.spec import Shape

CHANNELS = (2, 4)
SIZES = ((4, 2), (8, 4))  # of unequal axes; means over them are exact
BATCH = 2
MOST = 30
FEW = 4  # nodes of a graph inside another
NEAR = 4  # a node takes one of so many values before it
FUNCTIONS = ("relu", "relu6", "leaky_relu", "tanh", "hard_swish")


class Kind(NamedTuple):
    """The shape of a value, without the batch."""

    channels: int
    size: int  # an index into ``SIZES``

    @property
    def shape(self) -> Shape:
        """As a spec takes it."""
        return (BATCH, *SIZES[self.size], self.channels)


def _layers(kind: Kind, other: int) -> list[tuple[Spec, Kind]]:
    """The layers that take a value of one kind, with what they make; ``other`` channels, if so."""
    c, size = kind
    same, wide = kind, Kind(other, size)
    pad = {"padding": "same"}
    resized = Kind(other, 1 - size)
    resize = Conv(c, other, 3, 2, "same") if size else ConvTranspose(c, other, 3, 2, "same")
    sized = Slice(1, 0, None, 2) if size else Resize(scale=2)
    return [
        *((Activation(each), same) for each in FUNCTIONS),  # type: ignore[arg-type]
        (Conv(c, other, 1), wide),
        (Conv(c, other, 3, **pad), wide),  # type: ignore[arg-type]
        (Conv(c, c, 3, dilation=2, **pad), same),  # type: ignore[arg-type]
        (Conv(c, c, (3, 2), groups=2, bias=False, **pad), same),  # type: ignore[arg-type]
        (DepthwiseConv(c, 3, **pad), same),  # type: ignore[arg-type]
        (SeparableConv(c, other, 3, **pad), wide),  # type: ignore[arg-type]
        (ConvTranspose(c, c, 3, **pad), same),  # type: ignore[arg-type]
        (resize, resized),
        (BatchNorm(c), same),
        (LayerNorm(c), same),
        (GroupNorm(2, c), same),
        (Scale(c), same),
        (MaxPool(3, 1, "same"), same),
        (AvgPool(3, 1, "same", count_include_pad=False), same),
        (PReLU(c), same),
        (InstanceNorm(c), same),
        (RMSNorm(c), same),
        (Dense(c, other), wide),
        (Sequential(Pad((1, 1), "reflect"), Conv(c, other, 3)), wide),
        (Rearrange("n h w (g c) -> n h w (c g)", g=2), same),
        (Sequential(Slice(2, 0, None, 2), sized) if size else sized, Kind(c, 1 - size)),
    ]


def _sources(kind: Kind) -> list[Spec]:
    """What a graph may hold by itself, in the shape of a value."""
    _, *sizes = kind.shape
    count = sizes[0] * sizes[1] * sizes[2]
    return [Parameter(sizes), Constant([(i % 7 - 3) / 4 for i in range(count)], sizes)]


WAYS = (
    "layer",
    "layer",
    "layer",
    "sum",
    "difference",
    "product",
    "gate",
    "extreme",
    "concat",
    "parts",
    "again",
    "parameter",
    "graph",
)


class _Drawing:
    """A graph on its way."""

    def __init__(self, draw: Callable[..., Any], start: Kind) -> None:
        self.draw = draw
        self.nodes: dict[str, tuple[Spec | str, ...]] = {}
        self.made: dict[str, Kind] = {"x": start}
        self.ran: dict[str, tuple[Kind, Kind]] = {}  # layers that may run again

    def add(self, spec: Spec | str, *inputs: str, kind: Kind) -> str:
        """A node more."""
        name = f"n{len(self.nodes)}"
        if isinstance(spec, str):
            kind = self.ran[spec][1]
        else:
            self.ran[name] = self.made[inputs[0]] if inputs else kind, kind
        self.nodes[name] = (spec, *inputs)
        self.made[name] = kind
        return name

    def value(self, alike: Kind | None = None, size: int | None = None) -> str:
        """One of the last values, of one kind or of one size if asked."""
        fitting = [
            name
            for name, kind in reversed(self.made.items())
            if alike in (None, kind) and size in (None, kind.size)
        ]
        return str(self.draw(st.sampled_from(fitting[:NEAR])))

    def node(self, depth: int) -> None:
        """What follows next."""
        first = self.value()
        kind = self.made[first]
        match self.draw(st.sampled_from(WAYS if depth else WAYS[:-1])):
            case "layer":
                other = self.draw(st.sampled_from(CHANNELS))
                spec, made = self.draw(st.sampled_from(_layers(kind, other)))
                self.add(spec, first, kind=made)
            case "sum":
                others = [self.value(kind) for _ in range(self.draw(st.integers(1, 2)))]
                self.add(Add(), first, *others, kind=kind)
            case "difference":
                self.add(Subtract(), self.value(kind), first, kind=kind)
            case "product":  # of what is bounded: the product of many values would overflow
                bounded = self.add(Activation("sigmoid"), self.value(kind), kind=kind)
                self.add(Multiply(), first, bounded, kind=kind)
            case "gate":
                c, size = kind
                parts = AvgPool(SIZES[size]), Conv(c, c, 1), Activation("sigmoid")
                gate = self.add(Sequential(*parts), first, kind=Kind(c, -1))
                joined = self.draw(st.sampled_from([Multiply(), Add()]))
                self.add(joined, first, gate, kind=kind)
                del self.made[gate], self.ran[gate]
            case "extreme":
                joined = self.draw(st.sampled_from([Maximum(), Minimum(), Average()]))
                self.add(joined, first, self.value(kind), kind=kind)
            case "parts":  # of channels, and one after another in their other order
                half = Kind(kind.channels // 2, kind.size)
                low = self.add(Slice(-1, 0, half.channels), first, kind=half)
                high = self.add(Slice(-1, half.channels), first, kind=half)
                self.add(Concat(), high, low, kind=kind)
                for part in (low, high):
                    del self.made[part], self.ran[part]
            case "concat":
                self.concat([first, self.value(size=kind.size)])
            case "again":
                known = [name for name, (taken, _) in self.ran.items() if taken == kind]
                alone = [name for name in known if len(self.nodes[name]) == 2]  # no join, no source
                if not alone:
                    alone = [self.add(Conv(kind.channels, kind.channels, 1), first, kind=kind)]
                self.add(str(self.draw(st.sampled_from(alone[::-1]))), first, kind=kind)
            case "parameter":  # added as a position is, multiplied as a scale of a layer is
                own = self.add(self.draw(st.sampled_from(_sources(kind))), kind=kind)
                joined = self.draw(st.sampled_from([Add(), Multiply(), Concat(1)]))
                if isinstance(joined, Concat):  # as a token: in front, and left out again
                    both = self.add(joined, own, first, kind=kind)
                    behind = self.add(Slice(1, SIZES[kind.size][0]), both, kind=kind)
                    del self.made[both], self.ran[both], self.ran[behind]
                else:
                    self.add(joined, first, own, kind=kind)
                del self.made[own], self.ran[own]
            case "graph":
                inner, made = self.draw(_graphs(kind, FEW, 0))
                self.add(inner, first, kind=made)

    def concat(self, inputs: list[str]) -> None:
        """Values one after another, and a convolution back to the pool of channels."""
        kinds = [self.made[each] for each in inputs]
        channels, size = sum(kind.channels for kind in kinds), kinds[0].size
        both = self.add(Concat(), *inputs, kind=Kind(channels, size))
        made = Kind(self.draw(st.sampled_from(CHANNELS)), size)
        self.add(Conv(channels, made.channels, 1), both, kind=made)
        del self.made[both], self.ran[both]

    def graph(self) -> tuple[Graph, Kind]:
        """What was drawn: loose ends that fit the last value are added to it, others left out."""
        (*_, last) = self.nodes
        taken = {name for _, *inputs in self.nodes.values() for name in inputs}
        loose = [n for n, kind in self.made.items() if n not in taken and kind == self.made[last]]
        if len(loose) > 1:
            last = self.add(Add(), *loose[-3:], kind=self.made[last])
        needed = {last}
        for name, (spec, *inputs) in reversed(self.nodes.items()):
            if name in needed:
                needed |= {*inputs} | ({spec} if isinstance(spec, str) else set())
        # a layer that runs again must run before, and lead to the output there, too
        kept = {name: self.nodes[name] for name in self.nodes if name in needed}
        return Graph(_live(kept, last), outputs=last), self.made[last]


def _live(nodes: dict[str, Any], last: str) -> dict[str, Any]:
    """The nodes that lead to the output; a layer whose first run does not moves to its next."""
    while True:
        leads = {last}
        for name, (_, *inputs) in reversed(nodes.items()):
            if name in leads:
                leads |= {*inputs}
        dead = next((name for name in nodes if name not in leads), None)
        if dead is None:
            return nodes
        spec = nodes[dead][0]
        heir = next((n for n, (again, *_) in nodes.items() if again == dead), None)
        found: dict[str, Any] = {}
        for name, (own, *inputs) in nodes.items():
            if name == heir:
                own = spec
            elif own == dead:
                own = heir
            if name != dead:
                found[name] = (own, *inputs)
        nodes = found


@st.composite
def _graphs(draw: Any, start: Kind, most: int, depth: int) -> tuple[Graph, Kind]:
    drawing = _Drawing(draw, start)
    count = draw(st.integers(1, most))
    while len(drawing.nodes) < count:
        drawing.node(depth)
    return drawing.graph()


def with_several_values(spec: Spec) -> Graph:
    """A graph of two inputs and two outputs, which runs ``spec`` twice."""
    return Graph(
        {
            "first": (spec, "u"),
            "less": (Subtract(), "u", "v"),
            "second": ("first", "less"),
        },
        inputs=("u", "v"),
        outputs={"b": "second", "a": "first"},
    )


def doubled(pair: tuple[Spec, Shape]) -> tuple[Graph, tuple[Shape, Shape]]:
    """``with_several_values`` of a graph, and the shapes of its inputs."""
    spec, shape = pair
    return with_several_values(spec), (shape, shape)


@st.composite
def graphs(draw: Any, most: int = MOST) -> tuple[Spec, Shape]:
    """A graph of about ``most`` nodes at most, of one input and one output, and its input shape."""
    start = Kind(draw(st.sampled_from(CHANNELS)), draw(st.sampled_from(range(len(SIZES)))))
    spec, _ = draw(_graphs(start, most, 1))
    return spec, start.shape
