"""Known porting faults, each a small transformation of a spec or of its weights."""

import dataclasses

from impls.shapes import effective_kernel
from impls.spec import Conv, DepthwiseConv, Residual, SeparableConv, Sequential, Spec


def symmetric_padding(spec: Spec) -> Spec:
    """Write "same" as k // 2 on both sides: right at stride 1, shifted at stride 2.

    Shapes and counts stay as they were, so that nothing warns whoever ports from TensorFlow.
    """
    match spec:
        case Conv() | DepthwiseConv() | SeparableConv() if spec.padding == "same":
            extent = effective_kernel(spec.kernel_size, spec.dilation)
            return dataclasses.replace(spec, padding=tuple(k // 2 for k in extent))
        case Sequential():
            return Sequential({name: symmetric_padding(child) for name, child in spec.children})
        case Residual():
            shortcut = None if spec.shortcut is None else symmetric_padding(spec.shortcut)
            return Residual(symmetric_padding(spec.body), shortcut)
    return spec
