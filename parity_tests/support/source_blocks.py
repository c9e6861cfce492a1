"""Blocks of real networks, written in PyTorch's axes as their sources have them.

Each gives the program; how many real transposes its graph may have is said by the test.
"""

from collections.abc import Callable
from typing import Any

from convparity import (
    Activation,
    AdaptiveAvgPool,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    LayerNorm,
    MaxPool,
    Multiply,
    Reduce,
    Rescale,
    Scale,
    Slice,
)
from convparity.impls.layout import (
    BATCH,
    Along,
    Contract,
    Expand,
    Input,
    Matmul,
    Operation,
    Permute,
    Program,
    Select,
    View,
)

N = BATCH
BLOCKS: dict[str, Callable[[], Program]] = {}


def block(make: Callable[[], Program]) -> Callable[[], Program]:
    """A block under the name of its function."""
    BLOCKS[make.__name__] = make
    return make


class Source:
    """A program that is written line by line: ``s(what, *values)`` gives the name of a value."""

    def __init__(self, *shape: int, channels: int = 1) -> None:
        self.inputs = (Input("x", shape, channels),)
        self.operations: list[Operation] = []

    def __call__(self, what: Any, *inputs: str) -> str:
        name = f"v{len(self.operations)}"
        self.operations.append(Operation(name, what, inputs))
        return name

    def view(self, x: str, *shape: int) -> str:
        """``x.view(shape)``."""
        return self(View(shape), x)

    def permute(self, x: str, *order: int) -> str:
        """``x.permute(order)``."""
        return self(Permute(order), x)

    def act(self, x: str, function: Any = "relu", axis: int | None = None) -> str:
        """An activation."""
        return self(Activation(function, axis=axis), x)

    def program(self, *outputs: str) -> Program:
        """The program of these outputs."""
        return Program(
            self.inputs, tuple(self.operations), outputs[0] if len(outputs) == 1 else outputs
        )


def attend(s: Source, q: str, k: str, v: str, d: int) -> str:
    """``softmax(q @ k.transpose(-2, -1) / sqrt(d)) @ v`` of ``(N, h, L, d)``."""
    scores = s(Rescale(d**-0.5), s(Matmul(), q, s.permute(k, 0, 1, 3, 2)))
    return s(Matmul(), s.act(scores, "softmax", -1), v)


def self_attention(s: Source, x: str, batch: int, length: int, dim: int, heads: int) -> str:
    """timm's ``Attention`` of ``(batch, length, dim)``."""
    d = dim // heads
    qkv = s.view(s(Dense(dim, 3 * dim), x), batch, length, 3, heads, d)
    qkv = s.permute(qkv, 2, 0, 3, 1, 4)
    q, k, v = (s(Select(0, i), qkv) for i in range(3))
    y = s.view(s.permute(attend(s, q, k, v, d), 0, 2, 1, 3), batch, length, dim)
    return s(Dense(dim, dim), y)


def mlp(s: Source, x: str, dim: int, hidden: int) -> str:
    """Two dense layers on the last axis."""
    return s(Dense(hidden, dim), s.act(s(Dense(dim, hidden), x), "gelu"))


@block
def channel_shuffle() -> Program:
    """ShuffleNetV2's unit: two halves, one filtered, joined and shuffled."""
    s = Source(N, 8, 6, 5)
    a, b = (s(Slice(1, i, i + 4), "x") for i in (0, 4))
    b = s.act(s(DepthwiseConv(4, 3, padding=1), s(Conv(4, 4, 1), b)))
    y = s.view(s(Concat(1), a, b), N, 2, 4, 6, 5)
    y = s.view(s.permute(y, 0, 2, 1, 3, 4), N, 8, 6, 5)
    return s.program(s(Conv(8, 4, 3), y))


@block
def squeeze_and_excite() -> Program:
    """A gate of each channel, of dense layers, as SENet has it."""
    s = Source(N, 8, 6, 5)
    gate = s(Dense(8, 2), s(Reduce("mean", (2, 3)), "x"))
    gate = s.act(s(Dense(2, 8), s.act(gate)), "sigmoid")
    return s.program(s(Multiply(), "x", s.view(gate, N, 8, 1, 1)))


@block
def convnext() -> Program:
    """ConvNeXt's block: channels last for a norm and two dense layers, and back."""
    s = Source(N, 8, 6, 5)
    y = s.permute(s(DepthwiseConv(8, 3, padding=1), "x"), 0, 2, 3, 1)
    y = mlp(s, s(LayerNorm(8), y), 8, 16)
    y = s.permute(s(Along(Scale(8), -1), y), 0, 3, 1, 2)
    return s.program(s(Add(), "x", y))


@block
def alexnet() -> Program:
    """The end of AlexNet and VGG: pooled, flattened, dense."""
    s = Source(N, 3, 12, 10)
    y = s(MaxPool(2), s.act(s(Conv(3, 8, 3), "x")))
    y = s.view(s(AdaptiveAvgPool((3, 2)), y), N, 48)
    return s.program(s(Dense(7, 5), s.act(s(Dense(48, 7), y))))


@block
def levit() -> Program:
    """LeViT's attention: heads (N, h, L, d), and a batch norm of all tokens of all examples."""
    s = Source(N, 16, 4, 3)
    x = s.permute(s.view("x", N, 16, 12), 0, 2, 1)
    y = s.view(s(Dense(16, 64, bias=False), x), N * 12, 64)
    y = s.view(s(BatchNorm(64, rank=1), y), N, 12, 4, 16)
    q = s.permute(s(Slice(3, 0, 4), y), 0, 2, 1, 3)
    k = s.permute(s(Slice(3, 4, 8), y), 0, 2, 3, 1)
    v = s.permute(s(Slice(3, 8, 16), y), 0, 2, 1, 3)
    a = s.act(s(Rescale(0.5), s(Matmul(), q, k)), "softmax", -1)
    y = s.view(s.permute(s(Matmul(), a, v), 0, 2, 1, 3), N, 12, 32)
    y = s(Add(), x, s(Dense(32, 16), s.act(y, "hard_swish")))
    return s.program(s(Conv(16, 8, 1), s.view(s.permute(y, 0, 2, 1), N, 16, 4, 3)))


@block
def efficientvit() -> Program:
    """EfficientViT-M's cascaded attention: convolutions of each head's own channels."""
    s = Source(N, 16, 4, 3)
    outs = []
    feat = ""
    for head in range(2):
        part = s(Slice(1, 8 * head, 8 * head + 8), "x")
        feat = s(Add(), feat, part) if feat else part
        y = s(BatchNorm(16), s(Conv(8, 16, 1, bias=False), feat))
        q, k = (s(Slice(1, i, i + 4), y) for i in (0, 4))
        v = s(Slice(1, 8, 16), y)
        q = s(DepthwiseConv(4, 3, padding=1), q)
        q, k, v = s.view(q, N, 4, 12), s.view(k, N, 4, 12), s.view(v, N, 8, 12)
        scores = s(Rescale(0.5), s(Matmul(), s.permute(q, 0, 2, 1), k))
        a = s.permute(s.act(scores, "softmax", -1), 0, 2, 1)
        feat = s.view(s(Matmul(), v, a), N, 8, 4, 3)
        outs.append(feat)
    return s.program(s(Conv(16, 16, 1), s.act(s(Concat(1), *outs))))


@block
def vision_transformer() -> Program:
    """A patch embedding and a block of attention."""
    s = Source(N, 3, 12, 8)
    x = s.permute(s.view(s(Conv(3, 16, 4, 4), "x"), N, 16, 6), 0, 2, 1)
    x = s(Add(), x, self_attention(s, s(LayerNorm(16), x), N, 6, 16, 4))
    x = s(Add(), x, mlp(s, s(LayerNorm(16), x), 16, 32))
    return s.program(s(Dense(16, 5), s(Reduce("mean", 1), s(LayerNorm(16), x))))


@block
def mixer() -> Program:
    """MLP-Mixer's block: dense layers along the tokens, then along the channels."""
    s = Source(N, 12, 8, channels=-1)
    y = s.permute(s(LayerNorm(8), "x"), 0, 2, 1)
    x = s(Add(), "x", s.permute(mlp(s, y, 12, 6), 0, 2, 1))
    return s.program(s(Add(), x, mlp(s, s(LayerNorm(8), x), 8, 16)))


def rolled(s: Source, x: str, shift: int) -> str:
    """``torch.roll(x, (shift, shift), (1, 2))``."""
    for axis in (1, 2):
        x = s(Concat(axis), s(Slice(axis, -shift), x), s(Slice(axis, 0, -shift), x))
    return x


@block
def swin() -> Program:
    """Two blocks of Swin, the second shifted, and the merging of patches; (N, H, W, C) inside."""
    s = Source(N, 8, 6, 4)
    x = s.permute("x", 0, 2, 3, 1)
    for shift in (0, 1):
        y = s(LayerNorm(8), x)
        y = rolled(s, y, -shift) if shift else y
        y = s.permute(s.view(y, N, 3, 2, 2, 2, 8), 0, 1, 3, 2, 4, 5)
        y = self_attention(s, s.view(y, N * 6, 4, 8), N * 6, 4, 8, 2)
        y = s.permute(s.view(y, N, 3, 2, 2, 2, 8), 0, 1, 3, 2, 4, 5)
        y = s.view(y, N, 6, 4, 8)
        y = rolled(s, y, shift) if shift else y
        x = s(Add(), x, y)
        x = s(Add(), x, mlp(s, s(LayerNorm(8), x), 8, 16))
    parts = [s(Slice(2, j, None, 2), s(Slice(1, i, None, 2), x)) for j in (0, 1) for i in (0, 1)]
    x = s(Dense(32, 16), s(LayerNorm(32), s(Concat(-1), *parts)))
    return s.program(s.permute(x, 0, 3, 1, 2))


@block
def maxvit() -> Program:
    """MaxViT: attention within windows, then within a grid."""
    s = Source(N, 8, 6, 4)
    x = s.permute(s(Conv(8, 8, 3, padding=1), "x"), 0, 2, 3, 1)
    y = s.permute(s.view(s(LayerNorm(8), x), N, 3, 2, 2, 2, 8), 0, 1, 3, 2, 4, 5)
    y = self_attention(s, s.view(y, N * 6, 4, 8), N * 6, 4, 8, 2)
    y = s.permute(s.view(y, N, 3, 2, 2, 2, 8), 0, 1, 3, 2, 4, 5)
    x = s(Add(), x, s.view(y, N, 6, 4, 8))
    y = s.permute(s.view(s(LayerNorm(8), x), N, 3, 2, 2, 2, 8), 0, 2, 4, 1, 3, 5)
    y = self_attention(s, s.view(y, N * 4, 6, 8), N * 4, 6, 8, 2)
    y = s.permute(s.view(y, N, 2, 2, 3, 2, 8), 0, 3, 1, 4, 2, 5)
    x = s(Add(), x, s.view(y, N, 6, 4, 8))
    return s.program(s(Conv(8, 4, 3), s.permute(x, 0, 3, 1, 2)))


@block
def mobilevit() -> Program:
    """MobileViT: pixels at one place of all patches attend to each other; folded as timm does."""
    s = Source(N, 8, 6, 4)
    y = s.permute(s.view("x", N * 8 * 3, 2, 2, 2), 0, 2, 1, 3)
    y = s.permute(s.view(y, N, 8, 6, 4), 0, 3, 2, 1)
    y = s.view(y, N * 4, 6, 8)
    y = s(Add(), y, self_attention(s, s(LayerNorm(8), y), N * 4, 6, 8, 2))
    y = s(LayerNorm(8), s(Add(), y, mlp(s, y, 8, 16)))
    y = s.permute(s.view(y, N, 4, 6, 8), 0, 3, 2, 1)
    y = s.permute(s.view(y, N * 8 * 3, 2, 2, 2), 0, 2, 1, 3)
    y = s.view(y, N, 8, 6, 4)
    return s.program(s(Conv(16, 8, 3, padding=1), s(Concat(1), "x", y)))


@block
def non_local() -> Program:
    """A non-local block: all pixels attend to all."""
    s = Source(N, 8, 4, 3)
    q, k, v = (s.view(s(Conv(8, 4, 1), "x"), N, 4, 12) for _ in range(3))
    scores = s.act(s(Matmul(), s.permute(q, 0, 2, 1), k), "softmax", -1)
    y = s(Matmul(), scores, s.permute(v, 0, 2, 1))
    y = s.view(s.permute(y, 0, 2, 1), N, 4, 4, 3)
    return s.program(s(Add(), "x", s(Conv(4, 8, 1), y)))


@block
def channel_attention() -> Program:
    """XCiT's: channels attend to channels."""
    s = Source(N, 8, 4, 3)
    x = s.permute(s.view("x", N, 8, 12), 0, 2, 1)
    qkv = s.permute(s.view(s(Dense(8, 24), x), N, 12, 3, 2, 4), 2, 0, 3, 4, 1)
    q, k, v = (s(Select(0, i), qkv) for i in range(3))
    y = s.permute(attend(s, q, k, v, 4), 0, 3, 1, 2)
    y = s(Add(), x, s(Dense(8, 8), s.view(y, N, 12, 8)))
    return s.program(s(Conv(8, 4, 3), s.view(s.permute(y, 0, 2, 1), N, 8, 4, 3)))


@block
def pyramid_attention() -> Program:
    """PVT: keys and values of an image that a convolution made smaller."""
    s = Source(N, 8, 6, 4)
    x = s.permute(s.view("x", N, 8, 24), 0, 2, 1)
    q = s.permute(s.view(s(Dense(8, 8), x), N, 24, 2, 4), 0, 2, 1, 3)
    y = s(Conv(8, 8, 2, 2), s.view(s.permute(x, 0, 2, 1), N, 8, 6, 4))
    y = s(LayerNorm(8), s.permute(s.view(y, N, 8, 6), 0, 2, 1))
    kv = s.permute(s.view(s(Dense(8, 16), y), N, 6, 2, 2, 4), 2, 0, 3, 1, 4)
    y = attend(s, q, s(Select(0, 0), kv), s(Select(0, 1), kv), 4)
    y = s(Dense(8, 8), s.view(s.permute(y, 0, 2, 1, 3), N, 24, 8))
    return s.program(s.view(s.permute(s(Add(), x, y), 0, 2, 1), N, 8, 6, 4))


@block
def pooled_branch() -> Program:
    """ASPP's: the mean of the image, repeated to its size and joined with it."""
    s = Source(N, 8, 6, 4)
    mean = s.act(s(Conv(8, 4, 1), s(AdaptiveAvgPool(1), "x")))
    return s.program(s(Conv(12, 8, 1), s(Concat(1), "x", s(Expand((N, 4, 6, 4)), mean))))


@block
def box_head() -> Program:
    """SSD's: an image of boxes as a list of them, of two scales."""
    s = Source(N, 8, 6, 4)
    small = s(Conv(8, 8, 2, 2), "x")
    found = []
    for x, pixels in (("x", 24), (small, 6)):
        y = s.permute(s(Conv(8, 12, 3, padding=1), x), 0, 2, 3, 1)
        found.append(s.view(y, N, pixels * 3, 4))
    return s.program(s(Concat(1), *found))


@block
def anchors_first() -> Program:
    """YOLO's: all pixels of an anchor before the next anchor, of two scales."""
    s = Source(N, 8, 6, 4)
    small = s(Conv(8, 8, 2, 2), "x")
    found = []
    for x, h, w in (("x", 6, 4), (small, 3, 2)):
        y = s.view(s(Conv(8, 15, 1), x), N, 3, 5, h, w)
        found.append(s.view(s.permute(y, 0, 1, 3, 4, 2), N, 3 * h * w, 5))
    return s.program(s(Concat(1), *found))


@block
def pixel_shuffle() -> Program:
    """Channels to pixels, as ``pixel_shuffle`` is decomposed."""
    s = Source(N, 8, 3, 4)
    y = s.permute(s.view(s(Conv(8, 12, 1), "x"), N, 3, 2, 2, 3, 4), 0, 1, 4, 2, 5, 3)
    return s.program(s(Conv(3, 4, 3), s.view(y, N, 3, 6, 8)))


@block
def flat_patches() -> Program:
    """Patches (C, a, b) of an image, each a vector for a dense layer."""
    s = Source(N, 3, 6, 4)
    y = s.permute(s.view("x", N, 3, 3, 2, 2, 2), 0, 2, 4, 1, 3, 5)
    return s.program(s(Dense(12, 8), s.view(y, N, 6, 12)))


@block
def attention_of_pixels_and_channels() -> Program:
    """CBAM: gates of the mean and the largest, of channels and then of pixels."""
    s = Source(N, 8, 6, 4)
    small = [s(Reduce(f, (2, 3), keepdims=True), "x") for f in ("mean", "max")]
    gates = [s(Conv(4, 8, 1), s.act(s(Conv(8, 4, 1), y))) for y in small]
    x = s(Multiply(), "x", s.act(s(Add(), *gates), "sigmoid"))
    flat = s(Concat(1), *(s(Reduce(f, 1, keepdims=True), x) for f in ("mean", "max")))
    return s.program(s(Multiply(), x, s.act(s(Conv(2, 1, 3, padding=1), flat), "sigmoid")))


@block
def channels_in_a_row() -> Program:
    """ECA: a convolution along the channels."""
    s = Source(N, 8, 6, 4)
    y = s.view(s(Reduce("mean", (2, 3)), "x"), N, 1, 8)
    y = s.view(s.act(s(Conv(1, 1, 3, padding=1, bias=False, rank=1), y), "sigmoid"), N, 8, 1, 1)
    return s.program(s(Multiply(), "x", y))


@block
def split_attention() -> Program:
    """ResNeSt: a softmax between two copies of the channels decides which counts."""
    s = Source(N, 8, 6, 4)
    x = s.view(s.act(s(Conv(8, 16, 3, padding=1, groups=2), "x")), N, 2, 8, 6, 4)
    gap = s(AdaptiveAvgPool(1), s(Reduce("sum", 1), x))
    a = s.view(s(Conv(8, 16, 1), gap), N, 1, 2, 8)
    a = s.act(s.permute(a, 0, 2, 1, 3), "softmax", 1)
    return s.program(s(Reduce("sum", 1), s(Multiply(), x, s.view(a, N, 2, 8, 1, 1))))


@block
def rows_as_columns() -> Program:
    """(8, 7) pixels read as (7, 8)."""
    s = Source(N, 4, 8, 7)
    y = s.view(s.act(s(Conv(4, 4, 1), "x")), N, 4, 7, 8)
    return s.program(s(Conv(4, 4, 3), y))


@block
def torn_rows_as_columns() -> Program:
    """The same of pixels whose columns are stored before their rows."""
    s = Source(N, 4, 7, 8)
    y = s.view(s.permute(s(Conv(4, 4, 1), "x"), 0, 1, 3, 2), N, 4, 7, 8)
    return s.program(s(Conv(4, 4, 3), y))


@block
def einsum_heads() -> Program:
    """A linear attention, by einsums: keys with values first."""
    s = Source(N, 8, 4, 3)
    q, k, v = (s.view(s(Conv(8, 8, 1), "x"), N, 2, 4, 12) for _ in range(3))
    context = s(Contract("n h d l, n h e l -> n h d e"), s.act(k, "softmax", -1), v)
    y = s(Contract("n h d e, n h d l -> n h e l"), context, s.act(q, "softmax", -2))
    return s.program(s(Conv(8, 8, 1), s.view(y, N, 8, 4, 3)))
