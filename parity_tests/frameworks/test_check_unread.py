"""``check``: what it cannot read, it does not prove."""

import copy
from typing import Any

import pytest

from convparity import check
from convparity.impls.errors import InputError
from parity_tests.support.twins import images, torch_net


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


@pytest.mark.parametrize("name", ["LocalResponseNorm", "Softmin", "Threshold", "RReLU"])
def test_a_layer_that_cannot_be_read_is_never_proved(name: str) -> None:
    from torch import nn

    layers = {
        "LocalResponseNorm": lambda: nn.LocalResponseNorm(2),
        "Softmin": lambda: nn.Softmin(1),
        "Threshold": lambda: nn.Threshold(0.1, 8.0),
        "RReLU": lambda: nn.RReLU(),
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

    for below, status in ((0.0, "not tested"), (80.0, "wrong")):
        answer = check(torch_chain(nn.ReLU()), torch_chain(nn.Threshold(0, below)), images())
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
    assert answer.status == ("proved" if right else "wrong"), str(answer)


def test_an_input_without_axes_is_one_clear_error() -> None:
    import torch

    net = torch_net()
    with pytest.raises(InputError, match="no axis"):
        check(net, net, (images(), torch.tensor(2.0)))
