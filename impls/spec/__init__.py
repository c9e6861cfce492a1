"""What a layer is, said once: frozen dataclasses in PyTorch's vocabulary, checked when made.

A spec holds no weights and knows no framework. A scalar stands for every spatial axis; it is stored
as one int an axis. ``padding`` is stored as ``"valid"``, ``"same"`` (TensorFlow's rule, at any
stride), ``"causal"`` (rank 1) or one ``(low, high)`` pair an axis. One file a family of layers;
``base`` says what they have in common, ``fold`` in what order the steps of a composite run.
"""

from convparity.impls.spec.activation import (
    ACTIVATIONS,
    DEFAULT_ALPHA,
    Activation,
    ActivationName,
)
from convparity.impls.spec.base import (
    INPUT,
    MAX_DEPTH,
    MAX_LAYERS,
    NAME,
    Composite,
    Join,
    Layer,
    Spec,
    Step,
    arguments,
    check_spec,
    child_weights,
    dotted,
    own_weights,
    under,
)
from convparity.impls.spec.checks import (
    NUMPY_MODES,
    PADDING_MODES,
    PADDINGS,
    PaddingMode,
    Pairs,
    Shape,
    shape_of,
)
from convparity.impls.spec.convolution import (
    Conv,
    ConvTranspose,
    DepthwiseConv,
    SeparableConv,
    transposed_crop,
)
from convparity.impls.spec.fold import (
    branches,
    check_number,
    fold_steps,
    fold_stretches,
    is_chain,
    is_one_layer,
    named,
    output_shape,
    packed,
    parameter_shapes,
    stretches,
    walk,
    walk_shapes,
)
from convparity.impls.spec.graph import Graph, Sequential
from convparity.impls.spec.head import Dense, Dropout, Flatten
from convparity.impls.spec.join import JOINS, Add, Concat, Multiply, Residual, Subtract
from convparity.impls.spec.movement import Pad, Rearrange, Slice
from convparity.impls.spec.normalisation import BatchNorm, GroupNorm, LayerNorm, Scale
from convparity.impls.spec.pooling import AvgPool, GlobalAvgPool, MaxPool
from convparity.impls.spec.windows import effective_kernel, padding_pairs, window_extent
from convparity.impls.spec.wires import Wire, Wiring, wired, wiring

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_ALPHA",
    "INPUT",
    "JOINS",
    "MAX_DEPTH",
    "MAX_LAYERS",
    "NAME",
    "NUMPY_MODES",
    "PADDINGS",
    "PADDING_MODES",
    "Activation",
    "ActivationName",
    "Add",
    "AvgPool",
    "BatchNorm",
    "Composite",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Graph",
    "GroupNorm",
    "Join",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Multiply",
    "Pad",
    "PaddingMode",
    "Pairs",
    "Rearrange",
    "Residual",
    "Scale",
    "SeparableConv",
    "Sequential",
    "Shape",
    "Slice",
    "Spec",
    "Step",
    "Subtract",
    "Wire",
    "Wiring",
    "arguments",
    "branches",
    "check_number",
    "check_spec",
    "child_weights",
    "dotted",
    "effective_kernel",
    "fold_steps",
    "fold_stretches",
    "is_chain",
    "is_one_layer",
    "named",
    "output_shape",
    "own_weights",
    "packed",
    "padding_pairs",
    "parameter_shapes",
    "shape_of",
    "stretches",
    "transposed_crop",
    "under",
    "walk",
    "walk_shapes",
    "window_extent",
    "wired",
    "wiring",
]
