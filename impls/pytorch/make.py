"""Specs to ``torch.nn`` modules."""

from collections import OrderedDict

from torch import nn

from convparity.impls.adapter import check_names
from convparity.impls.pytorch import layers
from convparity.impls.pytorch.bindings import TABLE
from convparity.impls.spec import Composite, Sequential, Spec, is_one_layer, wiring


def make(spec: Spec) -> nn.Module:
    """The native module of a spec, as PyTorch initialises it."""
    if not isinstance(spec, Composite) or is_one_layer(spec):
        return TABLE.make(spec)
    chain = isinstance(spec, Sequential)
    check_names("pytorch", spec, nn.Sequential if chain else layers.Graph)
    children = {name: make(child) for name, child in spec.children}
    return nn.Sequential(OrderedDict(children)) if chain else layers.Graph(children, *wiring(spec))
