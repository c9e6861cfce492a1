"""convparity: one declarative spec, one set of weights, three frameworks.

Importing this imports no framework; each is imported when a module of it is first asked for.
TensorFlow's import, by whomever, is preceded by triton's, where both are installed.
"""

from impls import import_order, networks
from impls.convert import apply, build, convert, describe, dump
from impls.errors import (
    ConvparityError,
    FrameworkUnavailable,
    InputError,
    SpecError,
    UnsupportedError,
    WeightError,
)
from impls.files import load, save
from impls.reference import reference
from impls.shapes import output_shape, parameter_shapes
from impls.spec import (
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
    SeparableConv,
    Sequential,
    Spec,
)
from impls.weights import init_weights

import_order.watch()

__all__ = [
    "Activation",
    "AvgPool",
    "BatchNorm",
    "Conv",
    "ConvTranspose",
    "ConvparityError",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "FrameworkUnavailable",
    "GlobalAvgPool",
    "GroupNorm",
    "InputError",
    "LayerNorm",
    "MaxPool",
    "Residual",
    "SeparableConv",
    "Sequential",
    "Spec",
    "SpecError",
    "UnsupportedError",
    "WeightError",
    "apply",
    "build",
    "convert",
    "describe",
    "dump",
    "init_weights",
    "load",
    "networks",
    "output_shape",
    "parameter_shapes",
    "reference",
    "save",
]
