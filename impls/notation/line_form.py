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
    maxpool2d, maxpoolindices2d             kSIZES sSIZES PADDING
    avgpool2d    kSIZES sSIZES PADDING nocount         the padding is not counted
    batchnorm2d  cIN epsNUMBER momNUMBER noscale nooffset
    layernorm, instancenorm                 cIN epsNUMBER noscale nooffset
    groupnorm    gGROUPS cIN epsNUMBER noscale nooffset
    rmsnorm      cIN epsNUMBER noscale
    layernorm_over, rmsnorm_over            ofSIZES axesINT{xINT}, else as these; each size is said
    scale        cIN
    dense        cIN>OUT nobias
    dense_along  cIN>OUT nobias axisINT    another axis than the last
    dropout      pNUMBER channel | path
    leaky_relu, elu, softplus, celu, soft_shrink, hard_shrink    aNUMBER
    softmax, log_softmax                    axisINT
    clamp        lowNUMBER highNUMBER
    prelu        slopesINT
    FUNCTION     of an Activation with neither: relu, silu, hard_swish, ...
    gap, gmp (global average and max pool), flatten, identity
    adaptiveavgpool2d, adaptivemaxpool2d    oSIZES
    resize2d     toSIZES | bySIZES, nearest | linear, corners
    pad          pLOW:HIGH { "x" LOW:HIGH } MODE valueNUMBER      negative numbers crop
    rearrange    PATTERN NAME=INT,...      that of einops, with "," for a space and [] for ()
    slice        axis=INT start=INT stop=INT step=INT
    rescale      scale=NUMBER offset=NUMBER      or [NUMBER,...], one a channel
    power        exponent=NUMBER
    parameter    shape=SIZES
    constant     values=[NUMBER,...] shape=SIZES
    reduce       function=FUNCTION axes=[INT,...] keepdims=true correction=INT
    NAME FIELD=VALUE ...    any other layer, its name in small letters

    SIZES    = INT { "x" INT }            one int stands for every axis
    PADDING  = "valid" | "same" | "causal" | "p" PAIR { "x" PAIR }       PAIR = INT [ ":" INT ]
    MODE     = "zeros" | "reflect" | "replicate" | "circular"

``conv1d`` and ``conv3d`` have rank 1 and 3, and so have the others. ``c`` and ``k`` must be said,
the rest are the spec's defaults. The first layer may say the input's shape: ``n2`` (the batch, else
1), ``w9``, ``hw7x9`` or ``dhw3x7x9``, and ``c8`` where the layer does not tell the channels.
"""

import inspect
import json
import re
from typing import Any

from convparity.impls.errors import SpecError, quoted, unknown_name
from convparity.impls.notation.json_form import (
    check_text,
    loads,
    plain,
    read_shape,
    read_spec,
    readable_depth,
)
from convparity.impls.notation.words import INT, INTS, WORDS, Unsayable, Word, write_sizes
from convparity.impls.spec import (
    Residual,
    Sequential,
    Shape,
    Shapes,
    Spec,
    arguments,
    check_spec,
    each_shape,
    together,
)

LAYER_WORDS = (*WORDS, "residual")

_INPUT = re.compile(f"(n|c)({INT})|(w|hw|dhw)({INTS})")
_INPUT_EXAMPLE = "n2 (batch), w9, hw7x9 or dhw3x7x9 (input size)"


def to_line(spec: Spec, input_shape: Shapes | None = None) -> str:
    """Write a spec on one line: what people type, and what a failing test prints for its replay.

    Args:
        spec: Any layer or network. One in which layers have names of their own is written as JSON.
        input_shape: ``(N, *spatial, C)``, or of several inputs a tuple of such, to be said on the
            line, too.

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
    shapes = () if input_shape is None else each_shape(input_shape)
    try:
        if len(shapes) > 1:
            raise Unsayable
        return _write_pipeline(spec, shapes[0] if shapes else None)
    except Unsayable:
        extra = {"input_shape": together(shapes)} if shapes else {}
        return json.dumps({**plain(spec), **extra})


@readable_depth()
def from_line(text: str) -> tuple[Spec, Shapes | None]:
    """Read a spec that people typed on one line; the head of this file has the grammar.

    Args:
        text: The line: words and tokens, or JSON.

    Returns:
        The spec, and the shape of its input (of several, a tuple of their shapes), or None if the
        line does not say it.

    Raises:
        SpecError: A word is not understood; the message says which, and what was expected.

    Example:
        >>> import convparity as cp
        >>> cp.from_line("dense c8>2 n4 | softmax")
        (Sequential(Dense(in_features=8, out_features=2, ...), Activation(...)), (4, 8))
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


# ---------------------------------------------------------------- writing a line


def _write_pipeline(spec: Spec, shape: Shape | None) -> str:
    if isinstance(spec, Sequential) and len(spec.layers) > 1:
        return _write_items(spec, shape)
    return _write_item(spec, shape)


def _write_items(spec: Sequential, shape: Shape | None) -> str:
    if [name for name, _ in spec.layers] != [str(i) for i in range(len(spec.layers))]:
        raise Unsayable
    children = [child for _, child in spec.layers]
    return " | ".join(_write_item(c, None if i else shape) for i, c in enumerate(children))


def _write_item(spec: Spec, shape: Shape | None) -> str:
    if isinstance(spec, Sequential):
        return f"( {_write_items(spec, shape)} )"
    if isinstance(spec, Residual):
        body = _write_pipeline(spec.body, shape)
        shortcut = f" ; {_write_pipeline(spec.shortcut, None)}" if spec.shortcut else ""
        return f"residual( {body}{shortcut} )"
    for name, word in WORDS.items():
        if type(spec) is word.type and word.fields.items() <= vars(spec).items():
            tokens = [token.write(spec) for token in word.tokens]
            return " ".join(filter(None, [name, *tokens, *_write_shape(spec, word, shape)]))
    raise Unsayable


def _write_shape(spec: Spec, word: Word, shape: Shape | None) -> list[str]:
    if shape is None:
        return []
    if not 2 <= len(shape) <= 5 or min(shape) < 0:
        raise Unsayable
    batch, *spatial, channels = shape
    tokens = [f"n{batch}"]
    if spatial:
        tokens.append("dhw"[-len(spatial) :] + write_sizes(tuple(spatial)))
    if word.channels is None:
        tokens.append(f"c{channels}")
    elif channels != getattr(spec, word.channels):
        raise Unsayable
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
    if name not in WORDS:
        raise SpecError(unknown_name("layer", name, LAYER_WORDS))
    word = WORDS[name]
    said: dict[str, Any] = {}
    for text in tokens:
        for key, value in _read_token(name, word, text).items():
            if key in said:
                raise SpecError(
                    f"{name}: {quoted(text)} says {key.removeprefix('input ')} a second time"
                )
            said[key] = value
    shape = {key: said.pop(f"input {key}") for key in ("n", "size", "c") if f"input {key}" in said}
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


def _read_token(name: str, word: Word, text: str) -> dict[str, Any]:
    """The fields that ``text`` says; of the input's shape, "input n", "input size", "input c"."""
    for token in word.tokens:
        if match := token.pattern.fullmatch(text):
            return token.read(match[1])
    match = _INPUT.fullmatch(text)
    if match is None or (match[1] == "c" and word.channels is not None):
        examples = [token.example for token in word.tokens] + [_INPUT_EXAMPLE]
        raise SpecError(f"{name} does not take {quoted(text)}; it takes {', '.join(examples)}")
    if match[1]:
        return {f"input {match[1]}": int(match[2])}
    axes, sizes = len(match[3]), tuple(map(int, match[4].split("x")))
    if len(sizes) not in (1, axes):
        raise SpecError(
            f"{name}: {quoted(text)} has {len(sizes)} sizes; {match[3]!r} takes 1 or {axes}"
        )
    return {"input size": sizes if len(sizes) == axes else sizes * axes}
