"""Finds identical pictures and near-duplicates, and drops those that contradict classes or splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.data.archive import Member
from engine.data.image import FileReader
from engine.errors import DataError
from engine.i18n.display_names import short, some
from engine.i18n.messages import joined_message, plural_message

THUMBNAIL_SIDE = 64  # pixels; identical pictures are recognised by a digest of this thumbnail
# Measured 2026-11-21 on sign_digits, hymenoptera and omniglot5, splits ignored: 2 of 4,459 pictures are near-duplicates.
# Copies at JPEG quality 40 or half the size are always detected; with 2 % cut from every edge 97 % are, with 3 % 46 %
MAX_HASH_DISTANCE = 48  # differing bits of two 256-bit difference hashes
MAX_CORRELATION_DISTANCE = 0.04  # 1 - correlation of two 17 x 16 grey thumbnails


@dataclass(frozen=True)
class ScannedFile:
    """A readable picture with its fingerprint."""

    file: Member
    digest: bytes  # SHA-256 of size and thumbnail, from `fingerprint`
    thumbnail: np.ndarray  # (16, 17) uint8


def fingerprint(read: FileReader) -> tuple[bytes, np.ndarray] | str:
    """Return a digest and a (16, 17) uint8 grey thumbnail, or the reason why the picture cannot be read.

    Identical pictures have the same digest only in the same file format, because a large JPEG is decoded at a smaller scale.
    """
    try:
        picture = read(side=THUMBNAIL_SIDE)
    except DataError as reason:
        return reason.message
    small = picture.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
    grey = picture.convert("L").resize((17, 16), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return hashlib.sha256(f"{picture.size}".encode() + small.tobytes()).digest(), np.asarray(grey)


def drop_contradictions(scanned: list[ScannedFile], notes: list[str]) -> list[ScannedFile]:
    """Drop pictures that are in two classes from both, and held-out pictures from training; append to `notes` which."""
    by_digest: dict[bytes, list[Member]] = defaultdict(list)
    for picture in scanned:
        by_digest[picture.digest].append(picture.file)
    ambiguous = {digest: files for digest, files in by_digest.items() if len({file.label for file in files}) > 1}
    if ambiguous:
        which = some([joined_message("joined.also", [short(file.name) for file in files]) for files in ambiguous.values()])
        notes.append(plural_message("note.torn", len(ambiguous), which=which))
    heldout = {picture.digest for picture in scanned if picture.file.split == "heldout"} - set(ambiguous)
    leaked = [picture.file for picture in scanned if picture.file.split == "training" and picture.digest in heldout]
    if leaked:
        notes.append(plural_message("note.twice", len(leaked), which=some([short(file.name) for file in leaked])))
    dropped = {file.name for files in ambiguous.values() for file in files} | {file.name for file in leaked}
    return [picture for picture in scanned if picture.file.name not in dropped]


def near_duplicates(thumbnails: np.ndarray) -> np.ndarray:
    """Group near-duplicates by grey thumbnails (N, 16, 17) uint8: (N,) int64, the index of the first picture of each group.

    Two pictures are near-duplicates where both the difference hash and the correlation agree: hashes alone confuse strokes
    on white, thumbnails alone confuse dark objects on a plain wall. Groups are connected components of such pairs.
    """
    flat = thumbnails.astype(np.float32)
    hashes = (flat[:, :, 1:] > flat[:, :, :-1]).reshape(len(thumbnails), -1).astype(np.float32)
    flat = flat.reshape(len(thumbnails), -1)
    # A constant component makes the correlation of two blank pictures 1 rather than undefined
    flat = np.hstack([flat - flat.mean(1, keepdims=True), np.full((len(thumbnails), 1), flat.shape[1] ** 0.5, np.float32)])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    bit_counts = hashes.sum(1)
    group = np.arange(len(thumbnails))
    for start in range(0, len(thumbnails), 512):  # 512 x 20,000 distances take 40 MB
        rows = slice(start, start + 512)
        distances = bit_counts[rows, None] + bit_counts - 2 * hashes[rows] @ hashes.T
        near = (distances <= MAX_HASH_DISTANCE) & (flat[rows] @ flat.T >= 1 - MAX_CORRELATION_DISTANCE)
        for row in np.flatnonzero(near.sum(1) > 1):
            joined = np.unique(group[near[row]])
            if len(joined) > 1:
                group[np.isin(group, joined)] = joined[0]
    return group
