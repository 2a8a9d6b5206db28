"""The picture sets that are known by name, what is said of each, and where it comes from. Knows no race."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchvision import datasets

from engine import fetch, openers
from engine.album import Album
from engine.errors import UnavailableError
from engine.events import Progressed
from engine.fetch import Address
from engine.openers import UNREADABLE, Find, Read


@dataclass(frozen=True)
class Known:
    """What is said of a set before a byte of it is fetched."""

    name: str
    title: str
    classes: int
    training: int  # pictures of the smallest class in the part that is learned from
    heldout: int  # in all: the official test split, or our share
    px: int  # native side; 0 = photographs of many sizes
    licence: str
    about: str  # what the pictures show
    overlap: str  # how its classes overlap ImageNet's; "" = none known
    source: str  # who made it
    addresses: tuple[Address, ...]  # what must be fetched
    find: Find  # how its pictures are found once the addresses are here
    notes: tuple[str, ...] = ()  # what was done to it, for people
    needs: str = ""  # a package that must be installed

    @property
    def size(self) -> int:
        """Bytes to download; 0 where no size is published."""
        return sum(address.size for address in self.addresses)


def folder(name: str) -> Path:
    """Where the archives of a set and what is unpacked from them lie."""
    return fetch.home() / "sets" / name


def is_here(known: Known) -> bool:
    """Whether the set can be opened without a download."""
    return all(fetch.is_here(address) for address in known.addresses)


def open_known(known: Known) -> Generator[Progressed, None, Album]:
    """The set as an album: what is missing is fetched, then unpacked and listed; no picture is decoded.

    Raises UnavailableError for a package or an archive that is not to be had, an archive that cannot be opened, or a disk
    without room for what is in it.
    """
    if known.needs and importlib.util.find_spec(known.needs) is None:
        raise UnavailableError("refusal.set.package", title=known.title, package=known.needs)
    for address in known.addresses:
        yield from fetch.fetch(address)
    yield Progressed("survey", known.title, 0, 0, "pictures", 0.0, -1.0)
    try:
        found = openers.open_once(known.find, folder(known.name), {address.path for address in known.addresses})
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno in fetch.FULL:
            raise UnavailableError("refusal.set.full", folder=folder(known.name), title=known.title) from error
        kind = type(error).__name__
        raise UnavailableError(
            "refusal.set.unopened", title=known.title, kind=kind, error=error, folder=folder(known.name)
        ) from error
    training, heldout = (_by_class(part, len(found.classes)) for part in (found.training, found.heldout))
    return Album(known.title, tuple(found.classes), training, heldout, known.notes)


def _by_class(found: Iterable[tuple[Read, int]], classes: int) -> tuple[tuple[Read, ...], ...]:
    readers: list[list[Read]] = [[] for _ in range(classes)]
    for reader, label in found:
        readers[label].append(reader)
    return tuple(map(tuple, readers))


def _at(name: str, inside: str, *files: tuple[str, int, str]) -> tuple[Address, ...]:
    """(url, bytes, checksum) of each file, kept under its own name where torchvision looks for it."""
    return tuple(Address(url, f"sets/{name}/{inside}{url.rsplit('/', 1)[1]}", size, sum_) for url, size, sum_ in files)


def _md5s(prefix: str, sizes: Sequence[int], files: Iterable[Sequence[str]]) -> list[tuple[str, int, str]]:
    """The files as torchvision lists them, (name, md5), with their sizes, which torchvision does not list."""
    return [(f"{prefix}{name}", size, f"md5:{md5}") for size, (name, md5) in zip(sizes, files, strict=True)]


# The address and md5 of EuroSAT and GTSRB stand inside of torchvision's methods, where they cannot be imported from
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
_IMAGENET = "none stated; photographs from ImageNet, for non-commercial research and teaching"

# md5: torchvision's own, but bloodmnist's (medmnist/info.py). sha256: TensorFlow Datasets' url_checksums, but
# hymenoptera's (pytorch/tutorials, .jenkins/download_data.py). sha1: the book's, d2l.DATA_HUB.
# Sizes: url_checksums; GTSRB, CIFAR-10 and hymenoptera from logs of downloads; bloodmnist is about 35 MB.
# The smallest class of pets, aircraft, beans, svhn, bloodmnist, pcam and pizza is from memory: no published list was at
# hand. Once a set is open, its album has the true counts.
# fmt: off
_ALL = (  # name, title, classes, training, heldout, px
    Known("hymenoptera", "Ants and bees", 2, 121, 153, 0, licence=_IMAGENET,
          about="Photographs of ants and of bees", overlap="photographs from ImageNet itself",
          source="PyTorch, https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial",
          addresses=_at("hymenoptera", "", ("https://download.pytorch.org/tutorial/hymenoptera_data.zip", 47_286_322,
                        "sha256:fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209")),
          find=openers.folders(["hymenoptera_data/train"], ["hymenoptera_data/val"])),
    Known("pizza_steak_sushi", "Pizza, steak, sushi", 3, 72, 75, 0,
          licence="MIT for the collection; the photographs belong to Foodspotting's users",
          about="Photographs of three dishes, a tenth of those in Food-101", overlap="pizza is an ImageNet class",
          source=f"Bourke, FoodVision Mini, {_GIT}",
          # Neither size nor checksum is published
          addresses=_at("pizza_steak_sushi", "", (f"{_GIT}/raw/main/data/pizza_steak_sushi.zip", 0, "")),
          find=openers.folders(["train"], ["test"])),
    Known("hotdog", "Hotdog or not", 2, 1_000, 800, 0, licence="none stated",
          about="Photographs of hotdogs and of other food", overlap="hotdog is an ImageNet class",
          source="Zhang et al., Dive into Deep Learning, https://d2l.ai/chapter_computer-vision/fine-tuning.html",
          addresses=_at("hotdog", "", ("http://d2l-data.s3-accelerate.amazonaws.com/hotdog.zip", 0,
                        "sha1:fba480ffa8aa7e0febbb511d181409f899b9baa5")),
          find=openers.folders(["hotdog/train"], ["hotdog/test"])),
    Known("beans", "Bean leaves", 3, 385, 128, 500, licence="MIT",
          about="Photographs of bean leaves, healthy or with one of two diseases", overlap="",
          source="Makerere AI Lab 2020, https://github.com/AI-Lab-Makerere/ibean",
          addresses=_at("beans", "",
                        ("https://storage.googleapis.com/ibeans/train.zip", 143_812_152,
                         "sha256:284fe8456ce20687f4367ae7ad94a64577e7f9fde2c2c6b1c74340ab5dc82715"),
                        ("https://storage.googleapis.com/ibeans/validation.zip", 18_504_213,
                         "sha256:90b7aa1c26d91d9afff07a30bbc67a5ea34f1f1397f068d8675be09d7d0c602d"),
                        ("https://storage.googleapis.com/ibeans/test.zip", 17_708_541,
                         "sha256:ca67b15d960d1e2fd9d23fd8498ce86818ead90755c630a43baf19ec4af09312")),
          find=openers.folders(["train", "validation"], ["test"])),
    Known("flowers102", "Wildflowers", 102, 20, 6_149, 0, licence="none stated",
          about="Photographs of 102 flowers that are common in Britain",
          overlap="daisy and artichoke are ImageNet classes",
          source="Nilsback and Zisserman 2008, https://www.robots.ox.ac.uk/~vgg/data/flowers/102",
          addresses=_at("flowers102", "flowers-102/",
                        *_md5s(datasets.Flowers102._download_url_prefix, (344_862_509, 502, 14_989), _FLOWERS)),
          find=openers.flowers102, needs="scipy"),
    Known("oxford_pets", "Cats and dogs", 37, 93, 3_669, 0, licence="CC BY-SA 4.0",
          about="Photographs of 12 breeds of cats and 25 of dogs", overlap="24 of its 37 breeds are ImageNet classes",
          source="Parkhi et al. 2012, https://www.robots.ox.ac.uk/~vgg/data/pets",
          addresses=_at("oxford_pets", "oxford-iiit-pet/", *_md5s("", (791_918_971, 19_173_078), _PETS)),
          find=openers.oxford_pets),
    Known("food101", "Ten dishes", 10, 750, 2_500, 0,
          licence="scientific fair use; the photographs belong to Foodspotting's users",
          about="Photographs of ten well-known dishes of the 101 in Food-101",
          overlap="pizza, ice cream and cheeseburger are ImageNet classes",
          source="Bossard et al. 2014, https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101",
          addresses=_at("food101", "", (datasets.Food101._URL, 4_996_278_331, f"md5:{datasets.Food101._MD5}")),
          find=openers.food101,
          notes=(f"{len(openers.DISHES)} of 101 dishes were chosen",)),
    Known("dtd", "Textures", 47, 80, 1_880, 0, licence="for research purposes",
          about="Photographs of surfaces by the word for them: dotted, woven, cracked", overlap="",
          source="Cimpoi et al. 2014, https://www.robots.ox.ac.uk/~vgg/data/dtd",
          addresses=_at("dtd", "dtd/", (datasets.DTD._URL, 625_239_812, f"md5:{datasets.DTD._MD5}")),
          find=openers.dtd),
    Known("fgvc_aircraft", "Aircraft makers", 30, 66, 3_333, 0, licence="for non-commercial research purposes",
          about="Photographs of aircraft by who built them", overlap="airliner and warplane are ImageNet classes",
          source="Maji et al. 2013, https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft",
          addresses=_at("fgvc_aircraft", "", (datasets.FGVCAircraft._URL, 2_770_575_360,
                        "sha256:d5f68b1b81d6d7831eb9d5c5517074176b5dfbce6bcb43dc14ed1c66a87b8d75")),
          find=openers.aircraft,
          notes=(f"the photographer's name, the lowest {openers.BANNER} pixels, was cut off",)),
    Known("eurosat", "Land from space", 10, 1_600, 5_400, 64, licence="MIT",
          about="Satellite pictures of land: forest, river, highway, houses", overlap="",
          source="Helber et al. 2019, https://github.com/phelber/EuroSAT",
          addresses=_at("eurosat", "eurosat/", (_EUROSAT, 94_280_567, "md5:c8fa014336c82ac7804f0398fcb19387")),
          find=openers.eurosat,
          notes=(f"it has no official split: one picture in {openers.SHARE} of every class was held out",)),
    Known("gtsrb", "Traffic signs", 43, 150, 12_630, 0, licence="none stated",
          about="Photographs of German traffic signs, 15 to 250 pixels wide", overlap="street sign is one ImageNet class",
          source="Stallkamp et al. 2011, https://benchmark.ini.rub.de",
          addresses=_at("gtsrb", "gtsrb/", *_md5s(_ERDA, (187_490_228, 88_978_620, 99_620), _ERDA_FILES)),
          find=openers.gtsrb),
    Known("cifar10", "CIFAR-10", 10, 5_000, 10_000, 32, licence="none stated",
          about="Tiny photographs of animals and vehicles",
          overlap="most of its classes are ImageNet's too, under finer names",
          source="Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
          addresses=_at("cifar10", "", (datasets.CIFAR10.url, 170_498_071, f"md5:{datasets.CIFAR10.tgz_md5}")),
          find=openers.cifar10),
    Known("stl10", "STL-10", 10, 500, 8_000, 96, licence=_IMAGENET,
          about="Small photographs of animals and vehicles", overlap="photographs from ImageNet itself",
          source="Coates et al. 2011, https://cs.stanford.edu/~acoates/stl10",
          addresses=_at("stl10", "", (datasets.STL10.url, 2_640_397_119, f"md5:{datasets.STL10.tgz_md5}")),
          find=openers.stl10),
    Known("fashion_mnist", "Fashion-MNIST", 10, 6_000, 10_000, 28, licence="MIT",
          about="Grey pictures of clothes, shoes and bags from a shop",
          overlap="sandal, jersey and others are ImageNet classes, in colour",
          source="Xiao et al. 2017, https://github.com/zalandoresearch/fashion-mnist",
          addresses=_at("fashion_mnist", "FashionMNIST/raw/",
                        *_md5s(datasets.FashionMNIST.mirrors[0], (26_421_880, 29_515, 4_422_102, 5_148), _FASHION)),
          find=openers.fashion_mnist),
    Known("svhn", "House numbers", 10, 4_659, 26_032, 32, licence="for non-commercial use",
          about="Digits cut from photographs of house numbers", overlap="",
          source="Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers",
          addresses=_at("svhn", "", *_md5s("", (182_040_794, 64_275_384), _SVHN)),
          find=openers.svhn, needs="scipy"),
    Known("bloodmnist", "Blood cells", 8, 971, 3_421, 28, licence="CC BY 4.0",
          about="Eight kinds of cells of healthy people's blood under a microscope", overlap="",
          source="Yang et al. 2023, MedMNIST v2, https://medmnist.com",
          addresses=_at("bloodmnist", "", ("https://zenodo.org/records/10519652/files/bloodmnist.npz", 35_000_000,
                        "md5:7053d0359d879ad8a5505303e11de1dc")),
          find=openers.bloodmnist),
    Known("pcam", "Lymph nodes", 2, 16_369, 32_768, 96, licence="CC0-1.0",
          about="Sections of lymph nodes under a microscope, with and without a tumour", overlap="",
          source="Veeling et al. 2018, https://github.com/basveeling/pcam",
          addresses=_at("pcam", "pcam/", *_md5s("https://zenodo.org/records/2546921/files/",
                                                (805_965_320, 3_038, 800_875_929, 3_040), _PCAM)),
          find=openers.pcam,
          notes=("learned from are the official validation pictures: the training file has 6.4 GB",),
          needs="h5py"),
)
# fmt: on
KNOWN: Mapping[str, Known] = {known.name: known for known in _ALL}
