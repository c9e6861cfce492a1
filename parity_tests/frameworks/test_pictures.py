"""Pictures that are read, and all that looks like one and is not."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convparity import InputError
from convparity.analysis.showcase import pictures

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def written(form: str, pixels: np.ndarray = PIXELS, **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of few bytes whose header promises so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_square_at_the_centre_is_read(tmp_path: Path, form: str) -> None:
    path = tmp_path / "picture.of-any-name"
    path.write_bytes(written(form))
    x = pictures.prepare(path, 40)
    assert x.shape == (1, 40, 40, 3)
    assert x.dtype == np.float32
    if form == "PNG":
        assert np.array_equal(x[0] * 128 + 127, PIXELS[:, 10:50])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        b"II*\0" + bytes(64),
        b"P6 2 2 255\n" + bytes(12),
    ],
)
def test_what_is_no_picture_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"picture\.png"):
        pictures.prepare(path)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP", "EPS", "WEBP"])
def test_other_formats_are_not_opened(tmp_path: Path, form: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(written(form))
    with pytest.raises(InputError, match=r"picture\.png.*PNG"):
        pictures.prepare(path)


def test_a_picture_of_16_bits_is_refused(tmp_path: Path) -> None:
    """Pillow would make white of all that is not black."""
    path = tmp_path / "picture.png"
    path.write_bytes(written("PNG", np.full((40, 40), 0x8000, np.uint16)))
    with pytest.raises(InputError, match=r"picture\.png has pixels of mode 'I.*': save it with 8"):
        pictures.prepare(path)
    for size in (0, 20_000, "a", 1.5):
        with pytest.raises(InputError, match="size is from 1 to 4096 pixels"):
            pictures.prepare(path, size)  # type: ignore[arg-type]


def test_a_picture_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    for whole in (written("PNG"), written("JPEG")):
        for end in range(0, len(whole) - 12, max(1, len(whole) // 50)):
            path.write_bytes(whole[:end])
            with pytest.raises(InputError, match=r"picture\.png"):
                pictures.prepare(path)


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 1), (10_000, 10_000), (0, 5)])
def test_a_picture_that_expands_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png_that_says(*size))
    with pytest.raises(InputError, match=r"picture\.png"):
        pictures.prepare(path)
