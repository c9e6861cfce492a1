"""PyTorch's rows of images of another size."""

from typing import Any

import numpy as np
from torch import nn

from convparity.impls.bindings import Field, Row, same
from convparity.impls.pytorch import resize
from convparity.impls.pytorch.rows.common import refuse_unless
from convparity.impls.spec import Resize

# and the rank that each says
MODES = {
    **{"nearest": 0, "nearest-exact": 0, "area": 0},
    **{"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2},
}


def _check_upsample(module: Any) -> None:
    needs = f"mode={' or '.join(map(repr, MODES))}"
    refuse_unless(module.mode in MODES, module, f"{needs}: no spec says another")
    whole = module.scale_factor is None or all(
        float(each).is_integer() for each in np.ravel(module.scale_factor)
    )
    refuse_unless(
        whole or not module.recompute_scale_factor or module.mode == "area",
        module,
        "recompute_scale_factor=None: a fraction scales a spec's positions itself, not the "
        "quotient of the sizes. Give the size",
    )


def _upsample_rank(module: Any) -> int:
    """The mode says it, or how many sizes there are; an image's where neither does."""
    given = module.scale_factor if module.size is None else module.size
    return MODES[module.mode] or (len(given) if isinstance(given, tuple | list) else 2)


ROWS = [
    Row(
        Resize,
        resize.Resize,
        {
            **same("size", "scale", "method", "align_corners", "antialias"),
            "rank": Field(None, lambda module: len(module.size or module.scale)),
        },
    ),
    Row(
        Resize,
        nn.Upsample,
        {
            "size": "size",
            "scale": "scale_factor",
            "method": Field("mode"),
            "align_corners": Field("align_corners", to_spec=bool),
            "rank": Field(None, _upsample_rank),
        },
        check=_check_upsample,
    ),
]
