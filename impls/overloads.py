"""What ``build`` and ``convert`` return, by the framework's name: for type checkers alone.

Written by ``python -m parity_tests.project.overloads`` from the rows of the registry.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, overload

import numpy as np

from convparity.impls.spec import Spec

if TYPE_CHECKING:
    import flax.nnx
    import keras.layers
    import torch.nn


class Build(Protocol):
    """The type of ``build``."""

    @overload
    def __call__(
        self,
        spec: Spec,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        framework: Literal["pytorch"],
        device: str = "cpu",
        dtype: str = "float32",
        algorithm: str = "auto",
    ) -> "torch.nn.Module": ...

    @overload
    def __call__(
        self,
        spec: Spec,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        framework: Literal["flax"],
        device: str = "cpu",
        dtype: str = "float32",
        algorithm: str = "auto",
    ) -> "flax.nnx.Module": ...

    @overload
    def __call__(
        self,
        spec: Spec,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        framework: Literal["keras"],
        device: str = "cpu",
        dtype: str = "float32",
        algorithm: str = "auto",
    ) -> "keras.layers.Layer": ...

    @overload
    def __call__(
        self,
        spec: Spec,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        framework: str,
        device: str = "cpu",
        dtype: str = "float32",
        algorithm: str = "auto",
    ) -> Any: ...


class Convert(Protocol):
    """The type of ``convert``."""

    @overload
    def __call__(
        self, module: Any, to: Literal["pytorch"], inputs: Any = None, share: bool = False
    ) -> "torch.nn.Module": ...

    @overload
    def __call__(
        self, module: Any, to: Literal["flax"], inputs: Any = None, share: bool = False
    ) -> "flax.nnx.Module": ...

    @overload
    def __call__(
        self, module: Any, to: Literal["keras"], inputs: Any = None, share: bool = False
    ) -> "keras.layers.Layer": ...

    @overload
    def __call__(self, module: Any, to: str, inputs: Any = None, share: bool = False) -> Any: ...


def typed_build(function: Callable[..., Any]) -> Build:
    """The function itself, with the type of ``build``."""
    return cast(Build, function)


def typed_convert(function: Callable[..., Any]) -> Convert:
    """The function itself, with the type of ``convert``."""
    return cast(Convert, function)
