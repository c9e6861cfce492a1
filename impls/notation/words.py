"""The words and tokens of the one-line form: what each says, how it looks, how it is written.

``line_form`` has the grammar. A layer without a word of its own is said by its name in small
letters, and by its fields: ``shift num_features=4``.
"""

import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from convparity.impls.errors import SpecError
from convparity.impls.notation.json_form import TYPES
from convparity.impls.spec import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    OVER_AXIS,
    PADDING_MODES,
    PADDINGS,
    RESIZE_METHODS,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Clamp,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Pad,
    PReLU,
    Rearrange,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Spec,
    arguments,
)


class Unsayable(Exception):
    """The short form has no words for this."""


class Token(NamedTuple):
    """One kind of token: the fields it says, how it looks, and how it is read and written."""

    fields: tuple[str, ...]
    example: str
    pattern: re.Pattern[str]  # its one group is what ``read`` gets
    read: Callable[[str], dict[str, Any]]
    write: Callable[[Any], str]  # "" where the defaults say the same


class Word(NamedTuple):
    """The first word of a layer: its type, what the word says by itself, and its tokens."""

    type: type[Any]
    fields: dict[str, Any]
    tokens: tuple[Token, ...]
    channels: str | None = None  # the field that tells the input's channels


INT = "[0-9]{1,4300}"  # as many digits as Python reads
INTS = f"{INT}(?:x{INT})*"
_PAIR = f"{INT}(?::{INT})?"
_REAL = r"-?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,3})?"


def _read_sizes(text: str) -> int | tuple[int, ...]:
    sizes = tuple(int(size) for size in text.split("x"))
    return sizes[0] if len(sizes) == 1 else sizes


def write_sizes(sizes: tuple[int, ...]) -> str:
    """``7x9``, or one number that stands for every axis."""
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


def _write_each(sizes: int | tuple[int, ...]) -> str:
    """``7x9``, or one number of one axis."""
    return str(sizes) if isinstance(sizes, int) else "x".join(map(str, sizes))


def _read_padding(text: str) -> Any:
    if not text.startswith("p"):
        return text
    if ":" not in text:
        return _read_sizes(text[1:])
    entries = [tuple(map(int, entry.split(":"))) for entry in text[1:].split("x")]
    return [(entry[0], entry[-1]) for entry in entries]


def _write_padding(padding: Any) -> str:
    if isinstance(padding, str):
        return padding
    if all(low == high for low, high in padding):
        return "p" + write_sizes(tuple(low for low, _ in padding))
    return "p" + "x".join(f"{low}:{high}" for low, high in padding)


def _field(
    name: str,
    example: str,
    pattern: str,
    read: Callable[[str], Any] = str,
    write: Callable[[Any], str] = str,
    prefix: str = "",
) -> Token:
    """The token ``<prefix><pattern>`` for one field, left out where its default says the same."""

    def written(spec: Any) -> str:
        return "" if omitted(spec) else prefix + write(getattr(spec, name))

    def omitted(spec: Any) -> bool:
        default = arguments(type(spec))[name]
        if default is inspect.Parameter.empty:
            return False
        try:
            without: bool = dataclasses.replace(spec, **{name: default}) == spec
        except SpecError:  # other fields do not go with the default
            return False
        return without

    regex = re.compile(f"{prefix}({pattern})")
    return Token((name,), prefix + example, regex, lambda text: {name: read(text)}, written)


def _sizes(name: str, letter: str) -> Token:
    example = f"3 or {letter}3x2 ({name})"
    return _field(name, example, INTS, _read_sizes, write_sizes, prefix=letter)


def _int(name: str, letter: str) -> Token:
    return _field(name, f"8 ({name})", INT, int, prefix=letter)


def _real(name: str, prefix: str) -> Token:
    return _field(name, f"0.1 ({name})", _REAL, float, repr, prefix=prefix)


def _in_out(noun: str) -> Token:
    names = (f"in_{noun}", f"out_{noun}")
    return Token(
        names,
        f"c3>8 ({noun} in>out)",
        re.compile(f"c({INT}>{INT})"),
        lambda text: dict(zip(names, map(int, text.split(">")), strict=True)),
        lambda spec: f"c{getattr(spec, names[0])}>{getattr(spec, names[1])}",
    )


_NO_BIAS = {
    "nobias": {"depthwise_bias": False, "pointwise_bias": False},
    "nodwbias": {"depthwise_bias": False},
    "nopwbias": {"pointwise_bias": False},
}


def _write_no_bias(spec: SeparableConv) -> str:
    off = {name: False for name in _NO_BIAS["nobias"] if not getattr(spec, name)}
    return next((word for word, fields in _NO_BIAS.items() if fields == off), "")


_BIAS = _field("bias", "nobias", "nobias", lambda _: False, lambda _: "nobias")
_SEPARABLE_BIAS = Token(
    tuple(_NO_BIAS["nobias"]),
    "nobias, nodwbias or nopwbias",
    re.compile(f"({'|'.join(_NO_BIAS)})"),
    _NO_BIAS.__getitem__,
    _write_no_bias,
)
_WINDOW = (
    _sizes("kernel_size", "k"),
    _sizes("stride", "s"),
    _sizes("dilation", "d"),
    _field(
        "padding",
        "same, causal, p1, p1x2 or p1:2x0:1 (padding)",
        f"{'|'.join(PADDINGS)}|p{_PAIR}(?:x{_PAIR})*",
        _read_padding,
        _write_padding,
    ),
    _field("padding_mode", "reflect, replicate or circular", "|".join(PADDING_MODES)),
)
_MULTIPLIER = _int("depth_multiplier", "m")
_CONV = (_in_out("channels"), *_WINDOW, _int("groups", "g"), _BIAS)
_DEPTHWISE = (_int("in_channels", "c"), *_WINDOW, _MULTIPLIER, _BIAS)
_SEPARABLE = (_in_out("channels"), *_WINDOW, _MULTIPLIER, _SEPARABLE_BIAS)
_TRANSPOSE = (
    _in_out("channels"),
    *_WINDOW[:4],
    _sizes("output_padding", "op"),
    _int("groups", "g"),
    _BIAS,
)
_KERNEL, _STRIDE, _DILATION, _PADDING, _ = _WINDOW
_CEIL = _field("ceil_mode", "ceil", "ceil", lambda _: True, lambda _: "ceil")
_MAXPOOL = (_KERNEL, _STRIDE, _DILATION, _PADDING, _CEIL)
_NO_COUNT = _field("count_include_pad", "nocount", "nocount", lambda _: False, lambda _: "nocount")
_DIVISOR = _field("divisor_override", "4 (divisor_override)", f"-?{INT}", int, str, prefix="div")
_AVGPOOL = (_KERNEL, _STRIDE, _PADDING, _CEIL, _NO_COUNT, _DIVISOR)
_EPS = _real("eps", "eps")
_AFFINE = (
    _field("scale", "noscale", "noscale", lambda _: False, lambda _: "noscale"),
    _field("offset", "nooffset", "nooffset", lambda _: False, lambda _: "nooffset"),
)
_NORM = (_int("num_features", "c"), _EPS)
_OVER = (  # of axes other than that of the channels alone
    _field("num_features", "7x9x8 (num_features)", INTS, _read_sizes, _write_each, prefix="of"),
    _EPS,
    _field(
        "axes",
        "1x2x-1 (axes)",
        f"-?{INT}(?:x-?{INT})*",
        _read_sizes,
        _write_each,
        prefix="axes",
    ),
)
_BATCHNORM = (*_NORM, _real("momentum", "mom"), *_AFFINE)

_AXES = str.maketrans(" ()", ",[]")  # a pattern is written without spaces and parentheses
_PATTERN = _field(
    "pattern",
    "n,h,[g,c]->n,h,[c,g] (pattern)",
    r"[^\s|;()]*->[^\s|;()]*",
    lambda text: text.translate(str.maketrans(",[]", " ()")),
    lambda pattern: pattern.replace(" -> ", "->").translate(_AXES),
)
_FACTORS = _field(
    "sizes",
    "g=4 or g=4,t=2 (sizes)",
    f"[^\\W\\d]\\w*={INT}(?:,[^\\W\\d]\\w*={INT})*",
    lambda text: {name: int(size) for name, size in (each.split("=") for each in text.split(","))},
    lambda sizes: ",".join(f"{name}={size}" for name, size in sizes),
)
_SIGNED = f"-?{INT}:-?{INT}"
_PADS = _field(
    "pads",
    "p1:2x0:-1 (pads)",
    f"{_SIGNED}(?:x{_SIGNED})*",
    lambda text: [tuple(map(int, entry.split(":"))) for entry in text.split("x")],
    lambda pads: "x".join(f"{low}:{high}" for low, high in pads),
    prefix="p",
)
_PAD_CHANNELS = _field(
    "channels",
    "1:-2 (channels)",
    _SIGNED,
    lambda text: tuple(map(int, text.split(":"))),
    lambda pair: f"{pair[0]}:{pair[1]}",
    prefix="ch",
)
_PAD_MODE = _field("mode", "reflect, replicate or circular", "|".join(PADDING_MODES))

_SCALE = r"[0-9]{1,4300}(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?"


def _read_scales(text: str) -> Any:
    found = [int(each) if re.fullmatch(INT, each) else float(each) for each in text.split("x")]
    return found[0] if len(found) == 1 else found


def _write_scales(scales: tuple[int | float, ...]) -> str:
    return repr(scales[0]) if len(set(scales)) == 1 else "x".join(map(repr, scales))


_ADAPTIVE = (_sizes("output_size", "o"),)
_RESIZE = (
    _sizes("size", "to"),
    _field(
        "scale",
        "2, 3x2 or 1.5x2 (scale)",
        f"{_SCALE}(?:x{_SCALE})*",
        _read_scales,
        _write_scales,
        "by",
    ),
    _field("method", "linear, nearest-exact, cubic or area", "|".join(RESIZE_METHODS)),
    _field("align_corners", "corners", "corners", lambda _: True, lambda _: "corners"),
    _field("antialias", "antialias", "antialias", lambda _: True, lambda _: "antialias"),
)

_KIND = _field("kind", "channel or path", "channel|path")
_AXIS = _field("axis", "1 or axis-2 (axis)", "-?[0-9]{1,9}", int, prefix="axis")

_OF_RANK: tuple[tuple[str, type[Spec], tuple[Token, ...], str | None], ...] = (
    ("conv", Conv, _CONV, "in_channels"),
    ("depthwise", DepthwiseConv, _DEPTHWISE, "in_channels"),
    ("separable", SeparableConv, _SEPARABLE, "in_channels"),
    ("transpose", ConvTranspose, _TRANSPOSE, "in_channels"),
    ("maxpool", MaxPool, _MAXPOOL, None),
    ("avgpool", AvgPool, _AVGPOOL, None),
    ("batchnorm", BatchNorm, _BATCHNORM, "num_features"),
    ("adaptiveavgpool", AdaptiveAvgPool, _ADAPTIVE, None),
    ("adaptivemaxpool", AdaptiveMaxPool, _ADAPTIVE, None),
    ("resize", Resize, _RESIZE, None),
    ("maxpoolindices", MaxPoolIndices, _MAXPOOL, None),
)
OWN_WORDS: dict[str, Word] = {
    **{
        f"{name}{rank}d": Word(type_, {"rank": rank}, tokens, channels)
        for name, type_, tokens, channels in _OF_RANK
        for rank in (1, 2, 3)
    },
    "dense": Word(Dense, {"axis": -1}, (_in_out("features"), _BIAS), "in_features"),
    "dense_along": Word(Dense, {}, (_in_out("features"), _BIAS, _AXIS)),
    "dropout": Word(Dropout, {}, (_real("p", "p"), _KIND)),
    "clamp": Word(Clamp, {}, (_real("low", "low"), _real("high", "high"))),
    "identity": Word(Identity, {}, ()),
    "prelu": Word(PReLU, {}, (_int("num_parameters", "slopes"),)),
    "flatten": Word(Flatten, {}, ()),
    "gap": Word(GlobalAvgPool, {}, ()),
    "gmp": Word(GlobalMaxPool, {}, ()),
    "layernorm": Word(LayerNorm, {"axes": -1}, (*_NORM, *_AFFINE), "num_features"),
    "groupnorm": Word(GroupNorm, {}, (_int("num_groups", "g"), *_NORM, *_AFFINE), "num_features"),
    "instancenorm": Word(InstanceNorm, {}, (*_NORM, *_AFFINE), "num_features"),
    "rmsnorm": Word(RMSNorm, {"axes": -1}, (*_NORM, _AFFINE[0]), "num_features"),
    "layernorm_over": Word(LayerNorm, {}, (*_OVER, *_AFFINE)),
    "rmsnorm_over": Word(RMSNorm, {}, (*_OVER, _AFFINE[0])),
    "pad": Word(Pad, {}, (_PADS, _PAD_MODE, _real("value", "value"), _PAD_CHANNELS)),
    "rearrange": Word(Rearrange, {}, (_PATTERN, _FACTORS)),
    "scale": Word(Scale, {}, (_int("num_features", "c"),), "num_features"),
    **{
        name: Word(
            Activation,
            {"function": name},
            (
                *((_real("alpha", "a"),) if name in DEFAULT_ALPHA else ()),
                *((_AXIS,) if name in OVER_AXIS else ()),
            ),
        )
        for name in ACTIVATIONS
    },
}

# ---------------------------------------------------------------- a layer without a word

_VALUE = r"[^\s|;()]+"
_CHANNELS = ("in_channels", "num_features", "in_features")  # fields that tell the input's channels


def _read_value(text: str) -> Any:
    if re.fullmatch(INTS, text):
        return _read_sizes(text)
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return tuple(found) if isinstance(found, list) else found


def _write_value(value: Any) -> str:
    texts = [value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))]
    if isinstance(value, tuple):
        texts.insert(0, "x".join(map(str, value)))
    for text in texts:
        if re.fullmatch(_VALUE, text) and _read_value(text) == value:
            return text
    raise Unsayable


def _by_its_fields(kind: type[Any]) -> Word:
    names = [each.name for each in dataclasses.fields(kind)]
    tokens = tuple(
        _field(name, f"... ({name})", _VALUE, _read_value, _write_value, prefix=f"{name}=")
        for name in names
    )
    return Word(kind, {}, tokens, next((each for each in _CHANNELS if each in names), None))


_said = {word.type for word in OWN_WORDS.values()}
WORDS = {
    **{
        name.lower(): _by_its_fields(kind)
        for name, kind in TYPES.items()
        if issubclass(kind, Layer) and kind not in _said
    },
    **OWN_WORDS,
}
