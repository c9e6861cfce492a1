"""``check``: right twins are proved, wrong ones found."""

import copy
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convparity import check, convert
from parity_tests.support.twins import SIZE, images, keras_net, torch_net

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
