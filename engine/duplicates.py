"""Pictures that are the same, or nearly so, and which of them must go. Draws no lots and knows no folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.errors import DataError
from engine.listing import Member
from engine.naming import short, some
from engine.pictures import FileReader
from engine.strings import counted, joined

LOOK = 64  # pixels: the side of the thumbnail by which the very same picture is known
# Measured 2026-11-21 on sign_digits, hymenoptera and omniglot5, splits ignored: 2 of 4,459 pictures are near another;
# copies at JPEG quality 40 or half the size are always near, with 2 % cut from every edge 97 % are, with 3 % 46 %
NEAR_BITS = 48  # of the 256 bits of two difference hashes that may differ
NEAR_LOOKS = 0.04  # 1 - correlation of two 17 x 16 grey thumbnails


@dataclass(frozen=True)
class Seen:
    """A picture that was looked at."""

    file: Member
    digest: bytes  # of size and thumbnail, as `look` makes it
    grey: np.ndarray  # (16, 17) uint8


def look(read: FileReader) -> tuple[bytes, np.ndarray] | str:
    """A digest and a (16, 17) uint8 grey thumbnail; or why it is left out.

    The digest is the same for the very same picture in the same kind of file: a large JPEG is not read in full.
    """
    try:
        picture = read(side=LOOK)
    except DataError as reason:
        return reason.line
    small = picture.resize((LOOK, LOOK), Image.Resampling.BICUBIC, reducing_gap=3.0)
    grey = picture.convert("L").resize((17, 16), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return hashlib.sha256(f"{picture.size}".encode() + small.tobytes()).digest(), np.asarray(grey)


def without_contradictions(seen: list[Seen], notes: list[str]) -> list[Seen]:
    """Leave out of both what lies in two classes, and of training what is held out too."""
    same: dict[bytes, list[Member]] = defaultdict(list)
    for one in seen:
        same[one.digest].append(one.file)
    torn = {digest: files for digest, files in same.items() if len({file.kind for file in files}) > 1}
    if torn:
        which = some([joined("joined.also", [short(file.name) for file in files]) for files in torn.values()])
        notes.append(counted("note.torn", len(torn), which=which))
    held = {one.digest for one in seen if one.file.split == "heldout"} - set(torn)
    twice = [one.file for one in seen if one.file.split == "training" and one.digest in held]
    if twice:
        notes.append(counted("note.twice", len(twice), which=some([short(file.name) for file in twice])))
    gone = {file.name for files in torn.values() for file in files} | {file.name for file in twice}
    return [one for one in seen if one.file.name not in gone]


def near_duplicates(looks: np.ndarray) -> np.ndarray:
    """The group of each picture, from grey thumbnails (N, 16, 17) uint8: (N,) int64, the first of its group.

    Near are two whose difference hashes and whose thumbnails agree (NEAR_BITS, NEAR_LOOKS): hashes alone take
    strokes on white for each other, thumbnails alone one dark thing on a wall for another. Groups are chains of these.
    """
    flat = looks.astype(np.float32)
    hashes = (flat[:, :, 1:] > flat[:, :, :-1]).reshape(len(looks), -1).astype(np.float32)
    flat = flat.reshape(len(looks), -1)
    # One grey level in common, so that two blank pictures are alike rather than undefined
    flat = np.hstack([flat - flat.mean(1, keepdims=True), np.full((len(looks), 1), flat.shape[1] ** 0.5, np.float32)])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    ones = hashes.sum(1)
    group = np.arange(len(looks))
    for start in range(0, len(looks), 512):  # 512 x 20,000 distances take 40 MB
        rows = slice(start, start + 512)
        bits = ones[rows, None] + ones - 2 * hashes[rows] @ hashes.T
        near = (bits <= NEAR_BITS) & (flat[rows] @ flat.T >= 1 - NEAR_LOOKS)
        for row in np.flatnonzero(near.sum(1) > 1):
            joined = np.unique(group[near[row]])
            if len(joined) > 1:
                group[np.isin(group, joined)] = joined[0]
    return group
