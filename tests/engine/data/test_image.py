"""Picture files of all supported formats become upright RGB, or are refused with a reason."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from engine import device, progress
from engine.data import decode, image
from engine.errors import DataError, UnavailableError
from engine.events import Progressed

T = TypeVar("T")


def texture(seed: int, height: int = 40, width: int = 60) -> Image.Image:
    """Coloured blotches, unlike those of any other seed."""
    blotches = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(blotches).resize((width, height), Image.Resampling.BICUBIC)


def packed(picture: Image.Image, file_format: str, **settings: object) -> bytes:
    """The bytes of the picture as a file of that format."""
    file = io.BytesIO()
    picture.save(file, file_format, **settings)
    return file.getvalue()


def run_and_collect(steps: Generator[Progressed, None, T]) -> tuple[T, list[Progressed]]:
    """What a generator returns, and the progress it yielded."""
    reports = []
    while True:
        try:
            reports.append(next(steps))
        except StopIteration as end:
            return end.value, reports


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_a_picture_keeps_its_pixels(file_format: str) -> None:
    picture = texture(1).quantize(64).convert("RGB")
    read = image.read_image(packed(picture, file_format))
    assert read.mode == "RGB"
    assert np.array_equal(read, picture)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_a_lossy_picture_is_almost_unchanged(file_format: str) -> None:
    assert np.abs(np.asarray(image.read_image(packed(texture(1), file_format)), int) - np.asarray(texture(1))).mean() < 6


def test_a_picture_is_read_from_a_path_too(tmp_path: Path) -> None:
    texture(1).save(tmp_path / "a.png")
    assert np.array_equal(image.read_image(tmp_path / "a.png"), texture(1))
    with pytest.raises(DataError, match="cannot be opened"):
        image.read_image(tmp_path / "b.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photo_becomes_upright(orientation: int) -> None:
    upright = texture(2)
    # A quarter turn is undone by the opposite quarter turn, all others by themselves
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = upright if orientation == 1 else upright.transpose(image.EXIF_TRANSPOSES[inverse])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(image.read_image(packed(stored, "PNG", exif=exif)), upright)
    assert np.array_equal(image.read_image(packed(stored, "TIFF", exif=exif)), upright)
    assert image.read_image(packed(stored, "JPEG", exif=exif)).size == upright.size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow warns; warning filters are shared by all threads
def test_a_picture_with_damaged_exif_is_read() -> None:
    assert image.read_image(packed(texture(1), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")).size == (60, 40)


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    deep = np.array([[0, 257, 32768, 65535]] * 2, np.uint16)
    for file_format in ("PNG", "TIFF"):
        assert np.asarray(image.read_image(packed(Image.fromarray(deep), file_format)))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert np.asarray(image.read_image(packed(Image.fromarray(deep.astype(np.int32)), "TIFF")))[0, :, 1].tolist() == [
        0,
        1,
        128,
        255,
    ]


def test_transparent_pixels_become_white() -> None:
    transparent = Image.new("RGBA", (4, 2), (200, 0, 0, 0))
    transparent.putpixel((1, 1), (200, 0, 0, 255))
    for picture in (transparent, transparent.convert("LA"), transparent.quantize(4)):
        pixels = np.asarray(image.read_image(packed(picture, "PNG")))
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert pixels[1, 1].max() < 255 or pixels[1, 1, 1] < 20


def test_a_palette_with_a_transparent_entry_becomes_white_there() -> None:
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "L").convert("P")
    picture.putpalette([255, 0, 0, 0, 0, 255])
    for settings in ({"transparency": 0}, {"transparency": bytes([0, 255])}):
        pixels = np.asarray(image.read_image(packed(picture, "PNG", **settings)))
        assert pixels.tolist() == [[[255] * 3, [0, 0, 255]], [[0, 0, 255], [255] * 3]]


def test_cmyk_and_black_and_white_are_read() -> None:
    cmyk = image.read_image(packed(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert cmyk.getpixel((4, 4)) == (255, 0, 0)
    assert image.read_image(packed(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")).getpixel((4, 4))[0] > 240
    assert image.read_image(packed(Image.new("1", (9, 9), 1), "PNG")).getpixel((8, 8)) == (255, 255, 255)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_read(file_format: str) -> None:
    red, blue = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    settings = {"lossless": True} if file_format == "WEBP" else {}
    animation = packed(red, file_format, save_all=True, append_images=[blue, red], **settings)
    assert image.read_image(animation).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_truncated_picture_is_refused(file_format: str) -> None:
    whole = packed(texture(3, 120, 150), file_format)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(DataError, match=r"^is cut short$"):
            image.read_image(whole[: int(len(whole) * share)])


def test_a_damaged_picture_is_refused() -> None:
    whole = bytearray(packed(texture(3, 120, 150), "PNG"))
    whole[400:420] = bytes(20)
    with pytest.raises(DataError, match=r"^is damaged$"):
        image.read_image(bytes(whole))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello", "is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture"),
        (b"%PDF-1.7 ", "is not a picture"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "is not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC photo; export it as JPEG"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "is an AVIF picture; export it as JPEG"),
        (bytes(image.MAX_BYTES + 1), "is larger than 50 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_not_a_picture_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DataError) as refusal:
        image.read_image(data)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("height", "width", "short"), [(1200, 1600, 150), (900, 700, 175), (300, 400, 150), (250, 400, 250)]
)
def test_a_jpeg_for_a_small_side_is_decoded_smaller_and_looks_the_same(height: int, width: int, short: int) -> None:
    data = packed(texture(5, height, width), "JPEG")
    scaled = image.read_image(data, side=64)
    assert min(scaled.size) == short >= 2 * 64
    difference = image.center_crop(scaled, 64).astype(int) - image.center_crop(image.read_image(data), 64)
    assert np.abs(difference).max() <= 6
    assert np.abs(difference).mean() < 1


def test_a_jpeg_that_is_decoded_smaller_is_upright_and_complete() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = packed(texture(5, 600, 800), "JPEG", exif=exif)
    assert image.read_image(data, side=64).size == (150, 200)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(DataError, match=r"^is cut short$"):
            image.read_image(data[: int(len(data) * share)], side=64)
    size = data.index(b"\xff\xc0") + 5  # where a JPEG says how high and wide it is
    with pytest.raises(DataError, match="64 megapixels"):
        image.read_image(data[:size] + struct.pack(">HH", 8000, 8000) + data[size + 4 :], side=64)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_other_pictures_for_a_small_side_are_read_in_full(file_format: str) -> None:
    data = packed(texture(5, 300, 400), file_format)
    assert np.array_equal(image.read_image(data, side=32), image.read_image(data))


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(DataError, match="pixels of a kind that is not read"):
        image.read_image(packed(Image.new("F", (4, 4)), "TIFF"))


def header(width: int, height: int) -> bytes:
    """A PNG header that declares a size, without pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(("side", "megapixels"), [(8000, "64"), (10_001, "101"), (60_000, "3,600")])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(side: int, megapixels: str) -> None:
    data = header(side, side) + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(DataError) as refusal:
        image.read_image(data)
    assert str(refusal.value) == f"has {megapixels} megapixels; at most 50 are read"


def test_a_frame_larger_than_its_header_declares_is_refused() -> None:
    gif = (
        b"GIF89a"
        + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0)
        + bytes(6)
        + b","
        + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0)
    )
    with pytest.raises(DataError, match="more than 50 megapixels"):
        image.read_image(gif + b"\x02\x02\x4c\x01\0;")


def test_a_center_crop_is_the_middle_with_the_short_side_resized() -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    assert (image.center_crop(Image.fromarray(wide), 10)[:, 2:-2] == 200).all()
    assert image.center_crop(wide, 10).shape == image.center_crop(wide.transpose(1, 0, 2), 10).shape == (10, 10, 3)
    assert image.center_crop(wide, 40).shape == (40, 40, 3)


def test_a_picture_of_the_requested_size_is_unchanged() -> None:
    pixels = np.asarray(texture(4, 32, 32))
    assert image.center_crop(pixels, 32) is pixels
    assert np.array_equal(image.center_crop(Image.fromarray(pixels), 32), pixels)


def test_shrinking_does_not_skip_pixels() -> None:
    fine = np.zeros((640, 640, 3), np.uint8)
    fine[:, ::2] = 254
    assert np.abs(image.center_crop(fine, 32).astype(int) - 127).max() <= 2


def test_decoding_keeps_the_order_and_reports_progress() -> None:
    pixels = [np.asarray(texture(k, 16, 16)) for k in range(9)]
    decoded, reports = run_and_collect(decode.decode([lambda picture=picture: picture for picture in pixels], 16, "nine"))
    assert decoded.dtype == torch.uint8
    assert np.array_equal(decoded.permute(0, 2, 3, 1), pixels)
    assert (reports[0].done, reports[0].left, reports[-1].done, reports[-1].left) == (0, -1, 9, 0)
    assert {(report.work, report.name, report.total, report.unit) for report in reports} == {
        ("decode", "nine", 9, "pictures")
    }


def test_decoding_no_pictures_gives_an_empty_tensor() -> None:
    assert run_and_collect(decode.decode([], 8, "none"))[0].shape == (0, 3, 8, 8)


def test_progress_is_reported_a_few_times_per_second() -> None:
    def slow() -> np.ndarray:
        time.sleep(0.02)
        return np.zeros((8, 8, 3), np.uint8)

    started = time.perf_counter()
    _, reports = run_and_collect(decode.decode([slow] * 20 * device.cores(), 8, "slow"))
    assert 3 <= len(reports) <= 3 + (time.perf_counter() - started) / progress.PAUSE
    assert [report.done for report in reports] == sorted(report.done for report in reports)
    assert all(report.rate > 0 and report.left >= 0 for report in reports[1:])


def test_closing_stops_the_decoding() -> None:
    calls = []

    def slow() -> np.ndarray:
        calls.append(time.sleep(0.01))
        return np.zeros((8, 8, 3), np.uint8)

    before = threading.active_count()
    steps = decode.decode([slow] * 5000, 8, "endless")
    next(steps), next(steps)
    steps.close()
    assert threading.active_count() == before
    assert len(calls) < 1000


def test_a_picture_that_can_no_longer_be_read_stops_the_decoding() -> None:
    with pytest.raises(DataError, match="is not a picture"):
        run_and_collect(decode.decode([lambda: image.read_image(b"gone")], 8, "one"))


def test_more_than_half_of_the_free_memory_is_refused_with_advice() -> None:
    decode.check_memory(1000, 224, "birds", lambda: 2_000_000_000)
    assert decode.bytes_needed(1000, 224) == 150_528_000
    with pytest.raises(UnavailableError) as refusal:
        decode.check_memory(20_000, 224, "birds", lambda: 2_000_000_000)
    assert str(refusal.value) == (
        "20,000 pictures of birds at 224 px need 3.0 GB of memory; 2.0 GB are free here, of which they may take 50%: "
        "choose fewer pictures or a smaller input"
    )
