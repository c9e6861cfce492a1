"""``check``: its inputs and outputs, and the user's objects as they were."""

import copy
import re
from typing import Any

import numpy as np
import pytest

from convparity import check
from convparity.impls.errors import InputError, UnsupportedError
from parity_tests.support.twins import SIZE, images, keras_net, torch_net

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
