"""torchvision's architectures, each cut into named stages, head last. Knows no weights, no task and no race.

The one thing to change here is a table: for every family of architectures, which of torchvision's modules make which
stage. A cut copies nothing: its stages are the model's own modules and parameters, and run one after the other they
answer what the model answers.

Three rules that the tables follow:

- A stage never writes on what it is fed, since that may be a cache: an activation ends its stage and begins none.
- What is deterministic and has no parameters (pools, flattening) ends its stage, so that caches are small; a lone head
  is fed (N, features). A final norm belongs to the body too.
- Dropout right before the last linear layer belongs to the head; to "fc" or "neck" where there are hidden layers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.squeezenet import SqueezeNet
from torchvision.models.vision_transformer import VisionTransformer

Cut = Callable[[nn.Module], OrderedDict[str, nn.Module]]  # torchvision's model -> its stages, its own modules
Stages = Mapping[str, str]  # stage -> torchvision's names of its modules, in order; "a.1:3" are a's children 1 and 2

SMALLEST = 32  # CIFAR's side: most of these would take less, down to 1 px, but no picture here is smaller


@dataclass(frozen=True)
class Architecture:
    """One of torchvision's architectures: the inputs it takes, how it is made, and where it is cut."""

    name: str  # torchvision's own: "resnet18"
    title: str  # as the field writes it: "ResNet-18"
    px: int  # side of the input its ImageNet-1k weights (IMAGENET1K_V1) were trained for
    smallest: int  # least side it can be given
    is_fixed: bool  # it takes no other side than `px`
    head: tuple[str, ...]  # its names in the state dict, Inception's second head's too: what a new head leaves behind
    build: Callable[[int], nn.Module]  # classes -> torchvision's model as from scratch, with a head of so many outputs
    cut: Cut
    scratch_rate: float = 4e-3  # AdamW's peak rate that suits it from scratch, in batches of 32
    tuning_rate: float = 1e-3  # and for its last pretrained stage


class Mean(nn.Module):
    """Maps (N, C, H, W) -> their means (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """As torchvision's ShuffleNetV2 does it."""
        return x.mean([2, 3])


class InceptionInput(nn.Module):
    """Pictures normalised with ImageNet's mean and deviation -> normalised to -1..1, as Inception's weights want them."""

    def forward(self, x: Tensor) -> Tensor:
        """Torchvision's `transform_input=True`: (N, 3, H, W) -> the same shape."""
        red = x[:, 0:1] * (0.229 / 0.5) + (0.485 - 0.5) / 0.5
        green = x[:, 1:2] * (0.224 / 0.5) + (0.456 - 0.5) / 0.5
        blue = x[:, 2:3] * (0.225 / 0.5) + (0.406 - 0.5) / 0.5
        return torch.cat((red, green, blue), 1)


class Patches(nn.Module):
    """A vision transformer's input: the picture's patches as tokens, a class token before them, positions added."""

    def __init__(self, model: nn.Module):
        super().__init__()
        assert isinstance(model, VisionTransformer)
        self.conv_proj, self.dropout = model.conv_proj, model.encoder.dropout
        self.class_token, self.pos_embedding = model.class_token, model.encoder.pos_embedding  # shared, not copied

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, px, px) -> tokens (N, 1 + patches, width)."""
        tokens = self.conv_proj(x).flatten(2).permute(0, 2, 1)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), tokens], dim=1)
        return self.dropout(tokens + self.pos_embedding)


class ClassToken(nn.Module):
    """Tokens (N, T, width) -> the class token (N, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Token 0."""
        return x[:, 0]


# What torchvision's forward does by calling a function instead of a module; "+" marks these names in the tables
_OURS: Mapping[str, Callable[[nn.Module], nn.Module]] = {
    "+flatten": lambda model: nn.Flatten(1),
    "+mean": lambda model: Mean(),
    "+pool": lambda model: nn.AdaptiveAvgPool2d(1),
    "+relu": lambda model: nn.ReLU(inplace=True),
    "+input": lambda model: InceptionInput() if model.transform_input else nn.Identity(),
    "+patches": Patches,
    "+token": lambda model: ClassToken(),
}

_RESNET: Stages = {
    "stem": "conv1 bn1 relu maxpool",
    "layer1": "layer1",
    "layer2": "layer2",
    "layer3": "layer3",
    "layer4": "layer4 avgpool +flatten",
    "head": "fc",
}


def _vgg(*ends: int) -> Stages:
    """The stages of a VGG whose five blocks end before `features.{ends}`, each with a max pool."""
    blocks = {f"block{k}": f"features.{a}:{b}" for k, (a, b) in enumerate(pairwise((0, *ends)), 1)}
    # The pool to 7 x 7 begins "fc": below 224 px it makes maps larger, up to 49 times, and so would the cache be
    return {**blocks, "fc": "avgpool +flatten classifier.0:6", "head": "classifier.6"}


_INCEPTION: Stages = {
    "stem": "+input Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 maxpool1 Conv2d_3b_1x1 Conv2d_4a_3x3 maxpool2",
    "mixed5": "Mixed_5b Mixed_5c Mixed_5d",
    "mixed6": "Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e",
    "mixed7": "Mixed_7a Mixed_7b Mixed_7c avgpool +flatten",
    "head": "dropout fc",
}

# MobileNets and EfficientNets: a new stage at every halving of the map, as in ResNet's figure
_MOBILENET_V2: Stages = {
    "stem": "features.0:2",
    "stage1": "features.2:4",
    "stage2": "features.4:7",
    "stage3": "features.7:14",
    "stage4": "features.14:19 +pool +flatten",
    "head": "classifier.0:2",
}
_MOBILENET_V3_LARGE: Stages = {
    "stem": "features.0:2",
    "stage1": "features.2:4",
    "stage2": "features.4:7",
    "stage3": "features.7:13",
    "stage4": "features.13:17 avgpool +flatten",
    "neck": "classifier.0:3",
    "head": "classifier.3",
}
_MOBILENET_V3_SMALL: Stages = {
    "stem": "features.0",
    "stage1": "features.1",
    "stage2": "features.2:4",
    "stage3": "features.4:9",
    "stage4": "features.9:13 avgpool +flatten",
    "neck": "classifier.0:3",
    "head": "classifier.3",
}
_EFFICIENTNET: Stages = {
    "stem": "features.0:2",
    "stage1": "features.2",
    "stage2": "features.3",
    "stage3": "features.4:6",
    "stage4": "features.6:9 avgpool +flatten",
    "head": "classifier.0:2",
}

_CONVNEXT: Stages = {
    "stem": "features.0",
    "stage1": "features.1",
    "stage2": "features.2:4",
    "stage3": "features.4:6",
    "stage4": "features.6:8 avgpool classifier.0:2",
    "head": "classifier.2",
}
_DENSENET: Stages = {
    "stem": "features.0:4",
    "dense1": "features.denseblock1 features.transition1",
    "dense2": "features.denseblock2 features.transition2",
    "dense3": "features.denseblock3 features.transition3",
    "dense4": "features.denseblock4 features.norm5 +relu +pool +flatten",
    "head": "classifier",
}
_SQUEEZENET: Stages = {
    "stem": "features.0:3",
    "fire2-3": "features.3:6",
    "fire4-5": "features.6:9",
    "fire6-7": "features.9:11",
    "fire8-9": "features.11:",  # and the pool that `squeezenet` puts there
    "head": "classifier.0: +flatten",
}
_SHUFFLENET: Stages = {
    "stem": "conv1 maxpool",
    "stage2": "stage2",
    "stage3": "stage3",
    "stage4": "stage4",
    "conv5": "conv5 +mean",
    "head": "fc",
}
_VIT: Stages = {
    "patches": "+patches",
    "layers1-3": "encoder.layers.0:3",
    "layers4-6": "encoder.layers.3:6",
    "layers7-9": "encoder.layers.6:9",
    # torchvision norms all tokens, then takes the first; the other way round answers the same, and a cache of class
    # tokens does not hold on to the other 196
    "layers10-12": "encoder.layers.9:12 +token encoder.ln",
    "head": "heads.head",
}
_SWIN: Stages = {
    "stem": "features.0",
    "stage1": "features.1",
    "stage2": "features.2:4",
    "stage3": "features.4:6",
    "stage4": "features.6:8 norm permute avgpool flatten",
    "head": "head",
}


def cut(stages: Stages, model: nn.Module) -> OrderedDict[str, nn.Module]:
    """The stages of a torchvision model: its own modules and parameters, in the order of the table."""
    found: OrderedDict[str, nn.Module] = OrderedDict()
    for stage, names in stages.items():
        parts = OrderedDict(part for name in names.split() for part in _parts(model, name))
        first = next(iter(parts))
        if getattr(parts[first], "inplace", False):  # EfficientNet's dropout would write on what the head is fed
            parts[first] = copy(parts[first])
            parts[first].inplace = False  # type: ignore[assignment]  # torch's stubs: a module holds modules
        found[stage] = nn.Sequential(parts) if len(parts) > 1 else parts[first]
    return found


def _parts(model: nn.Module, name: str) -> list[tuple[str, nn.Module]]:
    """The modules that a name in a table stands for, each with its own last name."""
    if name in _OURS:
        return [(name[1:], _OURS[name](model))]
    home, _, last = name.rpartition(".")
    children = list(model.get_submodule(home).named_children())
    if ":" in last:
        first, _, end = last.partition(":")
        return children[int(first) : int(end) if end else None]
    return [(last, dict(children)[last])]


cut_resnet: Cut = partial(cut, _RESNET)


def resnet10(classes: int) -> ResNet:
    """torchvision's ResNet with one BasicBlock a stage; the last BatchNorm of each block starts at zero.

    Zero-initialised residuals, here and in the ResNets below: without them the first gradients of a deep ResNet in bf16
    are noise, and the racer from scratch would be handicapped by the engine (Goyal et al. 2017, section 5.1).
    """
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=classes, zero_init_residual=True)


def squeezenet(classes: int) -> SqueezeNet:
    """torchvision's SqueezeNet 1.1 with an ordinary linear head: pool, flatten, dropout, linear.

    The original's head is a convolution, a ReLU, then a pool. Over a new head of a few classes that ReLU would die: a
    class whose logits are below zero everywhere gets no gradient again. The head's initialisation is the original's.
    """
    model = models.squeezenet1_1()
    model.features.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(1)])
    linear = nn.Linear(512, classes)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
    model.classifier = nn.Sequential(nn.Dropout(0.5), linear)
    return model


def _torchvision(name: str, **settings: bool) -> Callable[[int], nn.Module]:
    """torchvision's own constructor, with its own initialisation."""

    def build(classes: int) -> nn.Module:
        model = models.get_model(name, weights=None, num_classes=classes, **settings)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                # MobileNetV3 has 0.01, for hundreds of thousands of steps; in a race of hundreds its statistics would lag
                # behind its filters, and the racer from scratch would be handicapped by the engine
                module.momentum = max(0.1, module.momentum or 0.1)
        return model

    return build


# Inception's second head: it helps to train on millions of pictures and never answers, so no racer has it
_BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_AUXILIARY = (
    *(f"AuxLogits.{conv}.{tensor}" for conv in ("conv0", "conv1") for tensor in ("conv.weight", *(f"bn.{t}" for t in _BN))),
    "AuxLogits.fc.weight",
    "AuxLogits.fc.bias",
)


def _row(
    name: str,
    title: str,
    stages: Stages,
    head: str,
    build: Callable[[int], nn.Module] | None = None,
    px: int = 224,
    smallest: int = SMALLEST,
    auxiliary: tuple[str, ...] = (),
    rates: tuple[float, float] = (4e-3, 1e-3),
) -> Architecture:
    """An architecture whose head is the layer `head`; torchvision builds it where nothing else is said."""
    tensors = (f"{head}.weight", f"{head}.bias", *auxiliary)
    build = build or _torchvision(name)
    return Architecture(name, title, px, smallest, smallest == px, tensors, build, partial(cut, stages), *rates)


# Without BatchNorm a network from scratch stands no high rate: SqueezeNet, 20 hand signs a class, 128 px, 50 epochs: 9.8 %
# held-out at 4e-3, 25.5 % at 1e-3, 67.0 % at 5e-4, 58.5 % at 2.5e-4 (one seed, 2026-11-21). The VGGs without it and the
# transformers follow; those were not tried here, and are usually tuned at a tenth of a CNN's rate (Touvron et al. 2021)
_NO_NORM, _TRANSFORMER = (5e-4, 1e-3), (5e-4, 1e-4)
_ZERO_INIT = {"zero_init_residual": True}  # see `resnet10`
# Inception's weights expect their own normalisation, so the racer from scratch gets it too; torch's truncated normal is
# quick: 0.3 s for the network (one Xeon core, n = 2, 2026-11-21)
_INCEPTION_BUILD = {"aux_logits": False, "transform_input": True, "init_weights": True}

ARCHITECTURES: Mapping[str, Architecture] = {
    row.name: row
    for row in (
        _row("resnet10", "ResNet-10", _RESNET, "fc", resnet10, px=64),
        _row("resnet18", "ResNet-18", _RESNET, "fc", _torchvision("resnet18", **_ZERO_INIT)),
        _row("resnet34", "ResNet-34", _RESNET, "fc", _torchvision("resnet34", **_ZERO_INIT)),
        _row("resnet50", "ResNet-50", _RESNET, "fc", _torchvision("resnet50", **_ZERO_INIT)),
        _row("vgg11_bn", "VGG-11-BN", _vgg(4, 8, 15, 22, 29), "classifier.6"),
        _row("vgg16_bn", "VGG-16-BN", _vgg(7, 14, 24, 34, 44), "classifier.6"),
        _row("vgg11", "VGG-11", _vgg(3, 6, 11, 16, 21), "classifier.6", rates=_NO_NORM),
        _row("vgg16", "VGG-16", _vgg(5, 10, 17, 24, 31), "classifier.6", rates=_NO_NORM),
        _row(
            "inception_v3",
            "Inception v3",
            _INCEPTION,
            "fc",
            _torchvision("inception_v3", **_INCEPTION_BUILD),
            px=299,
            smallest=75,  # below it, the last maps have no pixels left
            auxiliary=_AUXILIARY,
        ),
        _row("mobilenet_v2", "MobileNetV2", _MOBILENET_V2, "classifier.1"),
        _row("mobilenet_v3_large", "MobileNetV3-Large", _MOBILENET_V3_LARGE, "classifier.3"),
        _row("mobilenet_v3_small", "MobileNetV3-Small", _MOBILENET_V3_SMALL, "classifier.3"),
        _row("efficientnet_b0", "EfficientNet-B0", _EFFICIENTNET, "classifier.1"),
        _row("efficientnet_b2", "EfficientNet-B2", _EFFICIENTNET, "classifier.1", px=288),
        _row("convnext_tiny", "ConvNeXt-Tiny", _CONVNEXT, "classifier.2", rates=_TRANSFORMER),
        _row("densenet121", "DenseNet-121", _DENSENET, "classifier"),
        _row("squeezenet1_1", "SqueezeNet 1.1", _SQUEEZENET, "classifier.1", squeezenet, rates=_NO_NORM),
        _row("shufflenet_v2_x1_0", "ShuffleNetV2 x1.0", _SHUFFLENET, "fc"),
        _row("vit_b_16", "ViT-B/16", _VIT, "heads.head", smallest=224, rates=_TRANSFORMER),
        _row("swin_t", "Swin-T", _SWIN, "head", rates=_TRANSFORMER),
    )
}
