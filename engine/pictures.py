"""Pictures read from bytes and decoded into uint8 tensors. Knows no classes and no task."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from torch import Tensor

from engine import device
from engine.errors import DataError, UnavailableError
from engine.events import Progressed

MOST_BYTES = 50_000_000  # of one picture file; a phone's largest JPEG has about 20 million
MOST_PIXELS = 50_000_000  # of one picture: 150 MB of memory as RGB
SHARE = 0.5  # of the free memory that the pictures of a race may take; the networks need the rest
PAUSE = 0.2  # seconds between two reports of progress

Reader = Callable[[], Image.Image | np.ndarray]  # reads one picture; an array is (H, W, 3) uint8
T = TypeVar("T")


class FileReader(Protocol):
    """Reads one picture from a file, large enough for a `side` as `read` takes it; a Reader where no side is named."""

    def __call__(self, side: int = 0) -> Image.Image:
        """The picture, or DataError with the reason."""
        ...


# Chosen by their first bytes rather than by Image.open, whose check of the size warns through filters that all
# threads share
FORMATS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"GIF8", GifImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"RIFF", WebPImageFile),
)
TURNS = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(source: bytes | Path, side: int = 0) -> Image.Image:
    """One picture as RGB and upright, from a file or its bytes: JPEG, PNG, WebP, GIF, BMP or TIFF, the first frame.

    Transparent parts become white; 16 bits of grey become 8 by their range. Safe to call from many threads.
    Who needs no more than `side` px of the short side says so: a JPEG at least 4 times as large then comes as a half, a
    quarter or an eighth, never below 2 * side, which is several times faster and looks the same once it is resized.
    Raises DataError with the reason and without the name: "is cut short", "has 120 megapixels; at most 50 are read".
    """
    data = _load(source) if isinstance(source, Path) else source
    if not data:
        raise DataError("refusal.picture.empty")
    if len(data) > MOST_BYTES:
        raise DataError("refusal.picture.large", most=MOST_BYTES // 1_000_000)
    if data[4:8] == b"ftyp":
        raise DataError("refusal.picture.avif" if data[8:12] in (b"avif", b"avis") else "refusal.picture.heic")
    factory = next((factory for start, factory in FORMATS if data.startswith(start)), None)
    if factory is None or (factory is WebPImageFile and data[8:12] != b"WEBP"):
        raise DataError("refusal.picture.other")
    try:
        with factory(io.BytesIO(data)) as picture:
            check_pixels(*picture.size)
            if side:
                picture.draft(None, (2 * side, 2 * side))  # only JPEG has it
            picture.load()
            return _upright(picture, _as_rgb(picture))
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # a frame larger than its file says
        raise DataError("refusal.picture.frame", most=MOST_PIXELS // 1_000_000) from None
    except Exception as error:  # a decoder given a stranger's bytes raises anything
        is_short = _is_cut_short(data, error)
        raise DataError("refusal.picture.short" if is_short else "refusal.picture.damaged") from None


def check_pixels(width: int, height: int) -> None:
    """Raise DataError where a picture has more pixels than are read."""
    if width * height > MOST_PIXELS:
        megapixels = -(-width * height // 1_000_000)
        raise DataError("refusal.picture.megapixels", given=megapixels, most=MOST_PIXELS // 1_000_000)


def square(picture: Image.Image | np.ndarray, side: int) -> np.ndarray:
    """The middle of the picture as (side, side, 3) uint8: the short side resized to `side`, the long one cut.

    Antialiased bicubic. What is side by side already comes back as it is, bit for bit.
    """
    if isinstance(picture, np.ndarray):
        if picture.shape == (side, side, 3):
            return picture
        picture = Image.fromarray(picture)
    width, height = picture.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    # A gap of 3 cannot be told from none by eye and makes a phone's photo several times faster (Pillow's manual)
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0))


def decode(readers: Sequence[Reader], side: int, name: str) -> Generator[Progressed, None, Tensor]:
    """All pictures as (N, 3, side, side) uint8, in their order. Closing the generator stops the work.

    Raises what a reader raises: DataError for a picture that can no longer be read.
    """
    pixels = torch.empty(len(readers), 3, side, side, dtype=torch.uint8)
    into = pixels.numpy()

    def fill(k: int) -> None:
        into[k] = square(readers[k](), side).transpose(2, 0, 1)

    yield from work_through(range(len(readers)), fill, "decode", name)
    return pixels


def work_through(
    items: Sequence[int], job: Callable[[int], T], work: Literal["survey", "decode"], name: str
) -> Generator[Progressed, None, list[T]]:
    """What `job` gives for each item, in their order, from as many threads as there are cores.

    Says how far it is at the start, at most every PAUSE seconds, and at the end. Closing it ends the threads after
    the pictures they hold.
    """
    total, results, started = len(items), [], time.perf_counter()
    said = started
    yield Progressed(work, name, 0, total, "pictures", 0.0, -1.0)
    pool = ThreadPoolExecutor(device.cores())
    try:
        for future in [pool.submit(job, item) for item in items]:
            results.append(future.result())
            now = time.perf_counter()
            if now - said >= PAUSE and len(results) < total:
                said, rate = now, len(results) / (now - started)
                yield Progressed(work, name, len(results), total, "pictures", rate, (total - len(results)) / rate)
    finally:
        pool.shutdown(cancel_futures=True)
    yield Progressed(work, name, total, total, "pictures", total / max(time.perf_counter() - started, 1e-9), 0.0)
    return results


def bytes_needed(count: int, side: int) -> int:
    """Bytes of `count` decoded pictures."""
    return count * 3 * side * side


def check_memory(count: int, side: int, name: str) -> None:
    """Raise UnavailableError where the decoded pictures would take more than SHARE of the memory that is free."""
    need, free = bytes_needed(count, side), device.free_memory()
    if need > SHARE * free:
        raise UnavailableError(
            "refusal.picture.memory", n=count, name=name, px=side, need=need / 1e9, free=free / 1e9, share=SHARE
        )


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError("refusal.picture.unopened", error=error.strerror) from None


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        grey = np.asarray(picture).astype(np.float32) / 257  # 65535 / 257 = 255
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("F", "LAB", "HSV"):
        raise DataError("refusal.picture.mode", mode=picture.mode)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    page = Image.new("RGB", picture.size, "white")
    page.paste(layer, mask=layer.getchannel("A"))
    return page


def _upright(picture: Image.Image, pixels: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(picture.getexif().get(Base.Orientation, 1))
    except Exception:  # damaged EXIF is no reason to leave a good picture out
        turn = None
    return pixels if turn is None else pixels.transpose(turn)


def _is_cut_short(data: bytes, error: Exception) -> bool:
    if data.startswith(b"RIFF"):
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    return isinstance(error, EOFError) or "truncated" in str(error).lower()
