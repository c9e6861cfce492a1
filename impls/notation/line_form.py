"""The one-line form of a spec: what people type, and what a failing test prints for its replay.

A line is JSON (json_form.py), where ``"input_shape"`` may stand beside the spec's own fields, or,
with spaces between words::

    line     = pipeline
    pipeline = item { "|" item }          several are a Sequential, named "0", "1", ...
    item     = layer
             | "(" pipeline ")"           a Sequential, even of one layer
             | "residual(" pipeline [ ";" pipeline ] ")"                  body; shortcut
    layer    = word { token }             tokens in any order, each at most once

    conv2d       cIN>OUT kSIZES sSIZES dSIZES gGROUPS PADDING MODE nobias
    depthwise2d  cIN     kSIZES sSIZES dSIZES mMULTIPLIER PADDING MODE nobias
    separable2d  cIN>OUT kSIZES sSIZES dSIZES mMULTIPLIER PADDING MODE nobias | nodwbias | nopwbias
    transpose2d  cIN>OUT kSIZES sSIZES dSIZES gGROUPS PADDING opSIZES nobias
    maxpool2d    kSIZES sSIZES PADDING
    avgpool2d    kSIZES sSIZES PADDING nocount         the padding is not counted
    batchnorm2d  cIN epsNUMBER momNUMBER
    layernorm    cIN epsNUMBER
    groupnorm    gGROUPS cIN epsNUMBER
    scale        cIN
    dense        cIN>OUT nobias
    dropout      pNUMBER
    leaky_relu, elu  aNUMBER
    relu, relu6, silu, gelu, gelu_tanh, sigmoid, hard_sigmoid, hard_swish, softplus, softmax, tanh
    gap (global average pool), flatten

    SIZES    = INT { "x" INT }            one int stands for every axis
    PADDING  = "valid" | "same" | "causal" | "p" PAIR { "x" PAIR }       PAIR = INT [ ":" INT ]
    MODE     = "zeros" | "reflect" | "replicate" | "circular"

``conv1d`` and ``conv3d`` have rank 1 and 3, and so have the others. ``c`` and ``k`` must be said,
the rest are the spec's defaults. The first layer may say the input's shape: ``n2`` (the batch, else
1), ``w9``, ``hw7x9`` or ``dhw3x7x9``, and ``c8`` where the layer does not tell the channels.
"""

import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from convparity.impls.errors import SpecError, one_of, quoted
from convparity.impls.notation.json_form import (
    check_text,
    loads,
    plain,
    read_shape,
    read_spec,
    readable_depth,
)
from convparity.impls.spec import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    PADDING_MODES,
    PADDINGS,
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Residual,
    Scale,
    SeparableConv,
    Sequential,
    Shape,
    Spec,
    arguments,
    check_spec,
    shape_of,
)


def to_line(spec: Spec, input_shape: Shape | None = None) -> str:
    """Write a spec on one line: what people type, and what a failing test prints for its replay.

    Args:
        spec: Any layer or network. One in which layers have names of their own is written as JSON.
        input_shape: ``(N, *spatial, C)``, to be said on the line, too.

    Returns:
        The line, from which ``from_line`` reads both back.

    Raises:
        SpecError: ``spec`` is not a spec, or ``input_shape`` is not a shape.

    Example:
        >>> import convparity as cp
        >>> cp.to_line(cp.Conv(3, 8, 3, stride=2), (1, 7, 9, 3))
        'conv2d c3>8 k3 s2 n1 hw7x9'
    """
    check_spec(spec)
    shape = None if input_shape is None else shape_of(input_shape)
    try:
        return _write_pipeline(spec, shape)
    except _Unsayable:
        extra = {} if shape is None else {"input_shape": shape}
        return json.dumps({**plain(spec), **extra})


@readable_depth()
def from_line(text: str) -> tuple[Spec, Shape | None]:
    """Read a spec that people typed on one line; the head of this file has the grammar.

    Args:
        text: The line: words and tokens, or JSON.

    Returns:
        The spec, and the shape of its input, or None if the line does not say it.

    Raises:
        SpecError: A word is not understood; the message says which, and what was expected.

    Example:
        >>> import convparity as cp
        >>> cp.from_line("dense c8>2 n4 | softmax")
        (Sequential(Dense(in_features=8, out_features=2, bias=True), Activation(...)), (4, 8))
    """
    check_text(text)
    if text.lstrip().startswith("{"):
        data = loads(text)
        shape = data.pop("input_shape", None)
        spec, shape = read_spec(data), None if shape is None else read_shape(shape)
    else:
        reader = _Reader(text)
        spec, shape = reader.line(), reader.shape
    return spec, shape


# ---------------------------------------------------------------- the tokens of a line


class _Token(NamedTuple):
    """One kind of token: the fields it says, how it looks, and how it is read and written."""

    fields: tuple[str, ...]
    example: str
    pattern: re.Pattern[str]  # its one group is what ``read`` gets
    read: Callable[[str], dict[str, Any]]
    write: Callable[[Any], str]  # "" where the defaults say the same


class _Word(NamedTuple):
    """The first word of a layer: its type, what the word says by itself, and its tokens."""

    type: type[Any]
    fields: dict[str, Any]
    tokens: tuple[_Token, ...]
    channels: str | None = None  # the field that tells the input's channels


_INT = "[0-9]{1,4300}"  # as many digits as Python reads
_INTS = f"{_INT}(?:x{_INT})*"
_PAIR = f"{_INT}(?::{_INT})?"
_REAL = r"-?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,3})?"


def _read_sizes(text: str) -> int | tuple[int, ...]:
    sizes = tuple(int(size) for size in text.split("x"))
    return sizes[0] if len(sizes) == 1 else sizes


def _write_sizes(sizes: tuple[int, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


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
        return "p" + _write_sizes(tuple(low for low, _ in padding))
    return "p" + "x".join(f"{low}:{high}" for low, high in padding)


def _field(
    name: str,
    example: str,
    pattern: str,
    read: Callable[[str], Any] = str,
    write: Callable[[Any], str] = str,
    prefix: str = "",
) -> _Token:
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
    return _Token((name,), prefix + example, regex, lambda text: {name: read(text)}, written)


def _sizes(name: str, letter: str) -> _Token:
    example = f"3 or {letter}3x2 ({name})"
    return _field(name, example, _INTS, _read_sizes, _write_sizes, prefix=letter)


def _int(name: str, letter: str) -> _Token:
    return _field(name, f"8 ({name})", _INT, int, prefix=letter)


def _real(name: str, prefix: str) -> _Token:
    return _field(name, f"0.1 ({name})", _REAL, float, repr, prefix=prefix)


def _in_out(noun: str) -> _Token:
    names = (f"in_{noun}", f"out_{noun}")
    return _Token(
        names,
        f"c3>8 ({noun} in>out)",
        re.compile(f"c({_INT}>{_INT})"),
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
_SEPARABLE_BIAS = _Token(
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
_KERNEL, _STRIDE, _, _PADDING, _ = _WINDOW
_MAXPOOL = (_KERNEL, _STRIDE, _PADDING)
_NO_COUNT = _field("count_include_pad", "nocount", "nocount", lambda _: False, lambda _: "nocount")
_AVGPOOL = (*_MAXPOOL, _NO_COUNT)
_EPS = _real("eps", "eps")
_BATCHNORM = (_int("num_features", "c"), _EPS, _real("momentum", "mom"))

_OF_RANK: tuple[tuple[str, type[Spec], tuple[_Token, ...], str | None], ...] = (
    ("conv", Conv, _CONV, "in_channels"),
    ("depthwise", DepthwiseConv, _DEPTHWISE, "in_channels"),
    ("separable", SeparableConv, _SEPARABLE, "in_channels"),
    ("transpose", ConvTranspose, _TRANSPOSE, "in_channels"),
    ("maxpool", MaxPool, _MAXPOOL, None),
    ("avgpool", AvgPool, _AVGPOOL, None),
    ("batchnorm", BatchNorm, _BATCHNORM, "num_features"),
)
_WORDS: dict[str, _Word] = {
    **{
        f"{name}{rank}d": _Word(type_, {"rank": rank}, tokens, channels)
        for name, type_, tokens, channels in _OF_RANK
        for rank in (1, 2, 3)
    },
    "dense": _Word(Dense, {}, (_in_out("features"), _BIAS), "in_features"),
    "dropout": _Word(Dropout, {}, (_real("p", "p"),)),
    "flatten": _Word(Flatten, {}, ()),
    "gap": _Word(GlobalAvgPool, {}, ()),
    "layernorm": _Word(LayerNorm, {}, (_int("num_features", "c"), _EPS), "num_features"),
    "groupnorm": _Word(
        GroupNorm,
        {},
        (_int("num_groups", "g"), _int("num_features", "c"), _EPS),
        "num_features",
    ),
    "scale": _Word(Scale, {}, (_int("num_features", "c"),), "num_features"),
    **{
        name: _Word(
            Activation,
            {"function": name},
            (_real("alpha", "a"),) if name in DEFAULT_ALPHA else (),
        )
        for name in ACTIVATIONS
    },
}
LAYER_WORDS = (*_WORDS, "residual")

_INPUT = re.compile(f"(n|c)({_INT})|(w|hw|dhw)({_INTS})")
_INPUT_EXAMPLE = "n2 (batch), w9, hw7x9 or dhw3x7x9 (input size)"


# ---------------------------------------------------------------- writing a line


class _Unsayable(Exception):
    """The short form has no words for this."""


def _write_pipeline(spec: Spec, shape: Shape | None) -> str:
    if isinstance(spec, Sequential) and len(spec.layers) > 1:
        return _write_items(spec, shape)
    return _write_item(spec, shape)


def _write_items(spec: Sequential, shape: Shape | None) -> str:
    if [name for name, _ in spec.layers] != [str(i) for i in range(len(spec.layers))]:
        raise _Unsayable
    children = [child for _, child in spec.layers]
    return " | ".join(_write_item(c, None if i else shape) for i, c in enumerate(children))


def _write_item(spec: Spec, shape: Shape | None) -> str:
    if isinstance(spec, Sequential):
        return f"( {_write_items(spec, shape)} )"
    if isinstance(spec, Residual):
        body = _write_pipeline(spec.body, shape)
        shortcut = f" ; {_write_pipeline(spec.shortcut, None)}" if spec.shortcut else ""
        return f"residual( {body}{shortcut} )"
    for name, word in _WORDS.items():
        if type(spec) is word.type and word.fields.items() <= vars(spec).items():
            tokens = [token.write(spec) for token in word.tokens]
            return " ".join(filter(None, [name, *tokens, *_write_shape(spec, word, shape)]))
    raise _Unsayable


def _write_shape(spec: Spec, word: _Word, shape: Shape | None) -> list[str]:
    if shape is None:
        return []
    if not 2 <= len(shape) <= 5 or min(shape) < 0:
        raise _Unsayable
    batch, *spatial, channels = shape
    tokens = [f"n{batch}"]
    if spatial:
        tokens.append("dhw"[-len(spatial) :] + _write_sizes(tuple(spatial)))
    if word.channels is None:
        tokens.append(f"c{channels}")
    elif channels != getattr(spec, word.channels):
        raise _Unsayable
    return tokens


# ---------------------------------------------------------------- reading a line


class _Reader:
    """Recursive descent over the words of one line: a method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.words = re.findall(r"[|;()]|[^\s|;()]+", text)
        self.at = 0
        self.layers = 0
        self.shape: Shape | None = None

    def skip(self, word: str) -> bool:
        found = self.words[self.at : self.at + 1] == [word]
        self.at += found
        return found

    def wrong(self, expected: str) -> SpecError:
        found = repr(self.words[self.at]) if self.at < len(self.words) else "the end of the line"
        before = " ".join(self.words[max(self.at - 3, 0) : self.at])
        after = f", after {quoted(before)}" if before else ""
        return SpecError(f"expected {expected}, not {found}{after}")

    def line(self) -> Spec:
        spec = self.pipeline()
        if self.at < len(self.words):
            raise self.wrong("'|' or the end of the line")
        return spec

    def items(self) -> list[Spec]:
        items = [self.item()]
        while self.skip("|"):
            items.append(self.item())
        return items

    def pipeline(self) -> Spec:
        items = self.items()
        return items[0] if len(items) == 1 else Sequential(items)

    def item(self) -> Spec:
        if self.skip("("):
            spec: Spec = Sequential(self.items())
        elif self.skip("residual"):
            if not self.skip("("):
                raise self.wrong("'('")
            spec = Residual(self.pipeline(), self.pipeline() if self.skip(";") else None)
        else:
            return self.layer()
        if not self.skip(")"):
            raise self.wrong("'|' or ')'")
        return spec

    def layer(self) -> Spec:
        start = self.at
        while self.at < len(self.words) and self.words[self.at] not in "|;()":
            self.at += 1
        if start == self.at:
            raise self.wrong("a layer, such as 'conv2d c3>8 k3'")
        spec, shape = _read_layer(self.words[start : self.at])
        if shape is not None and self.layers:
            text = " ".join(self.words[start : self.at])
            raise SpecError(f"only the first layer says the shape of the input, not {quoted(text)}")
        self.layers += 1
        self.shape = shape or self.shape
        return spec


def _read_layer(words: list[str]) -> tuple[Spec, Shape | None]:
    name, *tokens = words
    if name not in _WORDS:
        raise SpecError(one_of("layer", name, LAYER_WORDS))
    word = _WORDS[name]
    said: dict[str, Any] = {}
    for text in tokens:
        for key, value in _read_token(name, word, text).items():
            if key in said:
                raise SpecError(f"{name}: {quoted(text)} says {key} a second time")
            said[key] = value
    shape = {key: said.pop(key) for key in ("n", "size", "c") if key in said}
    defaults = arguments(word.type).items()
    needed = {name for name, default in defaults if default is inspect.Parameter.empty}
    for token in word.tokens:
        if not needed & set(token.fields) <= said.keys():
            raise SpecError(f"{name} needs {token.example}")
    try:
        spec: Spec = word.type(**word.fields, **said)
    except SpecError as error:
        raise SpecError(f"{error}, in {quoted(' '.join(words))}") from None
    if not shape:
        return spec, None
    if word.channels is None and "c" not in shape:
        raise SpecError(f"{name}: the shape of the input needs its channels too, such as c8")
    channels = shape["c"] if word.channels is None else said[word.channels]
    return spec, (shape.get("n", 1), *shape.get("size", ()), channels)


def _read_token(name: str, word: _Word, text: str) -> dict[str, Any]:
    """The fields that ``text`` says; of the input's shape, "n", "size" and "c"."""
    for token in word.tokens:
        if match := token.pattern.fullmatch(text):
            return token.read(match[1])
    match = _INPUT.fullmatch(text)
    if match is None or (match[1] == "c" and word.channels is not None):
        examples = [token.example for token in word.tokens] + [_INPUT_EXAMPLE]
        raise SpecError(f"{name} does not take {quoted(text)}; it takes {', '.join(examples)}")
    if match[1]:
        return {match[1]: int(match[2])}
    axes, sizes = len(match[3]), tuple(map(int, match[4].split("x")))
    if len(sizes) not in (1, axes):
        raise SpecError(
            f"{name}: {quoted(text)} has {len(sizes)} sizes; {match[3]!r} takes 1 or {axes}"
        )
    return {"size": sizes if len(sizes) == axes else sizes * axes}
