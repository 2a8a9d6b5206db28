"""Small archives in the official layout of each catalogue set; the colour of a picture encodes its class and split."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from PIL import Image

from engine.data import loaders

Files = Mapping[str, bytes]
LEARNED, HELD = 60, 200  # blue channel of training and of held-out pictures


def pixels(label: int, blue: int, size: int = 8) -> np.ndarray:
    """A picture of one colour, red and green from its class, blue from its split: (size, size, 3) uint8."""
    return np.full((size, size, 3), (label % 11 * 24, label // 11 * 24, blue), np.uint8)


def encoded(label: int, blue: int, file_format: str = "JPEG") -> bytes:
    """The bytes of such a picture as a file."""
    file = io.BytesIO()
    options = {"quality": 95, "subsampling": 0} if file_format == "JPEG" else {}
    Image.fromarray(pixels(label, blue)).save(file, file_format, **options)
    return file.getvalue()


def shown(picture: object) -> tuple[int, int]:
    """The class and the split (LEARNED or HELD) that the colour of a picture encodes."""
    red, green, blue = np.asarray(picture).reshape(-1, 3).mean(0)
    return round(red / 24) + 11 * round(green / 24), LEARNED if blue < 130 else HELD


def tar(files: Files) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zipped(files: Files) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def by_folder(splits: Mapping[str, tuple[int, int]], classes: list[str], *, more: Files | None = None) -> bytes:
    """A zip with a folder per split and in it one per class. splits: name -> (pictures per class, blue)."""
    return zipped(
        {
            f"{split}/{name}/{k}.jpg": encoded(label, blue)
            for split, (count, blue) in splits.items()
            for label, name in enumerate(classes)
            for k in range(count)
        }
        | dict(more or {})
    )


def hymenoptera() -> Files:
    parts = {"hymenoptera_data/train": (3, LEARNED), "hymenoptera_data/val": (2, HELD)}
    return {"hymenoptera_data.zip": by_folder(parts, ["ants", "bees"], more={"hymenoptera_data/train/ants/no.gif": b"GIF"})}


def pizza_steak_sushi() -> Files:
    return {"pizza_steak_sushi.zip": by_folder({"train": (3, LEARNED), "test": (2, HELD)}, ["pizza", "steak", "sushi"])}


def hotdog() -> Files:
    return {"hotdog.zip": by_folder({"hotdog/train": (3, LEARNED), "hotdog/test": (2, HELD)}, ["hotdog", "not-hotdog"])}


def beans() -> Files:
    classes = ["angular_leaf_spot", "bean_rust", "healthy"]
    splits = {"train": (2, LEARNED), "validation": (1, LEARNED), "test": (2, HELD)}
    return {f"{split}.zip": by_folder({split: content}, classes) for split, content in splits.items()}


def flowers102() -> Files:
    io_ = pytest.importorskip("scipy.io", reason="scipy reads .mat files")
    labels = [k for k in range(102) for _ in range(5)]  # a class: one of train, one of val, three of test
    splits = {"trnid": [0], "valid": [1], "tstid": [2, 3, 4]}
    images = {f"jpg/image_{k + 1:05d}.jpg": encoded(label, LEARNED if k % 5 < 2 else HELD) for k, label in enumerate(labels)}
    files = {"102flowers.tgz": tar(images)}
    for name, content in (
        ("imagelabels.mat", {"labels": [label + 1 for label in labels]}),
        ("setid.mat", {key: [k + 1 for k in range(len(labels)) if k % 5 in which] for key, which in splits.items()}),
    ):
        file = io.BytesIO()
        io_.savemat(file, content)
        files[name] = file.getvalue()
    return files


def oxford_pets() -> Files:
    classes = [f"{'Breed' if k % 2 else 'breed'}_no_{k}" for k in range(37)]
    rows: dict[str, list[str]] = {"trainval": [], "test": []}
    images = {}
    for k, breed in enumerate(classes):
        for n, (split, blue) in enumerate([("trainval", LEARNED)] * 3 + [("test", HELD)] * 2):
            # In the official archive some files named .jpg are GIFs
            images[f"images/{breed}_{n}.jpg"] = encoded(k, blue, "GIF" if n == 1 else "JPEG")
            rows[split].append(f"{breed}_{n} {k + 1} {k % 2 + 1} 1")
    lists = {f"annotations/{split}.txt": lines(*reversed(some)) for split, some in rows.items()}
    return {"images.tar.gz": tar(images), "annotations.tar.gz": tar(lists)}


def food101() -> Files:
    dishes = sorted([*loaders.DISHES, "beignets", "escargots"])
    parts = {"train": (range(3), LEARNED), "test": (range(3, 5), HELD)}
    # Dishes that the set leaves out have a colour of their own, so that a test notices one that is used
    number = {dish: loaders.DISHES.index(dish) if dish in loaders.DISHES else 100 for dish in dishes}
    files = {
        f"food-101/images/{dish}/{k}.jpg": encoded(number[dish], blue)
        for which, blue in parts.values()
        for dish in dishes
        for k in which
    }
    for split, (which, _) in parts.items():
        files[f"food-101/meta/{split}.json"] = json.dumps({d: [f"{d}/{k}" for k in which] for d in dishes}).encode()
    return {"food-101.tar.gz": tar(files)}


def dtd() -> Files:
    classes = [f"texture{k:02d}" for k in range(47)]
    parts = {"train": (range(2), LEARNED), "val": (range(2, 3), LEARNED), "test": (range(3, 5), HELD)}
    files: dict[str, bytes] = {}
    for split, (which, blue) in parts.items():
        names = {f"{name}/{name}_{k:04d}.jpg": encoded(label, blue) for label, name in enumerate(classes) for k in which}
        files |= {f"dtd/images/{name}": data for name, data in names.items()}
        files[f"dtd/labels/{split}1.txt"] = lines(*names)
        files[f"dtd/labels/{split}2.txt"] = lines("another/partition.jpg")
    return {"dtd-r1.0.1.tar.gz": tar(files)}


def fgvc_aircraft() -> Files:
    classes = [f"Maker & Sons {k}" for k in range(30)]
    home = "fgvc-aircraft-2013b/data"
    files = {f"{home}/manufacturers.txt": lines(*classes)}
    for start, split, count, blue in ((0, "trainval", 3, LEARNED), (500, "test", 2, HELD)):
        rows = [(f"{start + k:07d}", k % 30) for k in range(30 * count)]
        for name, label in rows:
            picture = np.concatenate([pixels(label, blue), np.full((loaders.BANNER_HEIGHT, 8, 3), 255, np.uint8)])
            file = io.BytesIO()
            Image.fromarray(picture).save(file, "PNG")
            files[f"{home}/images/{name}.jpg"] = file.getvalue()
        files[f"{home}/images_manufacturer_{split}.txt"] = lines(*(f"{name} {classes[label]}" for name, label in rows))
    return {"fgvc-aircraft-2013b.tar.gz": tar(files)}


def eurosat() -> Files:
    classes = "AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake"
    files = {
        f"2750/{name}/{name}_{n + 1}.jpg": encoded(k, LEARNED) for k, name in enumerate(classes.split()) for n in range(5)
    }
    return {"EuroSAT.zip": zipped(files)}


def gtsrb() -> Files:
    training = {f"GTSRB/Training/{k:05d}/{n:05d}_00000.ppm": encoded(k, LEARNED, "PPM") for k in range(43) for n in range(3)}
    lists = {f"GTSRB/Training/{k:05d}/GT-{k:05d}.csv": b"Filename;Width\n" for k in range(43)}
    test = {f"{n:05d}.ppm": n % 43 for n in range(86)}
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    rows += [f"{name};8;8;1;1;7;7;{k}" for name, k in test.items()]
    images = {f"GTSRB/Final_Test/Images/{name}": encoded(k, HELD, "PPM") for name, k in test.items()}
    return {
        "GTSRB-Training_fixed.zip": zipped(training | lists),
        "GTSRB_Final_Test_Images.zip": zipped(images),
        "GTSRB_Final_Test_GT.zip": zipped({"GT-final_test.csv": lines(*rows)}),
    }


def cifar10() -> Files:
    def batch(count: int, blue: int) -> bytes:
        labels = [k % 10 for k in range(10 * count)]
        data = np.stack([pixels(k, blue, 32).transpose(2, 0, 1).ravel() for k in labels])
        return pickle.dumps({"data": data, "labels": labels})

    files = {f"data_batch_{n}": batch(1, LEARNED) for n in range(1, 6)} | {"test_batch": batch(2, HELD)}
    files["batches.meta"] = pickle.dumps({"label_names": [f"class {k}" for k in range(10)]})
    return {"cifar-10-python.tar.gz": tar({f"cifar-10-batches-py/{name}": data for name, data in files.items()})}


def stl10() -> Files:
    def arrays(count: int, blue: int) -> tuple[bytes, bytes]:
        labels = np.arange(10 * count, dtype=np.uint8) % 10
        images = np.stack([pixels(int(k), blue, 96).transpose(2, 1, 0) for k in labels])  # columns first
        return images.tobytes(), (labels + 1).tobytes()

    files: dict[str, bytes] = {"class_names.txt": lines(*(f"class {k}" for k in range(10)))}
    files["train_X.bin"], files["train_y.bin"] = arrays(3, LEARNED)
    files["test_X.bin"], files["test_y.bin"] = arrays(2, HELD)
    files["unlabeled_X.bin"] = arrays(1, 0)[0]
    return {"stl10_binary.tar.gz": tar({f"stl10_binary/{name}": data for name, data in files.items()})}


def fashion_mnist() -> Files:
    files = {}
    for split, count, blue in (("train", 3, LEARNED), ("t10k", 2, HELD)):
        labels = np.arange(10 * count, dtype=np.uint8) % 10
        images = np.repeat(labels * 8 + blue // 2, 28 * 28).astype(np.uint8)
        heads = {3: (len(labels), 28, 28), 1: (len(labels),)}
        for content, array in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = heads[int(content[-1])]
            head = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
            files[f"{split}-{content}-ubyte.gz"] = gzip.compress(head + array.tobytes())
    return files


def svhn() -> Files:
    io_ = pytest.importorskip("scipy.io", reason="scipy reads .mat files")
    files = {}
    for split, count, blue in (("train", 3, LEARNED), ("test", 2, HELD)):
        labels = [k % 10 for k in range(10 * count)]
        images = np.stack([pixels(k, blue, 32) for k in labels], -1)
        file = io.BytesIO()
        io_.savemat(file, {"X": images, "y": np.array([[k or 10] for k in labels], np.uint8)})  # 0 is written as 10
        files[f"{split}_32x32.mat"] = file.getvalue()
    return files


def bloodmnist() -> Files:
    arrays = {}
    for split, count, blue in (("train", 2, LEARNED), ("val", 1, LEARNED), ("test", 2, HELD)):
        labels = [k % 8 for k in range(8 * count)]
        arrays[f"{split}_images"] = np.stack([pixels(k, blue, 28) for k in labels])
        arrays[f"{split}_labels"] = np.array(labels, np.uint8)[:, None]
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return {"bloodmnist.npz": file.getvalue()}


def pcam() -> Files:
    h5py = pytest.importorskip("h5py", reason="h5py reads .h5 files")
    files = {}
    for split, count, blue in (("valid", 3, LEARNED), ("test", 2, HELD)):
        labels = np.arange(2 * count, dtype=np.uint8) % 2
        for name, array in (
            ("x", np.stack([pixels(int(k), blue, 96) for k in labels])),
            ("y", labels.reshape(-1, 1, 1, 1)),
        ):
            file = io.BytesIO()
            with h5py.File(file, "w") as target:
                target[name] = array
            files[f"camelyonpatch_level_2_split_{split}_{name}.h5.gz"] = gzip.compress(file.getvalue(), 1)
    return files


MAKERS = (hymenoptera, pizza_steak_sushi, hotdog, beans, flowers102, oxford_pets, food101, dtd, fgvc_aircraft, eurosat)
MAKERS += (gtsrb, cifar10, stl10, fashion_mnist, svhn, bloodmnist, pcam)
MADE: dict[str, Callable[[], Files]] = {make.__name__: make for make in MAKERS}
