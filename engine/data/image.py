"""Reads one picture file as upright RGB, and crops it to a square."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from engine.errors import DataError

MAX_BYTES = 50_000_000  # of one picture file; a phone's largest JPEG has about 20 million
MAX_PIXELS = 50_000_000  # of one picture: 150 MB of memory as RGB

Reader = Callable[[], Image.Image | np.ndarray]  # reads one picture; an array is (H, W, 3) uint8


class FileReader(Protocol):
    """Reads one picture from a file, with the `side` of `read_image`; without an argument it is a Reader."""

    def __call__(self, side: int = 0) -> Image.Image:
        """Return the picture; raise DataError with the reason where it cannot be read."""
        ...


# Chosen by their first bytes, not by Image.open: its size check uses warning filters, which all threads share
FORMATS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"GIF8", GifImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"RIFF", WebPImageFile),
)
EXIF_TRANSPOSES = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(source: bytes | Path, side: int = 0) -> Image.Image:
    """Read the first frame of a JPEG, PNG, WebP, GIF, BMP or TIFF as upright RGB, from a path or from bytes.

    Transparent pixels become white; 16-bit grey is scaled to 8 bits. Safe to call from many threads.
    `side`: the short side in pixels that the caller needs, 0 = full size. A JPEG at least 4 times as large is decoded at
    a half, a quarter or an eighth, never below 2 * side; this is several times faster and looks the same after resizing.
    Raises DataError with the reason, without the file name: "is cut short", "has 120 megapixels; at most 50 are read".
    """
    data = _read_bytes(source) if isinstance(source, Path) else source
    if not data:
        raise DataError("refusal.picture.empty")
    if len(data) > MAX_BYTES:
        raise DataError("refusal.picture.large", most=MAX_BYTES // 1_000_000)
    if data[4:8] == b"ftyp":
        raise DataError("refusal.picture.avif" if data[8:12] in (b"avif", b"avis") else "refusal.picture.heic")
    factory = next((factory for magic, factory in FORMATS if data.startswith(magic)), None)
    if factory is None or (factory is WebPImageFile and data[8:12] != b"WEBP"):
        raise DataError("refusal.picture.other")
    try:
        with factory(io.BytesIO(data)) as picture:
            check_pixels(*picture.size)
            if side:
                picture.draft(None, (2 * side, 2 * side))  # only JPEG has it
            picture.load()
            return _upright(picture, _to_rgb(picture))
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # a frame larger than the header declares
        raise DataError("refusal.picture.frame", most=MAX_PIXELS // 1_000_000) from None
    except Exception as error:  # decoders raise many exception types on malformed bytes
        is_short = _is_cut_short(data, error)
        raise DataError("refusal.picture.short" if is_short else "refusal.picture.damaged") from None


def check_pixels(width: int, height: int) -> None:
    """Raise DataError where a picture has more than MAX_PIXELS pixels."""
    if width * height > MAX_PIXELS:
        megapixels = -(-width * height // 1_000_000)
        raise DataError("refusal.picture.megapixels", given=megapixels, most=MAX_PIXELS // 1_000_000)


def center_crop(picture: Image.Image | np.ndarray, side: int) -> np.ndarray:
    """Resize the short side to `side` and crop the middle: (side, side, 3) uint8.

    Antialiased bicubic. An array that already has this shape is returned unchanged.
    """
    if isinstance(picture, np.ndarray):
        if picture.shape == (side, side, 3):
            return picture
        picture = Image.fromarray(picture)
    width, height = picture.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    # reducing_gap=3 is indistinguishable by eye and several times faster on a phone's photo (Pillow's manual)
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError("refusal.picture.unopened", error=error.strerror) from None


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.float32) / 257  # 65535 / 257 = 255
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("F", "LAB", "HSV"):
        raise DataError("refusal.picture.mode", mode=picture.mode)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    rgba = picture.convert("RGBA")
    background = Image.new("RGB", picture.size, "white")
    background.paste(rgba, mask=rgba.getchannel("A"))
    return background


def _upright(picture: Image.Image, pixels: Image.Image) -> Image.Image:
    try:
        transpose = EXIF_TRANSPOSES.get(picture.getexif().get(Base.Orientation, 1))
    except Exception:  # a good picture is kept even where its EXIF is damaged
        transpose = None
    return pixels if transpose is None else pixels.transpose(transpose)


def _is_cut_short(data: bytes, error: Exception) -> bool:
    if data.startswith(b"RIFF"):
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    return isinstance(error, EOFError) or "truncated" in str(error).lower()
