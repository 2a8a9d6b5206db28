"""The pretrained networks a race can be run with: where their weights are, and how they are put in. Knows no task, no race.

An architecture (`zoo.py`) with weights is a backbone: the embedded one, torchvision's with their ImageNet-1k weights, and
those that were put here with `add` (a checkpoint of one's own).
"""

from __future__ import annotations

import os
import pickle
import re
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from engine import fetch
from engine.errors import DataError, PlanError, UnavailableError
from engine.events import Progressed
from engine.strings import Line, joined
from engine.zoo import ARCHITECTURES, Architecture

ASSETS = Path(__file__).parents[1] / "assets"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALISATIONS = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))}
REMAKE = "python -m engine pretrain --images DIR --teacher FILE"


@dataclass(frozen=True)
class Stage:
    """One stage of a network as it stands in a picture: its output's shape for one picture, and its size."""

    name: str
    shape: tuple[int, ...]  # (channels, height, width), (tokens, features) or (features,)
    parameters: int
    activations: int = 0  # numbers that its layers put out for one picture: what learning has to remember


@dataclass(frozen=True)
class Backbone:
    """An architecture, where its pretrained weights are, and what they were trained on."""

    name: str
    title: str  # as the page names it
    pretraining: str  # "200 ImageNet classes at 64 px"
    px: int  # side of the input its weights were made for
    mean: tuple[float, float, float]  # by which 0..1 pixels are normalised for it
    std: tuple[float, float, float]
    architecture: Architecture
    weights: Path | fetch.Address
    remake: str = ""  # the command that makes the weights, where there is one
    size: int = 0  # bytes of the weights, about
    is_own: bool = False

    @property
    def description(self) -> str:
        """Exactly what runs: "ResNet-10, pretrained on 200 ImageNet classes at 64 px"."""
        return f"{self.title}, {'with the weights in' if self.is_own else 'pretrained on'} {self.pretraining}"


def _embedded() -> Backbone:
    return Backbone(
        name="resnet10",
        title="ResNet-10",
        pretraining="200 ImageNet classes at 64 px with a MobileNetV2 as its teacher",
        px=64,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        architecture=ARCHITECTURES["resnet10"],
        weights=ASSETS / "backbone" / "resnet10.safetensors",
        remake=REMAKE,
    )


def _published(architecture: Architecture) -> Backbone:
    weights = _weights(architecture.name)
    file = weights.url.rsplit("/", 1)[1]
    checksum = "sha256:" + file.rsplit("-", 1)[1].split(".")[0]  # torchvision's file names carry it
    return Backbone(
        name=architecture.name,
        title=architecture.title,
        pretraining="ImageNet-1k, 1.28 million photographs of 1,000 classes",
        px=architecture.px,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        architecture=architecture,
        weights=fetch.Address(weights.url, f"weights/{file}", 0, checksum),
        size=round(weights.meta["_file_size"] * 1e6),
    )


def _weights(name: str) -> WeightsEnum:
    # The first recipe, not the newest: label smoothing and mixup make for better top-1 and worse features
    # (Kornblith et al. 2021, "Why do better loss functions lead to less transferable features?")
    return get_model_weights(name)["IMAGENET1K_V1"]  # type: ignore[return-value]


@cache
def _known() -> dict[str, Backbone]:
    return {"resnet10": _embedded()} | {n: _published(a) for n, a in ARCHITECTURES.items() if n != "resnet10"}


_own: dict[str, Backbone] = {}
_ONE_AT_A_TIME = threading.Lock()  # torch's layers are initialised from its one global generator


def _renew() -> None:
    global _ONE_AT_A_TIME
    _ONE_AT_A_TIME = threading.Lock()


if hasattr(os, "register_at_fork"):  # a thread that is not in the forked process may have held it
    os.register_at_fork(after_in_child=_renew)


def names() -> tuple[str, ...]:
    """The backbones there are, whether their weights are here or not."""
    return (*_known(), *_own)


def find(name: str) -> Backbone:
    """The backbone of that name. Raises PlanError, naming those there are."""
    try:
        return _own[name] if name in _own else _known()[name]
    except KeyError:
        raise PlanError("refusal.network.unknown", name=repr(name), names=", ".join(names())) from None


def add(path: Path, architecture: str, px: int = 0, normalisation: str = "imagenet") -> str:
    """Make a checkpoint of one's own a backbone; returns its name, "mobilenet_v2+FILE".

    The file holds a state dict in torchvision's layout, as safetensors or as torch.save writes it; it may have any head.
    `px` 0 takes the architecture's input size. Raises PlanError for an unknown architecture or normalisation,
    UnavailableError where there is no such file, DataError, naming the tensors, where it does not fit.
    """
    if architecture not in ARCHITECTURES:
        raise PlanError("refusal.network.architecture", name=repr(architecture), names=", ".join(ARCHITECTURES))
    if normalisation not in NORMALISATIONS:
        there = joined("refusal.network.or", [*NORMALISATIONS])
        raise PlanError("refusal.network.normalisation", name=repr(normalisation), names=there)
    kind, (mean, std) = ARCHITECTURES[architecture], NORMALISATIONS[normalisation]
    check_side(kind, px or kind.px)
    backbone = Backbone(
        name=f"{architecture}+{path.stem}",
        title=kind.title,
        pretraining=path.name,
        px=px or kind.px,
        mean=mean,
        std=std,
        architecture=kind,
        weights=path,
        size=path.stat().st_size if path.exists() else 0,
        is_own=True,
    )
    with torch.device("meta"):
        model = kind.build(2)
    _fitting(model, backbone)
    _own[backbone.name] = backbone
    return backbone.name


def add_text(text: str) -> str:
    """`add` for what is written as ARCHITECTURE=FILE[:PX[:NORMALISATION]]. Raises as `add` does."""
    architecture, _, rest = text.partition("=")
    file, *more = rest.split(":")
    if not file or len(more) > 2 or (more and not more[0].isdigit()):
        raise PlanError("refusal.network.weights", text=repr(text))
    return add(Path(file), architecture, int(more[0]) if more else 0, more[1] if len(more) > 1 else "imagenet")


def check_side(kind: Architecture, px: int) -> None:
    """Raise PlanError where an architecture cannot take pictures of this side."""
    if kind.is_fixed and px != kind.px:
        raise PlanError("refusal.network.fixed", px=px, network=kind.title, fixed=kind.px)
    if px < kind.smallest:
        raise PlanError("refusal.network.small", px=px, network=kind.title, least=kind.smallest)


def remove(name: str) -> None:
    """Forget a checkpoint that was added."""
    _own.pop(name, None)


def is_here(backbone: Backbone) -> bool:
    """Whether the weights are on this machine."""
    return _file(backbone) is not None


def check_weights(backbone: Backbone) -> None:
    """Raise UnavailableError where weights that should be here are missing or cut short; reads the file's head only."""
    if isinstance(backbone.weights, Path) and backbone.weights.suffix == ".safetensors":
        try:
            with safe_open(backbone.weights, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise _broken(backbone, error) from None
    elif isinstance(backbone.weights, Path) and not backbone.weights.exists():
        raise _broken(backbone, FileNotFoundError())


def fetch_weights(name: str) -> Generator[Progressed, None, None]:
    """Fetch the weights where they are not here; yields how far that has come. Raises UnavailableError."""
    backbone = find(name)
    if isinstance(backbone.weights, fetch.Address) and not is_here(backbone):
        yield from fetch.fetch(backbone.weights)


def build(name: str, classes: int, seed: int, pretrained: bool) -> nn.Sequential:
    """A fresh network of named stages with a new head of `classes` outputs, initialised from `seed` alone.

    Raises UnavailableError where the pretrained weights are missing or broken, DataError where they do not fit.
    """
    backbone = find(name)
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = backbone.architecture.build(classes)
    if pretrained:
        load_weights(model, backbone)
    return nn.Sequential(backbone.architecture.cut(model))


def load_weights(model: nn.Module, backbone: Backbone) -> None:
    """Put the pretrained weights into torchvision's model, all but the head. Raises UnavailableError or DataError."""
    model.load_state_dict(_fitting(model, backbone), strict=False)


def _fitting(model: nn.Module, backbone: Backbone) -> dict[str, Tensor]:
    """The checkpoint's tensors for all but the head; raises where one is missing, has another shape or is left over."""
    given, wanted = _read(backbone), dict(model.state_dict())
    head = set(backbone.architecture.head)
    body = {k: v for k, v in wanted.items() if k not in head}
    # A counter that only BatchNorm without a momentum reads; older checkpoints lack it
    missing = [k for k in body if k not in given and not k.endswith("num_batches_tracked")]
    shapes = [k for k, v in body.items() if k in given and given[k].shape != v.shape]
    odd = [k for k in given if k not in wanted and k not in head and not _is_spare(k, backbone.architecture)]
    if missing or shapes or odd:
        wrong = {"missing": missing, "other": [_shapes(k, given, body) for k in shapes], "extra": odd}
        told = [Line(f"refusal.tensors.{what}", n=len(keys), which=_few(keys)) for what, keys in wrong.items() if keys]
        which = joined("joined.items", told)
        raise DataError("refusal.network.unfit", path=_path(backbone), network=backbone.title, told=which)
    return {k: given[k] for k in body if k in given}


def _is_spare(key: str, architecture: Architecture) -> bool:
    """Whether a published checkpoint holds this tensor and the race has no use for it: another head."""
    return key.startswith("AuxLogits.") or key.split(".")[0] == architecture.head[0].split(".")[0]


def _shapes(key: str, given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    there, right = ("×".join(map(str, tensors[key].shape)) for tensors in (given, wanted))
    return Line("refusal.network.shape", name=key, given=there, wanted=right)


def _few(names: list[str]) -> str:
    first = joined("joined.list", names[:3])
    return Line("refusal.network.few", names=first, n=len(names) - 3) if len(names) > 3 else first


def _read(backbone: Backbone) -> dict[str, Tensor]:
    """The tensors of a checkpoint, floating ones in fp32."""
    path = _file(backbone)
    try:
        if path is None:
            raise FileNotFoundError
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
    except Exception as error:  # torch raises anything on a stranger's bytes
        raise _broken(backbone, error) from None
    for wrapper in ("state_dict", "model"):
        state = state[wrapper] if isinstance(state, dict) and isinstance(state.get(wrapper), dict) else state
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise DataError("refusal.network.no_state", path=path)
    return {_name(k): v.float() if v.is_floating_point() else v for k, v in state.items()}


def _name(key: str) -> str:
    """Today's name of a tensor: without DataParallel's prefix, and as DenseNet's layers are called since torch 0.4."""
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key.removeprefix("module."))


def _file(backbone: Backbone) -> Path | None:
    """Where the weights are on this machine; torch's own cache is looked into as well."""
    if isinstance(backbone.weights, Path):
        return backbone.weights if backbone.weights.exists() else None
    here = [backbone.weights.path, Path(torch.hub.get_dir()) / "checkpoints" / backbone.weights.path.name]
    return next((path for path in here if path.exists()), None)


def _path(backbone: Backbone) -> Path:
    return backbone.weights if isinstance(backbone.weights, Path) else _file(backbone) or backbone.weights.path


def _broken(backbone: Backbone, error: Exception) -> UnavailableError:
    is_here = _file(backbone) is not None
    if isinstance(backbone.weights, fetch.Address):
        again = Line("refusal.network.delete" if is_here else "refusal.network.fetched")
    elif backbone.remake:
        again = Line("refusal.network.make_again" if is_here else "refusal.network.make", command=backbone.remake)
    else:
        again = Line("refusal.network.other_file")
    if not is_here:
        return UnavailableError("refusal.network.missing", path=_path(backbone), again=again)
    return UnavailableError("refusal.network.unreadable", path=_path(backbone), error=error, again=again)


@lru_cache(maxsize=256)
def _measure(architecture: str, classes: int, px: int) -> tuple[Stage, ...]:
    kind = ARCHITECTURES[architecture]
    with torch.device("meta"):
        model = nn.Sequential(kind.cut(kind.build(classes))).eval()
        x = torch.empty(1, 3, px, px)
    count = 0

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal count
        count += output.numel()

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    facts = []
    for name, stage in model.named_children():
        count, x = 0, stage(x)
        facts.append(Stage(name, tuple(x.shape[1:]), sum(p.numel() for p in stage.parameters()), count))
    return tuple(facts)


def stages(name: str, classes: int, px: int = 0) -> tuple[Stage, ...]:
    """Every stage with its output shape at an input of `px` (0: its own) and sizes, without making weights.

    Raises PlanError for an unknown backbone, and for a side it cannot take.
    """
    backbone = find(name)
    check_side(backbone.architecture, px or backbone.px)
    return _measure(backbone.architecture.name, classes, px or backbone.px)
