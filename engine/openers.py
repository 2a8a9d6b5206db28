"""How each known set is opened once its archives are here: unpacked once, its pictures found. Knows no address."""

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
from torchvision.datasets.utils import extract_archive

from engine import pictures
from engine.errors import DataError, UnavailableError

BANNER = 20  # pixels: the photographer's name at the foot of every FGVC-Aircraft photograph (its README)
ROOM = 2.5  # times the archives' size: what unpacking may take on the disk
SHARE = 5  # one picture in five is held out where a set has no official split
DISHES = ("caesar_salad", "french_fries", "hamburger", "ice_cream", "pancakes", "pizza", "ramen", "steak", "sushi", "tacos")
# fmt: off
BLOOD = (  # by number: the archive has no names
    "basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte", "monocyte", "neutrophil", "platelet",
)
SIGNS = (  # by the number of their folder, which is all that the archive says
    "20 km/h", "30 km/h", "50 km/h", "60 km/h", "70 km/h", "80 km/h", "end of 80 km/h", "100 km/h", "120 km/h", "no passing",
    "no passing for lorries", "priority at the next crossing", "priority road", "yield", "stop", "no vehicles", "no lorries",
    "no entry", "danger", "curve to the left", "curve to the right", "double curve", "bumpy road", "slippery road",
    "road narrows on the right", "road works", "traffic lights", "pedestrians", "children", "bicycles", "ice or snow",
    "wild animals", "end of all limits", "right only", "left only", "ahead only", "ahead or right", "ahead or left",
    "keep right", "keep left", "roundabout", "end of no passing", "end of no passing for lorries",
)
# fmt: on
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
_ONE_AT_A_TIME = threading.Lock()  # two that unpack the same set would remove each other's files

Read = Callable[[], Image.Image]  # reads one picture, RGB


class Found(NamedTuple):
    """What was found in the archives: pictures with the number of their class."""

    classes: Sequence[str]
    training: list[tuple[Read, int]]
    heldout: list[tuple[Read, int]]


class Find(Protocol):
    """How the pictures of one set are found."""

    def __call__(self, home: Path, unpack: bool) -> Found:
        """What is in the folder `home`, where the archives lie; they are unpacked first if `unpack`."""
        ...


class _Pictures(Protocol):
    """What all of torchvision's sets have in common."""

    def __getitem__(self, index: int) -> tuple[Image.Image, int]: ...


def open_once(find: Find, home: Path, archives: Collection[Path]) -> Found:
    """What `find` finds in the folder `home`, whose archives are unpacked for good or not at all.

    A mark is set when it is done; what lies there without the mark is a half and removed first. Raises UNREADABLE
    where an archive or what was unpacked from it is damaged, or the disk becomes full: nothing half stays, and the next time
    unpacks afresh. Raises UnavailableError where the disk has no room for it from the start.
    """
    mark = home / ".unpacked"
    with _ONE_AT_A_TIME:
        is_unpacked = mark.exists()
        if not is_unpacked:
            _keep_only(archives, home)
            _check_room(archives, home)
        try:
            found = find(home, not is_unpacked)
            mark.touch()
        except BaseException as error:
            if not is_unpacked:
                with suppress(OSError):  # what cannot be removed now is removed the next time
                    _keep_only(archives, home)
            elif isinstance(error, UNREADABLE):
                mark.unlink(missing_ok=True)
            raise
    return found


def cifar10(home: Path, unpack: bool) -> Found:
    """Pickled batches, five to learn from."""
    train, test = (datasets.CIFAR10(home, train=is_train, download=unpack) for is_train in (True, False))
    return Found(train.classes, _items(train, train.targets), _items(test, test.targets))


def fashion_mnist(home: Path, unpack: bool) -> Found:
    """Two files of pixels and two of labels."""
    train, test = (datasets.FashionMNIST(home, train=is_train, download=unpack) for is_train in (True, False))
    return Found(train.classes, _items(train, train.targets), _items(test, test.targets))


def svhn(home: Path, unpack: bool) -> Found:
    """Two MATLAB files."""
    train, test = (datasets.SVHN(home, split, download=unpack) for split in ("train", "test"))
    return Found("0123456789", _items(train, train.labels), _items(test, test.labels))


class _LabelledSTL10(datasets.STL10):
    """STL-10 without its 2.8 GB of unlabelled pictures, which would be checked at every opening."""

    train_list = datasets.STL10.train_list[:2]


def stl10(home: Path, unpack: bool) -> Found:
    """Binary files; the unlabelled pictures are deleted."""
    train, test = (_LabelledSTL10(home, split, download=unpack) for split in ("train", "test"))
    (home / _LabelledSTL10.base_folder / "unlabeled_X.bin").unlink(missing_ok=True)
    return Found(train.classes, _items(train, train.labels), _items(test, test.labels))


def gtsrb(home: Path, unpack: bool) -> Found:
    """A folder for each sign, and a list for the test."""
    parts = [datasets.GTSRB(home, split, download=unpack) for split in ("train", "test")]
    return Found(SIGNS, *(_items(part, (label for _, label in part._samples)) for part in parts))


def pcam(home: Path, unpack: bool) -> Found:
    """HDF5 files; learned from are the official validation pictures."""
    import h5py

    def part(split: str) -> list[tuple[Read, int]]:
        # PCAM(download=True) asks for gdown even where the archives are already here
        files = {kind: home / "pcam" / name for kind, (name, _, _) in datasets.PCAM._FILES[split].items()}
        for path in files.values() if unpack else ():
            with gzip.open(f"{path}.gz") as packed, path.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
        with h5py.File(files["targets"]) as labels:
            return _items(datasets.PCAM(home, split), labels["y"][:].ravel())

    return Found(("no tumour", "tumour"), part("val"), part("test"))


def flowers102(home: Path, unpack: bool) -> Found:
    """One folder, with labels and splits in MATLAB files."""
    parts = [datasets.Flowers102(home, split, download=unpack) for split in ("train", "val", "test")]
    train, val, test = (_files(zip(part._image_files, part._labels, strict=True)) for part in parts)
    return Found(datasets.Flowers102.classes, train + val, test)


def dtd(home: Path, unpack: bool) -> Found:
    """A folder for each texture, with lists of the first official partition."""
    parts = [datasets.DTD(home, split, partition=1, download=unpack) for split in ("train", "val", "test")]
    train, val, test = (_files(zip(part._image_files, part._labels, strict=True)) for part in parts)
    return Found(parts[0].classes, train + val, test)


def oxford_pets(home: Path, unpack: bool) -> Found:
    """One folder, with lists."""
    parts = [datasets.OxfordIIITPet(home, split, download=unpack) for split in ("trainval", "test")]
    return Found(parts[0].classes, *(_files(zip(part._images, part._labels, strict=True)) for part in parts))


def aircraft(home: Path, unpack: bool) -> Found:
    """One folder, with lists; the classes are the manufacturers."""
    parts = [datasets.FGVCAircraft(home, split, "manufacturer", download=unpack) for split in ("trainval", "test")]
    found = (_files(zip(part._image_files, part._labels, strict=True), foot=BANNER) for part in parts)
    return Found(parts[0].classes, *found)


def food101(home: Path, unpack: bool) -> Found:
    """A folder for each dish, with lists; ten dishes are chosen."""

    def chosen(split: str) -> list[tuple[Read, int]]:
        dataset = datasets.Food101(home, split, download=unpack)
        number = {dataset.class_to_idx[dish]: k for k, dish in enumerate(DISHES)}
        samples = zip(dataset._image_files, dataset._labels, strict=True)
        return _files((path, number[label]) for path, label in samples if label in number)

    return Found([dish.replace("_", " ") for dish in DISHES], chosen("train"), chosen("test"))


def eurosat(home: Path, unpack: bool) -> Found:
    """A folder for each kind of land, without a split."""
    dataset = datasets.EuroSAT(home, download=unpack)
    training: list[tuple[str, int]] = []
    heldout: list[tuple[str, int]] = []
    for label in range(len(dataset.classes)):
        # Their names draw the lots: the same split on every machine and with every version of NumPy or torch
        mine = sorted((sample for sample in dataset.samples if sample[1] == label), key=_lot)
        heldout += mine[: len(mine) // SHARE]
        training += mine[len(mine) // SHARE :]
    return Found(dataset.classes, _files(training), _files(heldout))


def bloodmnist(home: Path, unpack: bool) -> Found:
    """NumPy arrays."""
    with np.load(home / "bloodmnist.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def part(split: str) -> list[tuple[Read, int]]:
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].ravel().tolist()
        return [(partial(_array, image), label) for image, label in zip(images, labels, strict=True)]

    return Found(BLOOD, part("train") + part("val"), part("test"))


def folders(training: Sequence[str], heldout: Sequence[str]) -> Find:
    """For zip archives that hold one folder a class, below the folders named here."""

    def find(home: Path, unpack: bool) -> Found:
        for archive in sorted(home.glob("*.zip")) if unpack else ():
            extract_archive(archive, home)
        train, test = ([datasets.ImageFolder(home / part) for part in parts] for parts in (training, heldout))
        found = (_files(sample for part in parts for sample in part.samples) for parts in (train, test))
        return Found([name.replace("_", " ") for name in train[0].classes], *found)

    return find


def _files(samples: Iterable[tuple[str | Path, int]], foot: int = 0) -> list[tuple[Read, int]]:
    return [(partial(_file, Path(path), foot), label) for path, label in samples]


def _file(path: Path, foot: int) -> Image.Image:
    try:
        picture = pictures.read(path)
    except DataError as error:
        raise DataError("joined.named", name=path.name, why=error.line) from None
    return picture.crop((0, 0, picture.width, picture.height - foot)) if foot else picture


def _items(dataset: _Pictures, labels: Iterable[int]) -> list[tuple[Read, int]]:
    """The pictures of one of torchvision's sets, with the labels as it keeps them in memory."""
    return [(partial(_item, dataset, k), int(label)) for k, label in enumerate(labels)]


def _item(dataset: _Pictures, k: int) -> Image.Image:
    return dataset[k][0].convert("RGB")


def _lot(sample: tuple[str, int]) -> str:
    return hashlib.sha256(Path(sample[0]).name.encode()).hexdigest()


def _array(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image).convert("RGB")


def _check_room(archives: Collection[Path], home: Path) -> None:
    needed, free = ROOM * sum(path.stat().st_size for path in archives), shutil.disk_usage(home).free
    if needed > free:
        raise UnavailableError("refusal.set.room", name=home.name, need=needed / 1e6, home=home, free=free / 1e6)


def _keep_only(files: Collection[Path], home: Path) -> None:
    """Remove what lies under a folder apart from these files and what the downloader keeps beside them."""
    for path in sorted(home.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir():
            if not any(path in file.parents for file in files):
                path.rmdir()
        elif not any(path == file or path.name.startswith(f"{file.name}.") for file in files):
            path.unlink()
