"""The architectures and their weights, each as an nn.Sequential of named stages, head last. Knows no task and no race."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from engine.errors import PlanError, UnavailableError

ASSETS = Path(__file__).parents[1] / "assets"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Stage:
    """One stage of a network as it stands in a picture: its output's shape for one picture, and its size."""

    name: str
    shape: tuple[int, ...]  # (channels, height, width) or (features,)
    parameters: int


@dataclass(frozen=True)
class Backbone:
    """An architecture, where its pretrained weights are, and what they were trained on."""

    name: str
    title: str  # as the page names it
    pretraining: str  # "200 ImageNet classes at 64 px"
    px: int  # side of its input
    weights: Path
    remake: str  # the command that makes the weights
    build: Callable[[int], nn.Module]  # classes -> torchvision's model
    cut: Callable[[nn.Module], OrderedDict[str, nn.Module]]  # torchvision's model -> its stages

    @property
    def description(self) -> str:
        """Exactly what runs: "ResNet-10, pretrained on 200 ImageNet classes at 64 px"."""
        return f"{self.title}, pretrained on {self.pretraining}"


def resnet10(classes: int) -> ResNet:
    """torchvision's ResNet with one BasicBlock a stage; the last BatchNorm of each block starts at zero.

    Zero-initialised residuals: without them the first gradients of a deep ResNet in bf16 are noise, and the racer from
    scratch would be handicapped by the engine (Goyal et al. 2017, section 5.1).
    """
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=classes, zero_init_residual=True)


def cut_resnet(model: nn.Module) -> OrderedDict[str, nn.Module]:
    """The stages of a torchvision ResNet, its own modules: stem, layer1 … layer4 (pooled), head."""
    assert isinstance(model, ResNet)
    stem = OrderedDict(conv1=model.conv1, bn1=model.bn1, relu=model.relu, maxpool=model.maxpool)
    last = OrderedDict(blocks=model.layer4, pool=model.avgpool, flatten=nn.Flatten(1))
    return OrderedDict(
        stem=nn.Sequential(stem),
        layer1=model.layer1,
        layer2=model.layer2,
        layer3=model.layer3,
        layer4=nn.Sequential(last),
        head=model.fc,
    )


BACKBONES: Mapping[str, Backbone] = {
    "resnet10": Backbone(
        name="resnet10",
        title="ResNet-10",
        pretraining="200 ImageNet classes at 64 px with a MobileNetV2 as its teacher",
        px=64,
        weights=ASSETS / "backbone" / "resnet10.safetensors",
        remake="python -m engine pretrain --images DIR --teacher FILE",
        build=resnet10,
        cut=cut_resnet,
    )
}

_ONE_AT_A_TIME = threading.Lock()  # torch's layers are initialised from its one global generator


def find(name: str) -> Backbone:
    """The backbone of that name. Raises PlanError, naming those there are."""
    try:
        return BACKBONES[name]
    except KeyError:
        raise PlanError(f"backbone is {name!r}; there is {', '.join(BACKBONES)}") from None


def build(name: str, classes: int, seed: int, pretrained: bool) -> nn.Sequential:
    """A fresh network of named stages with a new head of `classes` outputs, initialised from `seed` alone.

    Raises UnavailableError where the pretrained weights are missing or broken.
    """
    backbone = find(name)
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = backbone.build(classes)
    if pretrained:
        load_weights(model, backbone)
    return nn.Sequential(backbone.cut(model))


def check_weights(backbone: Backbone) -> None:
    """Raise UnavailableError where the weights are missing or cut short; reads the file's head only."""
    try:
        with safe_open(backbone.weights, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise _broken(backbone, error) from None


def _broken(backbone: Backbone, error: Exception) -> UnavailableError:
    if not backbone.weights.exists():
        return UnavailableError(f"{backbone.weights} is missing; `{backbone.remake}` makes it")
    return UnavailableError(f"{backbone.weights} cannot be read ({error}); `{backbone.remake}` makes it again")


def load_weights(model: nn.Module, backbone: Backbone) -> None:
    """Put the pretrained weights into torchvision's model, all but the head. Raises UnavailableError."""
    path = backbone.weights
    try:
        state: dict[str, Tensor] = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise _broken(backbone, error) from None
    head = {"fc.weight", "fc.bias"}
    missing, unexpected = model.load_state_dict({k: v for k, v in state.items() if k not in head}, strict=False)
    if unexpected or set(missing) - head:
        odd = sorted(set(missing) - head | set(unexpected))
        raise UnavailableError(f"{path} does not fit {backbone.title}: {odd[0]} and {len(odd) - 1} more tensors differ")


def stages(name: str, classes: int) -> tuple[Stage, ...]:
    """Every stage with its output shape and parameter count, without making any weights."""
    backbone = find(name)
    with torch.device("meta"):
        model = nn.Sequential(backbone.cut(backbone.build(classes))).eval()
        x = torch.empty(1, 3, backbone.px, backbone.px)
    facts = []
    for stage_name, stage in model.named_children():
        x = stage(x)
        facts.append(Stage(stage_name, tuple(x.shape[1:]), sum(p.numel() for p in stage.parameters())))
    return tuple(facts)
