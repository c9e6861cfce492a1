"""Both text forms of a spec say exactly the spec, and refuse everything else with a clear error."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convparity.impls import networks
from convparity.impls.errors import SpecError
from convparity.impls.notation import LAYER_WORDS, from_json, from_line, line_form, to_json, to_line
from convparity.impls.notation.json_form import MAX_DEPTH, TYPES
from convparity.impls.spec import (
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
    Pad,
    Rearrange,
    Residual,
    Scale,
    SeparableConv,
    Sequential,
    Slice,
)
from parity_tests.support.any_specs import (
    COMPOSITES,
    INTS,
    JOINS,
    LAYERS,
    leaves,
    specs,
    unnamed_specs,
)

shapes = st.none() | st.lists(st.integers(0, 300), min_size=1, max_size=6).map(tuple)


def test_every_type_of_spec_is_drawn_here():
    assert set(TYPES.values()) == {*LAYERS, *COMPOSITES, *JOINS}


# ---------------------------------------------------------------- round trips


@given(specs)
def test_json_says_exactly_the_spec(spec):
    text = to_json(spec)
    assert "\n" not in text
    back = from_json(text)
    assert back == spec
    assert to_json(back) == text


@given(specs, shapes)
def test_a_line_says_exactly_the_spec_and_the_shape(spec, shape):
    line = to_line(spec, shape)
    assert "\n" not in line
    assert from_line(line) == (spec, shape)


@given(unnamed_specs)
def test_a_spec_without_names_of_its_own_needs_no_json(spec):
    assert not to_line(spec).startswith("{")


@given(leaves, st.integers(1, 9), st.lists(st.integers(1, 40), max_size=3), INTS)
def test_the_shape_of_a_layer_needs_no_json(layer, batch, spatial, channels):
    for field in ("in_channels", "in_features", "num_features"):
        said = getattr(layer, field, channels)
        channels = channels if isinstance(said, tuple) else said  # sizes are those of other axes
    shape = (batch, *spatial, channels)
    line = to_line(layer, shape)
    assert not line.startswith("{")
    assert from_line(line) == (layer, shape)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (Dense(3, 4), (1, 5)),  # other channels than the layer's
        (Flatten(), ()),
        (Flatten(), (3,)),
        (Flatten(), (1, 2, 3, 4, 5, 6)),
        (Flatten(), (1, -1, 3)),
    ],
)
def test_a_shape_that_tokens_cannot_say_is_said_in_json(spec, shape):
    line = to_line(spec, shape)
    assert line.startswith("{")
    assert from_line(line) == (spec, shape)


def test_a_negative_zero_is_said():
    assert str(from_line(to_line(Dropout(-0.0)))[0].p) == "-0.0"
    assert str(from_json(to_json(Dropout(-0.0))).p) == "-0.0"


@given(leaves, st.randoms(use_true_random=False))
def test_tokens_come_in_any_order(layer, random):
    word, *tokens = to_line(layer).split()
    random.shuffle(tokens)
    assert from_line(" ".join([word, *tokens])) == (layer, None)


@pytest.mark.parametrize("name", networks.names())
def test_networks_survive_both_forms(name):
    _, spec, input_shape = networks.get(name)
    assert from_json(to_json(spec)) == spec
    assert from_line(to_line(spec, input_shape)) == (spec, input_shape)


@pytest.mark.parametrize(
    ("line", "spec", "shape"),
    [
        ("conv2d c3>64 k5 s2 n1 hw228", Conv(3, 64, 5, 2), (1, 228, 228, 3)),
        (
            "depthwise2d c8 k3x2 s2x1 d1x2 same m2",
            DepthwiseConv(8, (3, 2), (2, 1), "same", (1, 2), 2),
            None,
        ),
        (
            "separable2d c3>64 k5 s2 p1:2x0:1 nobias",
            SeparableConv(
                3, 64, 5, 2, ((1, 2), (0, 1)), depthwise_bias=False, pointwise_bias=False
            ),
            None,
        ),
        (
            "separable1d c3>4 k2 nodwbias",
            SeparableConv(3, 4, 2, depthwise_bias=False, rank=1),
            None,
        ),
        (
            "separable1d c3>4 k2 nopwbias",
            SeparableConv(3, 4, 2, pointwise_bias=False, rank=1),
            None,
        ),
        ("conv1d c2>4 k3 causal g2 n2 w9", Conv(2, 4, 3, 1, "causal", 1, 2, rank=1), (2, 9, 2)),
        (
            "conv3d c1>2 k1x2x3 p1x2x0 circular n1 dhw3x7x9",
            Conv(1, 2, (1, 2, 3), padding=(1, 2, 0), padding_mode="circular", rank=3),
            (1, 3, 7, 9, 1),
        ),
        (
            "transpose2d c4>6 k3x2 s2 p1:0x0:0 op1x0 g2 n1 hw5",
            ConvTranspose(4, 6, (3, 2), 2, ((1, 0), (0, 0)), (1, 0), 2),
            (1, 5, 5, 4),
        ),
        ("maxpool3d k3 s2 p1", MaxPool(3, 2, 1, rank=3), None),
        ("avgpool1d k2 same nocount", AvgPool(2, None, "same", False, rank=1), None),
        ("layernorm c8 eps0.001", LayerNorm(8, 1e-3), None),
        ("groupnorm g2 c8 n1 w4", GroupNorm(2, 8), (1, 4, 8)),
        ("scale c8 n2 hw7x9", Scale(8), (2, 7, 9, 8)),
        (
            "rearrange n,h,w,[g,c]->n,h,w,[c,g] g=4 n2 hw7x9 c8",
            Rearrange("n h w (g c) -> n h w (c g)", g=4),
            (2, 7, 9, 8),
        ),
        (
            "rearrange n,[h,a],...->n,h,[a,...] a=2,h=3",
            Rearrange("n (h a) ... -> n h (a ...)", h=3, a=2),
            None,
        ),
        ("pad p1:2x-1:0 reflect n1 hw7x9 c8", Pad([(1, 2), (-1, 0)], "reflect"), (1, 7, 9, 8)),
        ("pad p0:1 value-0.5", Pad([(0, 1)], value=-0.5), None),
        ("slice axis=-1 start=1 stop=-2 step=3", Slice(-1, 1, -2, 3), None),
        ("leaky_relu a0.2", Activation("leaky_relu", 0.2), None),
        ("batchnorm2d c8 eps0.001 mom0.01", BatchNorm(8, 1e-3, 0.01), None),
        ("dropout p0.2", Dropout(0.2), None),
        ("relu6 n2 hw7x9 c3", Activation("relu6"), (2, 7, 9, 3)),
        ("dense c8>10 n4", Dense(8, 10), (4, 8)),
        (
            "flatten n1 hw2x3 c4 | dense c24>10 nobias",
            Sequential(Flatten(), Dense(24, 10, False)),
            (1, 2, 3, 4),
        ),
        (
            "residual( conv2d c3>3 k1 n1 hw5 | relu ; ( gap ) )",
            Residual(Sequential(Conv(3, 3, 1), Activation("relu")), Sequential(GlobalAvgPool())),
            (1, 5, 5, 3),
        ),
        (
            "( relu | gap ) | flatten",
            Sequential(Sequential(Activation("relu"), GlobalAvgPool()), Flatten()),
            None,
        ),
    ],
)
def test_the_line_form_as_documented(line, spec, shape):
    assert to_line(spec, shape) == line
    assert from_line(line) == (spec, shape)


@pytest.mark.parametrize("word", LAYER_WORDS)
def test_every_word_stands_in_the_grammar(word):
    """Of those with a rank, the one with rank 2; functions stand where Activation lists them."""
    documented = re.findall("[a-z0-9_]+", line_form.__doc__ + Activation.__doc__)
    assert re.sub("[13]d$", "2d", word) in documented


def test_what_may_be_left_out_or_said_otherwise():
    assert from_line("conv2d c3>64 k5 hw228") == (Conv(3, 64, 5), (1, 228, 228, 3))
    assert from_line(" conv2d k5x5 valid c3>64\ts1x1  zeros ") == (Conv(3, 64, 5), None)
    assert from_line("separable2d c3>4 k3 nodwbias nopwbias") == from_line(
        "separable2d c3>4 k3 nobias"
    )
    assert from_line("conv2d c3>64 k5 p0") == (Conv(3, 64, 5), None)  # no padding has one name
    assert from_line("(relu)|gap") == from_line("( relu ) | gap")
    assert from_json('{"type": "Conv", "kernel_size": 3, "in_channels": 1, "out_channels": 2}') == (
        Conv(1, 2, 3)
    )


def test_json_keeps_names_and_their_order():
    spec = Sequential({"b": Flatten(), "a": Dense(3, 4), "0": Dropout(0.25)})
    assert json.loads(to_json(spec)) == {
        "type": "Sequential",
        "layers": {
            "b": {"type": "Flatten"},
            "a": {"type": "Dense", "in_features": 3, "out_features": 4, "bias": True, "axis": -1},
            "0": {"type": "Dropout", "p": 0.25, "kind": "element"},
        },
    }
    assert [name for name, _ in from_json(to_json(spec)).children] == ["b", "a", "0"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected a layer, such as 'conv2d c3>8 k3', not the end of the line"),
        ("relu |", "expected a layer.*not the end of the line, after 'relu |'"),
        ("| relu", r"expected a layer.*not '\|'"),
        ("conv c3>8 k3", "unknown layer 'conv'. Did you mean 'conv[123]d'"),
        ("sepparable2d c3>8 k3", "'sepparable2d'. Did you mean 'separable2d'"),
        ("Relu6", "unknown layer 'Relu6'. Did you mean 'relu6'"),
        ("relu gap", "relu does not take 'gap'"),
        ("conv2d k3", r"conv2d needs c3>8 \(channels in>out\)"),
        ("conv2d c3>8", "conv2d needs k3 or k3x2"),
        ("batchnorm2d", "batchnorm2d needs c8"),
        ("dropout p", "dropout does not take 'p'; it takes p0.1"),
        ("conv2d c3 k3", "conv2d does not take 'c3'; it takes c3>8"),
        ("conv2d c3>8 q5", "conv2d does not take 'q5'; it takes .*k3 or k3x2"),
        ("conv2d c3>8 k3 m2", "conv2d does not take 'm2'"),
        ("depthwise2d c3 k3 nopwbias", "does not take 'nopwbias'"),
        ("conv2d c3>8 k-3", "conv2d does not take 'k-3'"),
        ("conv2d c3>8 k3.5", "conv2d does not take 'k3.5'"),
        ("conv2d c3>8 k٣", r"conv2d does not take 'k\\u0663'"),
        ("conv2d c3>8 k3 k4", "'k4' says kernel_size a second time"),
        ("conv2d c3>8 k3 same p1", "'p1' says padding a second time"),
        ("separable2d c3>8 k3 nobias nodwbias", "'nodwbias' says depthwise_bias a second time"),
        ("conv2d c3>8 k3 hw5 w5", "'w5' says size a second time"),
        ("conv2d c3>8 k3x3x3", "2 entries.*in 'conv2d c3>8 k3x3x3'"),
        ("conv2d c3>8 k3 p1:2", "padding must be.*in 'conv2d c3>8 k3 p1:2'"),
        ("conv2d c3>8 k0", "kernel_size must be at least 1, not 0, in 'conv2d c3>8 k0'"),
        ("conv2d c3>8 k3 g2", "not divisible by groups=2"),
        ("conv2d c3>8 k3 causal", "causal padding needs rank 1"),
        ("dropout p1.5", r"p must lie in \[0, 1\).*in 'dropout p1.5'"),
        ("batchnorm2d c3 eps1e999", "eps must lie between 0 and 1"),
        ("conv2d c3>8 k3 hw7x9x3", "'hw7x9x3' has 3 sizes; 'hw' takes 1 or 2"),
        ("relu hw3", "relu: the shape of the input needs its channels"),
        ("relu | relu n1 c3", "only the first layer says the shape.*'relu n1 c3'"),
        ("residual relu", r"expected '\(', not 'relu', after 'residual'"),
        ("residual( relu", r"expected '\|' or '\)', not the end of the line"),
        ("residual( relu ; relu ; relu )", r"expected '\|' or '\)', not ';'"),
        ("( relu", r"expected '\|' or '\)', not the end of the line, after '\( relu'"),
        ("relu )", r"expected '\|' or the end of the line, not '\)', after 'relu'"),
        ("relu ; relu", "expected '|' or the end of the line, not ';'"),
        ("conv2d c" + "9" * 5000 + ">3 k3", "conv2d does not take 'c9999"),
        ('{"type": "Flatten", "input_shape": [1, "a"]}', 'a list of ints, not .1, "a".'),
        ('{"type": "Flatten", "input_shape": 3}', "a list of ints, not 3"),
        ("( " * (MAX_DEPTH + 1) + "relu" + " )" * (MAX_DEPTH + 1), "nests at most 64"),
        ("( " * 100_000, "nests at most 64"),
        ("residual( " * 100_000, "nests at most 64"),
    ],
)
def test_a_line_that_says_no_spec(line, message):
    with pytest.raises(SpecError, match=message):
        from_line(line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not JSON"),
        ("{", "this is not JSON.*: {"),
        ("relu", "this is not JSON.*: relu"),
        ("[]", r"a spec is a JSON object .*not \[\]"),
        ("null", "not null"),
        ("{}", "not {}"),
        ('{"type": "Conf"}', "unknown spec type 'Conf'. Did you mean 'Conv'"),
        ('{"type": 3}', "unknown spec type 3"),
        ('{"type": "Spec"}', "unknown spec type 'Spec'"),
        ('{"type": "__import__"}', "unknown spec type '__import__'"),
        ('{"type": "Dense", "in_feature": 3}', "of Dense 'in_feature'. Did you mean 'in_features'"),
        ('{"type": "Dense", "in_features": 3}', "Dense: the field 'out_features' is missing"),
        ('{"type": "Sequential"}', "Sequential: the field 'layers' is missing"),
        ('{"type": "Sequential", "layers": []}', '"layers" is an object of named specs'),
        ('{"type": "Sequential", "layers": {}}', "needs at least one layer"),
        ('{"type": "Sequential", "layers": {"a": 3}}', "a spec is a JSON object.*not 3"),
        ('{"type": "Sequential", "layers": {"a.b": {"type": "Flatten"}}}', "not 'a.b'"),
        ('{"type": "Residual", "body": 3}', "body must be a spec, not 3"),
        ('{"type": "Dropout", "p": 0.1, "p": 0.2}', "'p' is said twice"),
        ('{"type": "Dropout", "p": NaN}', "p must lie"),
        ('{"type": "Dropout", "p": 1e999}', "p must lie"),
        ('{"type": "Dropout", "p": [0.1]}', "p must be a number"),
        ('{"type": "Dropout", "p": ' + "9" * 5000 + "}", "this is not JSON"),
        ('{"type": "Dense", "in_features": 3.0, "out_features": 1}', "must be an integer, not 3.0"),
        ('{"type": "Dense", "in_features": true, "out_features": 1}', "must be an integer"),
        ('{"type": "Dense", "in_features": {"type": "Flatten"}, "out_features": 1}', "an integer"),
        ('{"type": "Flatten", "input_shape": [1, 2]}', "field of Flatten 'input_shape'"),
        ("[" * 100_000, "nests at most 64"),
        ('{"type": ' * 100_000, "nests at most 64"),
        ('{"type": "Residual", "body": ' * 400 + '{"type": "Flatten"}' + "}" * 400, "at most 64"),
        ('{"type": "Residual", "body": ' * 65 + '{"type": "Flatten"}' + "}" * 65, "at most 64"),
    ],
)
def test_json_that_says_no_spec(text, message):
    with pytest.raises(SpecError, match=message):
        from_json(text)


def test_json_never_meets_the_recursion_limit_whatever_the_depth():
    for depth in range(50, 1500, 50):
        text = '{"type": "Dense", "in_features": ' + "[" * depth + "]" * depth + "}"
        with pytest.raises(SpecError):
            from_json(text.replace("}", ', "out_features": 1}'))


def nested(depth):
    spec = Flatten()
    for _ in range(depth):
        spec = Residual(spec)
    return spec


def test_a_spec_as_deep_as_is_allowed_survives_both_forms():
    spec = nested(MAX_DEPTH)
    assert from_json(to_json(spec)) == spec
    assert from_line(to_line(spec, (1, 2))) == (spec, (1, 2))


@pytest.mark.parametrize("write", [to_json, to_line])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5000])
def test_a_spec_too_deep_to_be_read_is_not_written(write, depth):
    with pytest.raises(SpecError, match="nests at most 64"):
        write(nested(depth))


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                *LAYER_WORDS,
                "(",
                ")",
                "|",
                ";",
                "c3>8",
                "c8",
                "k3",
                "k3x2",
                "s2",
                "same",
                "p1:2",
                "hw5",
                "n2",
            ]
        )
    ).map(" ".join)
)
def test_any_text_is_a_spec_or_a_spec_error(text):
    try:
        spec, shape = from_line(text)
    except SpecError as error:
        assert str(error)  # noqa: PT017
    else:
        assert from_line(to_line(spec, shape)) == (spec, shape)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.sampled_from(["layers", "body", "p", "eps"]), children)
        | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
)


@given(st.sampled_from(sorted(TYPES)), st.data())
def test_any_json_object_is_a_spec_or_a_spec_error(name, data):
    known = list(TYPES[name].__dataclass_fields__)
    fields = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(known, json_values)))
    try:
        spec = from_json(json.dumps({"type": name, **fields}))
    except SpecError as error:
        assert str(error)  # noqa: PT017
    else:
        assert from_json(to_json(spec)) == spec
