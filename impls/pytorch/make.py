"""Specs to ``torch.nn`` modules."""

import keyword
from collections import OrderedDict

from torch import nn

from convparity.impls.adapter import check_names
from convparity.impls.errors import UnsupportedError
from convparity.impls.pytorch import layers
from convparity.impls.pytorch.bindings import TABLE
from convparity.impls.spec import Composite, Sequential, Spec, is_one_layer, wiring


def make(spec: Spec) -> nn.Module:
    """The native module of a spec, as PyTorch initialises it."""
    if not isinstance(spec, Composite) or is_one_layer(spec):
        return TABLE.make(spec)
    chain = isinstance(spec, Sequential)
    check_names("pytorch", spec, nn.Sequential if chain else layers.Graph)
    if not chain:
        _check_words(spec)
    children = {name: make(child) for name, child in spec.children}
    return nn.Sequential(OrderedDict(children)) if chain else layers.Graph(children, *wiring(spec))


def _check_words(spec: Composite) -> None:
    """Raise for a name that ``torch.export`` cannot write: it makes Python code of a graph."""
    for name, _ in spec.children:
        if keyword.iskeyword(name):
            raise UnsupportedError(
                f"pytorch: a node of a Graph cannot be called {name!r}, a word of Python itself, "
                "of which torch.export makes code that is none: give it another name"
            )
