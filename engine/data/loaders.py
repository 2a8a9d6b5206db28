"""Unpacks the downloaded archives of each catalogue set once, and lists its pictures through torchvision."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image
from torchvision import datasets

from engine.data import image
from engine.data.image import Reader
from engine.errors import DataError, UnavailableError

BANNER_HEIGHT = 20  # pixels: the photographer's name at the bottom of every FGVC-Aircraft photograph (its README)
UNPACKED_RATIO = 2.5  # disk space for the unpacked files, relative to the size of the archives
HELDOUT_DIVISOR = 5  # one picture in five is held out where a set has no official split
DISHES = ("caesar_salad", "french_fries", "hamburger", "ice_cream", "pancakes", "pizza", "ramen", "steak", "sushi", "tacos")
# fmt: off
BLOOD = (  # by class index: the archive has no names
    "basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte", "monocyte", "neutrophil", "platelet",
)
SIGNS = (  # by the number of their folder: the archive has no names
    "20 km/h", "30 km/h", "50 km/h", "60 km/h", "70 km/h", "80 km/h", "end of 80 km/h", "100 km/h", "120 km/h", "no passing",
    "no passing for lorries", "priority at the next crossing", "priority road", "yield", "stop", "no vehicles", "no lorries",
    "no entry", "danger", "curve to the left", "curve to the right", "double curve", "bumpy road", "slippery road",
    "road narrows on the right", "road works", "traffic lights", "pedestrians", "children", "bicycles", "ice or snow",
    "wild animals", "end of all limits", "right only", "left only", "ahead only", "ahead or right", "ahead or left",
    "keep right", "keep left", "roundabout", "end of no passing", "end of no passing for lorries",
)
# fmt: on
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
_UNPACK_LOCK = threading.Lock()  # two threads that unpack the same set would remove each other's files


class Splits(NamedTuple):
    """The pictures of a set by split, each with its class index."""

    classes: Sequence[str]
    training: list[tuple[Reader, int]]
    heldout: list[tuple[Reader, int]]


Loader = Callable[[Path], Splits]  # lists the pictures below the folder with the unpacked archives


class _Pictures(Protocol):
    """The interface common to torchvision's sets."""

    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...


def unpack_and_load(load: Loader, home: Path, archives: Collection[Path]) -> Splits:
    """Unpack the archives in the folder `home` completely or not at all, and list their pictures with `load`.

    A marker file records success; without it, earlier files are removed and unpacked again. Raises UNREADABLE errors for a
    damaged archive or unpacked file and for a disk that becomes full; partial files are then removed. Raises
    UnavailableError where the disk has too little space from the start.
    """
    marker = home / ".unpacked"
    with _UNPACK_LOCK:
        is_unpacked = marker.exists()
        if not is_unpacked:
            _remove_others(archives, home)
            _check_disk_space(archives, home)
        try:
            for archive in sorted(archives) if not is_unpacked else ():
                unpack(archive)
            splits = load(home)
            marker.touch()
        except BaseException as error:
            if not is_unpacked:
                with suppress(OSError):  # what cannot be removed now is removed at the next attempt
                    _remove_others(archives, home)
            elif isinstance(error, UNREADABLE):
                marker.unlink(missing_ok=True)
            raise
    return splits


def unpack(archive: Path) -> None:
    """Unpack a tar, zip or gz file into its folder, where torchvision expects the files; other files are not changed.

    Not torchvision's own function, which writes tar members outside of the folder (Python 3.12 warns about it).
    """
    if archive.name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(archive) as tar:
            # Not `filter="data"`, which Python 3.11.0 to 3.11.3 (Debian 12) do not support
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(archive.parent)
    elif archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(archive.parent)
    elif archive.suffix == ".gz":
        with gzip.open(archive) as packed, archive.with_suffix("").open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)


def cifar10(home: Path) -> Splits:
    """Pickled batches, five of them for training."""
    train, test = (datasets.CIFAR10(home, train=is_train) for is_train in (True, False))
    return Splits(train.classes, _items(train, train.targets), _items(test, test.targets))


def fashion_mnist(home: Path) -> Splits:
    """Two files of pixels and two of labels."""
    train, test = (datasets.FashionMNIST(home, train=is_train) for is_train in (True, False))
    return Splits(train.classes, _items(train, train.targets), _items(test, test.targets))


def svhn(home: Path) -> Splits:
    """Two MATLAB files."""
    train, test = (datasets.SVHN(home, split) for split in ("train", "test"))
    return Splits("0123456789", _items(train, train.labels), _items(test, test.labels))


class _LabelledSTL10(datasets.STL10):
    """STL-10 without its 2.8 GB of unlabelled pictures, which would be checked at every opening."""

    train_list = datasets.STL10.train_list[:2]


def stl10(home: Path) -> Splits:
    """Binary files; the unlabelled pictures are deleted."""
    train, test = (_LabelledSTL10(home, split) for split in ("train", "test"))
    (home / _LabelledSTL10.base_folder / "unlabeled_X.bin").unlink(missing_ok=True)
    return Splits(train.classes, _items(train, train.labels), _items(test, test.labels))


def gtsrb(home: Path) -> Splits:
    """A folder for each sign, and a list of the test pictures."""
    parts = [datasets.GTSRB(home, split) for split in ("train", "test")]
    return Splits(SIGNS, *(_items(part, (label for _, label in part._samples)) for part in parts))


def pcam(home: Path) -> Splits:
    """HDF5 files; the training pictures are the official validation split."""
    import h5py

    def part(split: str) -> list[tuple[Reader, int]]:
        with h5py.File(home / "pcam" / datasets.PCAM._FILES[split]["targets"][0]) as labels:
            return _items(datasets.PCAM(home, split), labels["y"][:].ravel())

    return Splits(("no tumour", "tumour"), part("val"), part("test"))


def flowers102(home: Path) -> Splits:
    """One folder, with labels and splits in MATLAB files."""
    parts = [datasets.Flowers102(home, split) for split in ("train", "val", "test")]
    train, val, test = (_files(zip(part._image_files, part._labels, strict=True)) for part in parts)
    return Splits(datasets.Flowers102.classes, train + val, test)


def dtd(home: Path) -> Splits:
    """A folder for each texture, with lists of the first official partition."""
    parts = [datasets.DTD(home, split, partition=1) for split in ("train", "val", "test")]
    train, val, test = (_files(zip(part._image_files, part._labels, strict=True)) for part in parts)
    return Splits(parts[0].classes, train + val, test)


def oxford_pets(home: Path) -> Splits:
    """One folder, with lists."""
    parts = [datasets.OxfordIIITPet(home, split) for split in ("trainval", "test")]
    return Splits(parts[0].classes, *(_files(zip(part._images, part._labels, strict=True)) for part in parts))


def aircraft(home: Path) -> Splits:
    """One folder, with lists; the classes are the manufacturers."""
    parts = [datasets.FGVCAircraft(home, split, "manufacturer") for split in ("trainval", "test")]
    splits = (_files(zip(part._image_files, part._labels, strict=True), banner=BANNER_HEIGHT) for part in parts)
    return Splits(parts[0].classes, *splits)


def food101(home: Path) -> Splits:
    """A folder for each dish, with lists; ten dishes are chosen."""

    def selected(split: str) -> list[tuple[Reader, int]]:
        dataset = datasets.Food101(home, split)
        class_indices = {dataset.class_to_idx[dish]: k for k, dish in enumerate(DISHES)}
        samples = zip(dataset._image_files, dataset._labels, strict=True)
        return _files((path, class_indices[label]) for path, label in samples if label in class_indices)

    return Splits([dish.replace("_", " ") for dish in DISHES], selected("train"), selected("test"))


def eurosat(home: Path) -> Splits:
    """A folder for each type of land, without a split."""
    dataset = datasets.EuroSAT(home)
    training: list[tuple[str, int]] = []
    heldout: list[tuple[str, int]] = []
    for label in range(len(dataset.classes)):
        # Ordered by a hash of the names: the same split on every machine and with every version of NumPy or torch
        samples = sorted((sample for sample in dataset.samples if sample[1] == label), key=_name_hash)
        heldout += samples[: len(samples) // HELDOUT_DIVISOR]
        training += samples[len(samples) // HELDOUT_DIVISOR :]
    return Splits(dataset.classes, _files(training), _files(heldout))


def bloodmnist(home: Path) -> Splits:
    """NumPy arrays."""
    with np.load(home / "bloodmnist.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def part(split: str) -> list[tuple[Reader, int]]:
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].ravel().tolist()
        return [(partial(_to_image, image), label) for image, label in zip(images, labels, strict=True)]

    return Splits(BLOOD, part("train") + part("val"), part("test"))


def folders(training: Sequence[str], heldout: Sequence[str]) -> Loader:
    """Make a loader for zip archives with one folder per class below the folders named here."""

    def load(home: Path) -> Splits:
        train, test = ([datasets.ImageFolder(home / part) for part in parts] for parts in (training, heldout))
        splits = (_files(sample for part in parts for sample in part.samples) for parts in (train, test))
        return Splits([name.replace("_", " ") for name in train[0].classes], *splits)

    return load


def _files(samples: Iterable[tuple[str | Path, int]], banner: int = 0) -> list[tuple[Reader, int]]:
    return [(partial(_read_file, Path(path), banner), label) for path, label in samples]


def _read_file(path: Path, banner: int) -> Image.Image:
    try:
        picture = image.read_image(path)
    except DataError as error:
        raise DataError("joined.named", name=path.name, why=error.message) from None
    return picture.crop((0, 0, picture.width, picture.height - banner)) if banner else picture


def _items(dataset: _Pictures, labels: Iterable[int]) -> list[tuple[Reader, int]]:
    """Readers for a torchvision set that keeps its labels in memory."""
    return [(partial(_read_item, dataset, k), int(label)) for k, label in enumerate(labels)]


def _read_item(dataset: _Pictures, k: int) -> Image.Image:
    return dataset[k][0].convert("RGB")


def _name_hash(sample: tuple[str, int]) -> str:
    return hashlib.sha256(Path(sample[0]).name.encode()).hexdigest()


def _to_image(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image).convert("RGB")


def _check_disk_space(archives: Collection[Path], home: Path) -> None:
    needed, free = UNPACKED_RATIO * sum(path.stat().st_size for path in archives), shutil.disk_usage(home).free
    if needed > free:
        raise UnavailableError("refusal.set.room", name=home.name, need=needed / 1e6, home=home, free=free / 1e6)


def _remove_others(files: Collection[Path], home: Path) -> None:
    """Remove everything below a folder except these files and the downloader's files beside them."""
    for path in sorted(home.rglob("*"), reverse=True):  # contents before their folder
        if path.is_dir():
            if not any(path in file.parents for file in files):
                path.rmdir()
        elif not any(path == file or path.name.startswith(f"{file.name}.") for file in files):
            path.unlink()
