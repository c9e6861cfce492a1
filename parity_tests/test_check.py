"""``check``: the user's two objects as they are, right ones proved and wrong ones found."""

import copy
import random
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convparity import check, convert
from convparity.impls.errors import InputError, UnsupportedError

pytestmark = pytest.mark.frameworks

SIZE = 18


def torch_net(seed: int = 0) -> Any:
    """A network whose forward pass is code of its own."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(8)
            self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.conv3 = nn.Conv2d(8, 8, 1)
            self.fc = nn.Linear(8, 5)

        def forward(self, x: Any) -> Any:
            x = functional.relu6(self.bn1(self.conv1(x)))
            x = x + functional.relu(self.conv3(self.conv2(x)))
            return self.fc(x.mean((2, 3)))

    torch.manual_seed(seed)
    net = Net()
    with torch.no_grad():
        for each in (net.bn1.weight, net.bn1.bias, net.bn1.running_mean):
            each.copy_(torch.randn(8) * 0.3 + 1)
        net.bn1.running_var.copy_(torch.rand(8) + 0.5)
    return net


def keras_net(net: Any, **changes: Any) -> Any:
    """Its twin in Keras, written by hand; ``changes`` are mistakes."""
    import keras
    from keras import ops

    padding = changes.get("padding", "valid")

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = keras.layers.Conv2D(8, 3, strides=2, padding=padding, use_bias=False)
            self.bn1 = keras.layers.BatchNormalization(epsilon=changes.get("epsilon", 1e-5))
            self.conv2 = keras.layers.DepthwiseConv2D(3, padding="same")
            self.conv3 = keras.layers.Conv2D(8, 1)
            self.fc = keras.layers.Dense(5)

        def call(self, x: Any) -> Any:
            if padding == "valid":
                x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            act = ops.relu if changes.get("relu") else ops.relu6
            x = act(self.bn1(self.conv1(x)))
            y = ops.relu(self.conv3(self.conv2(x)))
            x = y if changes.get("no_skip") else x + y
            return self.fc(ops.mean(x, (1, 2)))

    twin = Net()
    twin(np.zeros((1, SIZE, SIZE, 3), np.float32))

    def numpy(tensor: Any) -> np.ndarray:
        return np.asarray(tensor.detach())

    def kernel(tensor: Any) -> np.ndarray:
        return numpy(tensor).transpose(2, 3, 1, 0)

    twin.conv1.set_weights([kernel(net.conv1.weight)])
    names = ("weight", "bias", "running_mean", "running_var")
    twin.bn1.set_weights([numpy(getattr(net.bn1, name)) for name in names])
    depthwise = numpy(net.conv2.weight).transpose(2, 3, 0, 1)
    if changes.get("flip"):
        depthwise = depthwise[::-1, ::-1]
    twin.conv2.set_weights([depthwise, numpy(net.conv2.bias)])
    twin.conv3.set_weights([kernel(net.conv3.weight), numpy(net.conv3.bias)])
    twin.fc.set_weights([numpy(net.fc.weight).T, numpy(net.fc.bias)])
    return twin


def images(n: int = 2, size: int = SIZE) -> Any:
    import torch

    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


# ---------------------------------------------------------------- several outputs


def several(twin: bool = False, **changes: Any) -> Any:
    """A module that gives a mapping with a tuple in it, or a twin that gives a list."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            means = x.mean((2, 3))
            scores = self.head(means)
            made = [scores, x, means + changes.get("off", 0.0)]
            if "order" in changes:
                made = [made[i] for i in changes["order"]]
            return made if twin else {"scores": scores, "features": (x, means)}

    torch.manual_seed(5)
    return Net()


def test_several_outputs_are_compared_one_by_one() -> None:
    answer = check(several(), several(twin=True), images())
    assert answer.ok, str(answer)
    assert check(several(), several(), images()).ok


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"off": 1e-3}, r"\['features'\]\[1\]: .* values differ"),
        ({"order": (0, 2, 1)}, r"\['features'\]\[0\]: shape"),
        ({"order": (0, 1)}, "2 of them, not 3"),
    ],
)
def test_one_of_several_outputs_is_wrong(changes: dict[str, Any], said: str) -> None:
    answer = check(several(), several(twin=True, **changes), images())
    assert answer.status == "wrong"
    assert answer.cause is not None
    assert re.search(said, answer.cause), answer.cause


# ---------------------------------------------------------------- what cannot be read


def torch_chain(*layers: Any) -> Any:
    """Two convolutions, with the same numbers each time, and the layers behind them."""
    import torch
    from torch import nn

    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), *layers)


def prelu(change: float = 0.0) -> Any:
    import torch
    from torch import nn

    layer = nn.PReLU(4)
    with torch.no_grad():
        layer.weight[2] += change
    return layer


@pytest.mark.parametrize(
    "name", ["PReLU", "BatchNorm2d without affine", "Hardtanh", "InstanceNorm2d"]
)
def test_a_layer_that_cannot_be_read_is_never_proved(name: str) -> None:
    from torch import nn

    layers = {
        "PReLU": prelu,
        "BatchNorm2d without affine": lambda: nn.BatchNorm2d(4, affine=False),
        "Hardtanh": lambda: nn.Hardtanh(0, 8),
        "InstanceNorm2d": lambda: nn.InstanceNorm2d(4),
    }
    net = torch_chain(layers[name]())
    answer = check(net, copy.deepcopy(net), images())
    assert answer.status == "not tested", str(answer)
    assert any(finding.path == "2" for finding in answer.untested), str(answer)


def test_raw_weights_of_one_class_are_compared_bit_by_bit() -> None:
    answer = check(torch_chain(prelu()), torch_chain(prelu(1e-5)), images())
    assert answer.status == "wrong"
    assert answer.first == "2", str(answer)
    assert "differs in 1 of 4 places" in str(answer.cause)


def test_an_unread_layer_for_a_read_one_is_not_proved() -> None:
    from torch import nn

    for most, status in ((6.0, "not tested"), (80.0, "wrong")):
        answer = check(torch_chain(nn.ReLU6()), torch_chain(nn.Hardtanh(0, most)), images())
        assert answer.status == status, str(answer)


def test_a_parameter_that_no_layer_holds_is_not_proved() -> None:
    import torch
    from torch import nn

    class Scaled(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.next = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1)
            self.gamma = nn.Parameter(torch.full((8, 1, 1), value))

        def forward(self, x: Any) -> Any:
            x = self.conv(x)
            return x + self.gamma * self.next(x)

    answer = check(Scaled(1e-6), Scaled(1e-5), images())
    assert answer.status == "not tested", str(answer)
    assert "gamma" in str(answer)


def test_a_function_that_bends_far_from_zero_is_seen() -> None:
    import torch
    from torch import nn
    from torch.nn import functional

    class Net(nn.Module):
        def __init__(self, function: Any) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.conv, self.last, self.function = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1), function

        def forward(self, x: Any) -> Any:
            return self.last(self.function(self.conv(x)))

    assert check(Net(functional.relu), Net(torch.relu), images()).ok
    answer = check(Net(functional.relu6), Net(functional.relu), images())
    assert answer.status == "wrong", str(answer)


def test_half_precision_is_no_excuse() -> None:
    from torch import nn
    from torch.nn import functional

    class Net(nn.Module):
        def __init__(self, slope: float) -> None:
            super().__init__()
            self.conv, self.slope = torch_chain()[0], slope

        def forward(self, x: Any) -> Any:
            return functional.leaky_relu(self.conv(x), self.slope)

    answer = check(Net(0.01).half(), Net(0.3).half(), images().half())
    assert not answer.ok, str(answer)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_layer_without_weights_takes_what_it_is_given(dtype: str) -> None:
    import torch
    from torch import nn

    net = torch_chain(nn.ReLU()).to(getattr(torch, dtype))
    answer = check(net, copy.deepcopy(net), images().to(getattr(torch, dtype)))
    assert answer.status == ("proved" if dtype == "float64" else "not tested"), str(answer)


def test_branches_in_another_order_are_told_by_their_weights() -> None:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, first: bool) -> None:
            super().__init__()
            torch.manual_seed(3)
            convs = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(3, 8, 1)
            if first:
                self.shortcut, self.a, self.b = convs[2], convs[0], convs[1]
            else:
                self.one, self.two, self.down = convs
            self.first = first

        def forward(self, x: Any) -> Any:
            if self.first:
                y = self.shortcut(x)
                return self.b(torch.relu(self.a(x))) + y
            return self.two(torch.relu(self.one(x))) + self.down(x)

    answer = check(Net(first=False), Net(first=True), images())
    assert answer.ok, str(answer)


def test_the_module_still_trains_and_has_its_buffers() -> None:
    import torch
    from torch import nn

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.kept = torch_chain()[0], None
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x: Any) -> Any:
            y = self.conv(x)
            self.calls = self.calls + 1
            if self.kept is None:
                self.kept = torch.linspace(-1, 1, y.shape[-1])
            return y * self.kept[:1]

    net = Counting()
    check(net, copy.deepcopy(net), images())
    assert net.calls.item() == 0
    net(images()).sum().backward()


def test_channels_last_outputs_are_understood() -> None:
    from torch import nn

    class Last(nn.Module):
        def __init__(self, moved: bool) -> None:
            super().__init__()
            self.conv, self.moved = torch_chain()[0], moved

        def forward(self, x: Any) -> Any:
            y = self.conv(x)
            return y.permute(0, 2, 3, 1) if self.moved else y

    answer = check(Last(moved=True), Last(moved=False), images())
    assert answer.ok, str(answer)
    assert "axes in another order" in str(answer)


def test_calls_by_keyword_and_modes_of_ones_own() -> None:
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last, self.live = *torch_chain(), True

        def train(self, mode: bool = True) -> Any:
            self.live = mode
            return super().train(mode)

        def forward(self, x: Any) -> Any:
            return self.last(self.conv(input=x)) * (2 if self.live else 1)

    net = Net().train()
    answer = check(net, torch_chain(), images())
    assert answer.ok, str(answer)
    assert net.live
    assert net.conv.training


@pytest.mark.parametrize("right", [True, False])
def test_pads_around_a_pool_may_make_up_for_its_own(right: bool) -> None:
    """As Keras' ResNet has it: zeros around what ReLU made, and a pool that pads nothing."""
    from torch import nn

    net = torch_chain(nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    around = nn.ZeroPad2d(1) if right else nn.ZeroPad2d((0, 2, 0, 2))
    answer = check(net, torch_chain(nn.ReLU(), around, nn.MaxPool2d(3, 2)), images())
    assert answer.status == ("not tested" if right else "wrong"), str(answer)


def test_an_input_without_axes_is_one_clear_error() -> None:
    import torch

    net = torch_net()
    with pytest.raises(InputError, match="no axis"):
        check(net, net, (images(), torch.tensor(2.0)))


# ---------------------------------------------------------------- right twins


def test_a_right_twin_written_by_hand_is_proved() -> None:
    net = torch_net()
    answer = check(net, keras_net(net), images())
    assert answer.ok, str(answer)
    assert answer.first is None
    assert answer.cause is None
    assert answer.layers >= 5
    assert "proved" in str(answer)


@pytest.mark.parametrize("framework", ["flax", "keras", "pytorch"])
def test_what_convert_makes_is_proved(framework: str) -> None:
    from torch import nn

    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
    )
    answer = check(net, convert(net, to=framework), images())
    assert answer.ok, str(answer)


def test_one_framework_on_both_sides() -> None:
    net = torch_net()
    assert check(net, copy.deepcopy(net).train(), images()).ok
    answer = check(net, torch_net(seed=1), images())
    assert answer.status == "wrong"
    assert answer.first == "conv1"
    assert "kernel differs in 216 of 216 places" in str(answer.cause)


def test_flatten_in_another_order_with_its_rows_permuted_is_proved() -> None:
    import keras
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.Flatten(), nn.Linear(4 * 16, 5))
    twin = keras.Sequential(
        [keras.layers.Conv2D(4, 3, strides=4), keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    twin.build((None, SIZE, SIZE, 3))
    conv, dense = net[0], net[2]
    kernel = np.asarray(dense.weight.detach()).T
    rows = np.arange(64).reshape(4, 4, 4).transpose(1, 2, 0).ravel()
    twin.layers[0].set_weights(
        [np.asarray(conv.weight.detach()).transpose(2, 3, 1, 0), np.asarray(conv.bias.detach())]
    )
    twin.layers[2].set_weights([kernel[rows], np.asarray(dense.bias.detach())])
    answer = check(net, twin, torch.randn(2, 3, SIZE, SIZE))
    assert answer.ok, str(answer)
    twin.layers[2].set_weights([kernel, np.asarray(dense.bias.detach())])
    answer = check(net, twin, torch.randn(2, 3, SIZE, SIZE))
    assert answer.status == "wrong"
    assert answer.first == "2"


# ---------------------------------------------------------------- wrong twins

MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "SAME for pads of one": ({"padding": "same"}, "conv1", "SAME where the source pads 1"),
    "epsilon": ({"epsilon": 1e-3}, "bn1", "eps 0.001 where the source has 1e-05"),
    "ReLU for ReLU6": ({"relu": True}, "conv2", "what reaches it"),
    "no skip": ({"no_skip": True}, "fc", "what reaches it"),
    "a flipped kernel": ({"flip": True}, "conv2", "flipped"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_named_and_placed(mistake: str) -> None:
    changes, first, cause = MISTAKES[mistake]
    net = torch_net()
    answer = check(net, keras_net(net, **changes), 4 * images())
    assert answer.status == "wrong"
    assert answer.first == first, str(answer)
    assert cause in str(answer.cause), str(answer)


def test_padding_that_differs_at_even_sizes_alone_says_so() -> None:
    net = torch_net()
    answer = check(net, keras_net(net, padding="same"), images(size=17))
    assert answer.status == "wrong"
    assert answer.first == "conv1"
    assert "shows at even sizes" in str(answer.cause)


def deceptive(net: Any, whole: Callable[[Any], Any]) -> Any:
    """A twin with the right layers inside, which gives something else."""
    from torch import nn

    class Twin(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net
            self.known: dict[Any, Any] = {}

        def forward(self, x: Any) -> Any:
            return whole(self)(x)

    return Twin()


def cached(twin: Any) -> Callable[[Any], Any]:
    return lambda x: twin.known.setdefault(tuple(x.shape), twin.net(x))


def first_output(twin: Any) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        y = twin.known.setdefault("y", twin.net(x))
        return y[:1].expand(len(x), -1) if len(y) != len(x) else y

    return run


def by_seed(kind: str) -> Callable[[Any], Callable[[Any], Any]]:
    def draw() -> float:
        import torch

        return {
            "python": random.random,
            "numpy": lambda: float(np.random.random()),  # noqa: NPY002
            "torch": lambda: float(torch.rand(())),
            "clock": lambda: time.perf_counter() % 1,
        }[kind]()

    def twin_of(twin: Any) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:  # right as long as what it reads is what it was at first
            now = draw()
            return twin.net(x) + (now - twin.known.setdefault("first", now))

        return run

    return twin_of


def ignored(twin: Any) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        import torch

        generator = torch.Generator().manual_seed(1)
        return twin.net(torch.randn(2, 3, SIZE, SIZE, generator=generator))[:1].expand(len(x), -1)

    return run


def only_once(twin: Any) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        if "called" in twin.known:
            raise RuntimeError("not a second time")
        twin.known["called"] = True
        return twin.net(x)

    return run


CHEATS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "ignores its input": ignored,
    "a constant": lambda twin: lambda x: twin.net(x) * 0 + 0.5,
    "a recorded output": first_output,
    "caches by shape": cached,
    "fails when it is called again": only_once,
    **{f"reads {kind}": by_seed(kind) for kind in ("python", "numpy", "torch", "clock")},
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_twin_that_cheats_is_wrong(cheat: str) -> None:
    net = torch_net()
    answer = check(net, deceptive(net, CHEATS[cheat]), images())
    assert answer.status == "wrong", str(answer)


# ---------------------------------------------------------------- state, and bad input


def test_nothing_of_the_users_is_changed() -> None:
    import torch

    net, x = torch_net(), images()
    twin = keras_net(net)
    net.train()
    net.conv2.eval()
    before = {name: each.clone() for name, each in net.state_dict().items()}
    weights = twin.get_weights()
    given = x.clone()
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert check(net, twin, x).ok
    assert net.training
    assert not net.conv2.training
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    for now, then in zip(twin.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    assert torch.equal(x, given)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert all(not each._forward_hooks and not each._forward_pre_hooks for each in net.modules())


def test_a_batch_that_the_module_fixes() -> None:
    from torch import nn

    class Fixed(nn.Module):
        def __init__(self, net: Any) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Any) -> Any:
            return self.net(x.reshape(4, 3, SIZE, SIZE))

    net = torch_net()
    answer = check(Fixed(net), Fixed(copy.deepcopy(net)), images(4))
    assert answer.ok, str(answer)
    with_bias = copy.deepcopy(net)
    with_bias.fc.bias.data += 0.1
    answer = check(Fixed(net), Fixed(with_bias), images(4))
    assert answer.first == "net.fc"


def test_inputs_that_tell_nothing_are_not_tested() -> None:
    import torch

    net = torch_net()
    answer = check(net, keras_net(net), torch.full((2, 3, SIZE, SIZE), float("nan")))
    assert answer.status == "not tested"
    assert "no finite number" in str(answer)
    with torch.no_grad():
        net.fc.weight.zero_()
    answer = check(net, keras_net(net), images())
    assert answer.status == "not tested"
    assert "does not change the module's output" in str(answer)


def test_a_module_that_fails_on_its_inputs_is_an_error() -> None:
    import torch

    net = torch_net()
    with pytest.raises(InputError, match="fails"):
        check(net, net, torch.randn(2, 4, SIZE, SIZE))
    with pytest.raises(UnsupportedError, match="no module of"):
        check(net, lambda x: x, images())
    with pytest.raises(InputError, match="empty"):
        check(net, net, ())


def test_complex_outputs_are_not_compared_by_their_real_parts() -> None:
    import torch

    class Complex(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.complex(x, x.sum() * x)

    relu = torch.nn.ReLU()
    for module, twin in ((Complex(), relu), (relu, Complex()), (Complex(), Complex())):
        with pytest.raises(InputError, match="complex numbers, which are not compared"):
            check(module, twin, torch.rand(2, 3))


def flax_net(net: Any) -> Any:
    """Its twin in Flax, with a cache that a call may fill."""
    import jax.numpy as jnp
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self) -> None:
            rngs = nnx.Rngs(0)
            pads = ((1, 1), (1, 1))
            self.conv1 = nnx.Conv(3, 8, (3, 3), 2, padding=pads, use_bias=False, rngs=rngs)
            self.bn1 = nnx.BatchNorm(8, epsilon=1e-5, rngs=rngs)
            self.conv2 = nnx.Conv(8, 8, (3, 3), feature_group_count=8, padding=pads, rngs=rngs)
            self.conv3 = nnx.Conv(8, 8, (1, 1), rngs=rngs)
            self.fc = nnx.Linear(8, 5, rngs=rngs)
            self.cheat = nnx.static({})

        def __call__(self, x: Any) -> Any:
            if x.shape in self.cheat:
                return self.cheat[x.shape]
            x = nnx.relu6(self.bn1(self.conv1(x)))
            x = x + nnx.relu(self.conv3(self.conv2(x)))
            y = self.fc(jnp.mean(x, (1, 2)))
            if "on" in self.cheat:
                self.cheat[x.shape] = y
            return y

    twin = Net()
    state = {name: np.asarray(each.detach()) for name, each in net.state_dict().items()}
    for name in ("conv1", "conv2", "conv3"):
        layer = getattr(twin, name)
        layer.kernel.set_value(jnp.asarray(state[f"{name}.weight"].transpose(2, 3, 1, 0)))
        if layer.bias is not None:
            layer.bias.set_value(jnp.asarray(state[f"{name}.bias"]))
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    for mine, theirs in names.items():
        getattr(twin.bn1, mine).set_value(jnp.asarray(state[f"bn1.{theirs}"]))
    twin.fc.kernel.set_value(jnp.asarray(state["fc.weight"].T))
    twin.fc.bias.set_value(jnp.asarray(state["fc.bias"]))
    return twin


def test_code_of_ones_own_in_flax() -> None:
    net = torch_net()
    twin = flax_net(net)
    answer = check(net, twin, images())
    assert answer.ok, str(answer)
    assert not twin.bn1.use_running_average  # its mode is what it was
    back = check(twin, net, np.moveaxis(np.asarray(images()), 1, -1))
    assert back.ok, str(back)
    twin.conv3.bias.set_value(twin.conv3.bias.get_value() + 1e-3)
    answer = check(net, twin, images())
    assert answer.status == "wrong"
    assert answer.first == "conv3"
