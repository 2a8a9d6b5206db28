"""The catalogue of public picture sets: facts about each set, and where its files are published."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchvision import datasets

from engine.data import loaders
from engine.data.dataset import Dataset
from engine.data.image import Reader
from engine.data.loaders import UNREADABLE, Loader
from engine.download import fetch, mirrors
from engine.download.fetch import Address
from engine.errors import UnavailableError
from engine.events import Progressed
from engine.i18n.messages import Message


@dataclass(frozen=True)
class CatalogEntry:
    """Facts about a set, known before it is downloaded."""

    name: str
    title: str
    classes: int
    training: int  # training pictures of the smallest class
    heldout: int  # in all classes: the official test split, or our split
    image_size: int  # native side in pixels; 0 = photographs of different sizes
    licence: str
    about: str  # what the pictures show
    overlap: str  # how its classes overlap ImageNet's; "" = none known
    source: str  # who made it
    addresses: tuple[Address, ...]  # the files to download
    load: Loader  # lists its pictures once the files are downloaded
    notes: tuple[str, ...] = ()  # how the set was changed, for people
    needs: str = ""  # a package that must be installed

    @property
    def size(self) -> int:
        """Bytes to download; 0 where no size is published."""
        return sum(address.size for address in self.addresses)


def folder(name: str) -> Path:
    """The folder of the archives of a set and of their unpacked files."""
    return mirrors.home() / "sets" / name


def is_here(entry: CatalogEntry) -> bool:
    """Whether the set can be opened without a download."""
    return all(fetch.is_here(address) for address in entry.addresses)


def open_entry(entry: CatalogEntry) -> Generator[Progressed, None, Dataset]:
    """Open a set: download missing files, unpack and list them; no picture is decoded. Yields the progress.

    Raises UnavailableError for a missing package, a file that cannot be downloaded or unpacked, or a full disk.
    """
    if entry.needs and importlib.util.find_spec(entry.needs) is None:
        raise UnavailableError("refusal.set.package", title=entry.title, package=entry.needs)
    for address in entry.addresses:
        yield from fetch.fetch(address)
    yield Progressed(work="scan", name=entry.title, done=0, total=0, unit="pictures", rate=0.0, left=-1.0)
    try:
        splits = loaders.unpack_and_load(entry.load, folder(entry.name), {address.path for address in entry.addresses})
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno in fetch.DISK_FULL:
            raise UnavailableError("refusal.set.full", folder=folder(entry.name), title=entry.title) from error
        error_type = type(error).__name__
        raise UnavailableError(
            "refusal.set.unopened", title=entry.title, error_type=error_type, error=error, folder=folder(entry.name)
        ) from error
    training, heldout = (_by_class(split, len(splits.classes)) for split in (splits.training, splits.heldout))
    return Dataset(entry.title, tuple(splits.classes), training, heldout, entry.notes)


def _by_class(samples: Iterable[tuple[Reader, int]], classes: int) -> tuple[tuple[Reader, ...], ...]:
    readers: list[list[Reader]] = [[] for _ in range(classes)]
    for reader, label in samples:
        readers[label].append(reader)
    return tuple(map(tuple, readers))


def _at(name: str, inside: str, *files: tuple[str, int, str]) -> tuple[Address, ...]:
    """Addresses of files given as (url, bytes, checksum), stored where torchvision expects them."""
    return tuple(Address(url, f"sets/{name}/{inside}{url.rsplit('/', 1)[1]}", size, sum_) for url, size, sum_ in files)


def _md5s(prefix: str, sizes: Sequence[int], files: Iterable[Sequence[str]]) -> list[tuple[str, int, str]]:
    """Files given as (name, md5), as torchvision lists them, with their sizes, which it does not list."""
    return [(f"{prefix}{name}", size, f"md5:{md5}") for size, (name, md5) in zip(sizes, files, strict=True)]


# The address and md5 of EuroSAT and GTSRB are local to torchvision's methods and cannot be imported
_EUROSAT = "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
_ERDA = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
_ERDA_FILES = (
    ("GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478"),
    ("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
    ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
)
_PETS = datasets.OxfordIIITPet._RESOURCES
_FLOWERS = datasets.Flowers102._file_dict.values()
_FASHION = datasets.FashionMNIST.resources
_SVHN = [(url, md5) for url, _, md5 in (datasets.SVHN.split_list[split] for split in ("train", "test"))]
# Zenodo has the files that torchvision takes from Google Drive, under the same names and md5
_PCAM = [(f"{name}.gz", md5) for split in ("val", "test") for name, _, md5 in datasets.PCAM._FILES[split].values()]
_GIT = "https://github.com/mrdbourke/pytorch-deep-learning"
_IMAGENET = Message("fact.hymenoptera.licence")
_NOT_STATED = Message("fact.hotdog.licence")

# md5: torchvision's own, but bloodmnist's (medmnist/info.py). sha256: TensorFlow Datasets' url_checksums, but
# hymenoptera's (pytorch/tutorials, .jenkins/download_data.py). sha1: the book's, d2l.DATA_HUB.
# Sizes: url_checksums; GTSRB, CIFAR-10 and hymenoptera from logs of downloads; bloodmnist is about 35 MB.
# The smallest class of pets, aircraft, beans, svhn, bloodmnist, pcam and pizza is approximate: no published list was
# available. Once a set is open, its dataset has the true counts.
# fmt: off
_ENTRIES = (  # name, title, classes, training, heldout, image_size
    CatalogEntry("hymenoptera", Message("fact.hymenoptera.title"), 2, 121, 153, 0, licence=_IMAGENET,
          about=Message("fact.hymenoptera.about"), overlap=Message("fact.hymenoptera.overlap"),
          source="PyTorch, https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial",
          addresses=_at("hymenoptera", "", ("https://download.pytorch.org/tutorial/hymenoptera_data.zip", 47_286_322,
                        "sha256:fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209")),
          load=loaders.folders(["hymenoptera_data/train"], ["hymenoptera_data/val"])),
    CatalogEntry("pizza_steak_sushi", Message("fact.pizza_steak_sushi.title"), 3, 72, 75, 0,
          licence=Message("fact.pizza_steak_sushi.licence"),
          about=Message("fact.pizza_steak_sushi.about"), overlap=Message("fact.pizza_steak_sushi.overlap"),
          source=f"Bourke, FoodVision Mini, {_GIT}",
          # Neither size nor checksum is published
          addresses=_at("pizza_steak_sushi", "", (f"{_GIT}/raw/main/data/pizza_steak_sushi.zip", 0, "")),
          load=loaders.folders(["train"], ["test"])),
    CatalogEntry("hotdog", Message("fact.hotdog.title"), 2, 1_000, 800, 0, licence=_NOT_STATED,
          about=Message("fact.hotdog.about"), overlap=Message("fact.hotdog.overlap"),
          source="Zhang et al., Dive into Deep Learning, https://d2l.ai/chapter_computer-vision/fine-tuning.html",
          addresses=_at("hotdog", "", ("http://d2l-data.s3-accelerate.amazonaws.com/hotdog.zip", 0,
                        "sha1:fba480ffa8aa7e0febbb511d181409f899b9baa5")),
          load=loaders.folders(["hotdog/train"], ["hotdog/test"])),
    CatalogEntry("beans", Message("fact.beans.title"), 3, 385, 128, 500, licence="MIT",
          about=Message("fact.beans.about"), overlap="",
          source="Makerere AI Lab 2020, https://github.com/AI-Lab-Makerere/ibean",
          addresses=_at("beans", "",
                        ("https://storage.googleapis.com/ibeans/train.zip", 143_812_152,
                         "sha256:284fe8456ce20687f4367ae7ad94a64577e7f9fde2c2c6b1c74340ab5dc82715"),
                        ("https://storage.googleapis.com/ibeans/validation.zip", 18_504_213,
                         "sha256:90b7aa1c26d91d9afff07a30bbc67a5ea34f1f1397f068d8675be09d7d0c602d"),
                        ("https://storage.googleapis.com/ibeans/test.zip", 17_708_541,
                         "sha256:ca67b15d960d1e2fd9d23fd8498ce86818ead90755c630a43baf19ec4af09312")),
          load=loaders.folders(["train", "validation"], ["test"])),
    CatalogEntry("flowers102", Message("fact.flowers102.title"), 102, 20, 6_149, 0, licence=_NOT_STATED,
          about=Message("fact.flowers102.about"),
          overlap=Message("fact.flowers102.overlap"),
          source="Nilsback and Zisserman 2008, https://www.robots.ox.ac.uk/~vgg/data/flowers/102",
          addresses=_at("flowers102", "flowers-102/",
                        *_md5s(datasets.Flowers102._download_url_prefix, (344_862_509, 502, 14_989), _FLOWERS)),
          load=loaders.flowers102, needs="scipy"),
    CatalogEntry("oxford_pets", Message("fact.oxford_pets.title"), 37, 93, 3_669, 0, licence="CC BY-SA 4.0",
          about=Message("fact.oxford_pets.about"), overlap=Message("fact.oxford_pets.overlap"),
          source="Parkhi et al. 2012, https://www.robots.ox.ac.uk/~vgg/data/pets",
          addresses=_at("oxford_pets", "oxford-iiit-pet/", *_md5s("", (791_918_971, 19_173_078), _PETS)),
          load=loaders.oxford_pets),
    CatalogEntry("food101", Message("fact.food101.title"), 10, 750, 2_500, 0,
          licence=Message("fact.food101.licence"),
          about=Message("fact.food101.about"),
          overlap=Message("fact.food101.overlap"),
          source="Bossard et al. 2014, https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101",
          addresses=_at("food101", "", (datasets.Food101._URL, 4_996_278_331, f"md5:{datasets.Food101._MD5}")),
          load=loaders.food101,
          notes=(Message("fact.food101.note", n=len(loaders.DISHES)),)),
    CatalogEntry("dtd", Message("fact.dtd.title"), 47, 80, 1_880, 0, licence=Message("fact.dtd.licence"),
          about=Message("fact.dtd.about"), overlap="",
          source="Cimpoi et al. 2014, https://www.robots.ox.ac.uk/~vgg/data/dtd",
          addresses=_at("dtd", "dtd/", (datasets.DTD._URL, 625_239_812, f"md5:{datasets.DTD._MD5}")),
          load=loaders.dtd),
    CatalogEntry("fgvc_aircraft", Message("fact.fgvc_aircraft.title"), 30, 66, 3_333, 0,
          licence=Message("fact.fgvc_aircraft.licence"),
          about=Message("fact.fgvc_aircraft.about"), overlap=Message("fact.fgvc_aircraft.overlap"),
          source="Maji et al. 2013, https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft",
          addresses=_at("fgvc_aircraft", "", (datasets.FGVCAircraft._URL, 2_770_575_360,
                        "sha256:d5f68b1b81d6d7831eb9d5c5517074176b5dfbce6bcb43dc14ed1c66a87b8d75")),
          load=loaders.aircraft,
          notes=(Message("fact.fgvc_aircraft.note", n=loaders.BANNER_HEIGHT),)),
    CatalogEntry("eurosat", Message("fact.eurosat.title"), 10, 1_600, 5_400, 64, licence="MIT",
          about=Message("fact.eurosat.about"), overlap="",
          source="Helber et al. 2019, https://github.com/phelber/EuroSAT",
          addresses=_at("eurosat", "eurosat/", (_EUROSAT, 94_280_567, "md5:c8fa014336c82ac7804f0398fcb19387")),
          load=loaders.eurosat,
          notes=(Message("fact.eurosat.note", n=loaders.HELDOUT_DIVISOR),)),
    CatalogEntry("gtsrb", Message("fact.gtsrb.title"), 43, 150, 12_630, 0, licence=_NOT_STATED,
          about=Message("fact.gtsrb.about"), overlap=Message("fact.gtsrb.overlap"),
          source="Stallkamp et al. 2011, https://benchmark.ini.rub.de",
          addresses=_at("gtsrb", "gtsrb/", *_md5s(_ERDA, (187_490_228, 88_978_620, 99_620), _ERDA_FILES)),
          load=loaders.gtsrb),
    CatalogEntry("cifar10", Message("fact.cifar10.title"), 10, 5_000, 10_000, 32, licence=_NOT_STATED,
          about=Message("fact.cifar10.about"),
          overlap=Message("fact.cifar10.overlap"),
          source="Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
          addresses=_at("cifar10", "", (datasets.CIFAR10.url, 170_498_071, f"md5:{datasets.CIFAR10.tgz_md5}")),
          load=loaders.cifar10),
    CatalogEntry("stl10", Message("fact.stl10.title"), 10, 500, 8_000, 96, licence=_IMAGENET,
          about=Message("fact.stl10.about"), overlap=Message("fact.hymenoptera.overlap"),
          source="Coates et al. 2011, https://cs.stanford.edu/~acoates/stl10",
          addresses=_at("stl10", "", (datasets.STL10.url, 2_640_397_119, f"md5:{datasets.STL10.tgz_md5}")),
          load=loaders.stl10),
    CatalogEntry("fashion_mnist", Message("fact.fashion_mnist.title"), 10, 6_000, 10_000, 28, licence="MIT",
          about=Message("fact.fashion_mnist.about"),
          overlap=Message("fact.fashion_mnist.overlap"),
          source="Xiao et al. 2017, https://github.com/zalandoresearch/fashion-mnist",
          addresses=_at("fashion_mnist", "FashionMNIST/raw/",
                        *_md5s(datasets.FashionMNIST.mirrors[0], (26_421_880, 29_515, 4_422_102, 5_148), _FASHION)),
          load=loaders.fashion_mnist),
    CatalogEntry("svhn", Message("fact.svhn.title"), 10, 4_659, 26_032, 32, licence=Message("fact.svhn.licence"),
          about=Message("fact.svhn.about"), overlap="",
          source="Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers",
          addresses=_at("svhn", "", *_md5s("", (182_040_794, 64_275_384), _SVHN)),
          load=loaders.svhn, needs="scipy"),
    CatalogEntry("bloodmnist", Message("fact.bloodmnist.title"), 8, 971, 3_421, 28, licence="CC BY 4.0",
          about=Message("fact.bloodmnist.about"), overlap="",
          source="Yang et al. 2023, MedMNIST v2, https://medmnist.com",
          addresses=_at("bloodmnist", "", ("https://zenodo.org/records/10519652/files/bloodmnist.npz", 35_000_000,
                        "md5:7053d0359d879ad8a5505303e11de1dc")),
          load=loaders.bloodmnist),
    CatalogEntry("pcam", Message("fact.pcam.title"), 2, 16_369, 32_768, 96, licence="CC0-1.0",
          about=Message("fact.pcam.about"), overlap="",
          source="Veeling et al. 2018, https://github.com/basveeling/pcam",
          addresses=_at("pcam", "pcam/", *_md5s("https://zenodo.org/records/2546921/files/",
                                                (805_965_320, 3_038, 800_875_929, 3_040), _PCAM)),
          load=loaders.pcam,
          notes=(Message("fact.pcam.note"),),
          needs="h5py"),
)
# fmt: on
CATALOG: Mapping[str, CatalogEntry] = {entry.name: entry for entry in _ENTRIES}
