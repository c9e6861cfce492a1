"""PyTorch's rows of what stands between the last pixels and the scores."""

from torch import nn

from convparity.impls.bindings import Field, Row, same
from convparity.impls.errors import UnsupportedError
from convparity.impls.pytorch import layers
from convparity.impls.pytorch.rows.common import AXES, HAS_BIAS, KERNEL
from convparity.impls.spec import Dense, Dropout, Flatten, Identity


def _flatten(module: nn.Module) -> None:
    raise UnsupportedError(
        "pytorch: nn.Flatten orders the features C, H, W; use "
        "convparity.impls.pytorch.layers.Flatten, and permute the weights of the layer behind it"
    )


def _last_dim(module: nn.Module) -> int:
    """The axis of torch's last dim; where nothing says how many there are, the run shows it."""
    return -1 if AXES.get(module, 2) < 3 else -2


ROWS = [
    Row(Flatten, layers.Flatten),
    Row(Flatten, nn.Flatten, check=_flatten),
    Row(Dropout, nn.Dropout, same("p"), says={"kind": "element"}),
    Row(
        Dropout,
        layers.Dropout,
        same("p", "kind"),
    ),
    Row(  # read and never made, as those of alpha dropout
        Dropout,
        nn.Dropout1d,
        same("p"),
        says={"kind": "channel"},
        also=(nn.Dropout2d, nn.Dropout3d),
    ),
    Row(Identity, nn.Identity),
    Row(Identity, nn.AlphaDropout, also=(nn.FeatureAlphaDropout,)),
    Row(
        Dense,
        layers.Linear,
        {**same("in_features", "out_features", "axis"), "bias": HAS_BIAS},
        KERNEL,
    ),
    Row(  # read and never made
        Dense,
        nn.Linear,
        {
            **same("in_features", "out_features"),
            "bias": HAS_BIAS,
            "axis": Field(None, _last_dim),
        },
        KERNEL,
    ),
]
