"""A network with code of its own in PyTorch, and its twin in Keras."""

from typing import Any

import numpy as np

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
