"""Architectures of torchvision and timm, each split into named stages, head last.

A table for each family of architectures says which of a model's modules make up which stage. Splitting copies nothing:
the stages are the model's own modules and parameters, and run one after the other they compute what the model computes.

The tables follow three rules:

- A stage never changes its input in place, because the input may be a cache: an activation ends a stage and begins none.
- Deterministic layers without parameters (pools, flattening) end a stage, so that caches are small; a head alone gets
  (N, features). A final norm belongs to the body too.
- Dropout right before the last linear layer belongs to the head; to "fc" or "neck" where there are hidden layers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

Stages = Mapping[str, str]  # stage -> the model's names of its modules, in order; "a.1:3" are a's children 1 and 2

SMALLEST = 32  # px, as in CIFAR: most networks would take smaller pictures, but no task here has any


@dataclass(frozen=True)
class Architecture:
    """An architecture: its input sizes, its constructor and its stages."""

    name: str  # that of the library: "resnet18"
    title: str  # for people: "ResNet-18"
    image_size: int  # side in pixels for which its ImageNet-1k weights (IMAGENET1K_V1) were trained
    smallest: int  # least side in pixels
    is_fixed: bool  # no other side than `image_size` is possible
    head: tuple[str, ...]  # the head's names in the state dict, with those of Inception's auxiliary head
    build: partial[nn.Module]  # number of classes -> the library's model, randomly initialised, with so many outputs
    stages: Stages
    scratch_lr: float = 4e-3  # AdamW's peak learning rate from scratch, for batches of 32
    fine_tuning_lr: float = 1e-3  # of its last pretrained stage

    @property
    def is_from_timm(self) -> bool:
        """Whether the constructor needs timm."""
        return self.build.func is efficientnet_lite0

    @property
    def head_layer(self) -> str:
        """The model's name of its last linear layer."""
        return self.head[0].removesuffix(".weight")

    def split(self, model: nn.Module) -> OrderedDict[str, nn.Module]:
        """The stages of a model of this architecture, by name, sharing its modules and parameters."""
        return split_into_stages(self.stages, model)


class Mean(nn.Module):
    """Global average pooling: (N, C, H, W) -> (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """As in torchvision's ShuffleNetV2."""
        return x.mean([2, 3])


class InceptionInput(nn.Module):
    """Converts ImageNet's normalisation to -1..1, for which Inception's weights were trained."""

    def forward(self, x: Tensor) -> Tensor:
        """Torchvision's `transform_input=True`: (N, 3, H, W) -> the same shape."""
        red = x[:, 0:1] * (0.229 / 0.5) + (0.485 - 0.5) / 0.5
        green = x[:, 1:2] * (0.224 / 0.5) + (0.456 - 0.5) / 0.5
        blue = x[:, 2:3] * (0.225 / 0.5) + (0.406 - 0.5) / 0.5
        return torch.cat((red, green, blue), 1)


class Patches(nn.Module):
    """The input layers of a vision transformer: patches as tokens after a class token, with position embeddings."""

    def __init__(self, model: models.VisionTransformer):
        super().__init__()
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


# Modules for the functions that torchvision's forward methods call; "+" marks these names in the tables
OURS: Mapping[str, partial[Any]] = {
    "+flatten": partial(nn.Flatten, 1),
    "+mean": partial(Mean),
    "+pool": partial(nn.AdaptiveAvgPool2d, 1),
    "+relu": partial(nn.ReLU, inplace=True),
    "+input": partial(InceptionInput),
    "+patches": partial(Patches),  # takes the model
    "+token": partial(ClassToken),
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
    """The stages of a VGG. `ends`: where in `features` each of its five blocks ends, after a max pool."""
    blocks = {f"block{k}": f"features.{a}:{b}" for k, (a, b) in enumerate(pairwise((0, *ends)), 1)}
    # The pool to 7 x 7 begins "fc": below 224 px it enlarges the maps, up to 49 times, which would enlarge the cache
    return {**blocks, "fc": "avgpool +flatten classifier.0:6", "head": "classifier.6"}


_INCEPTION: Stages = {
    "stem": "+input Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 maxpool1 Conv2d_3b_1x1 Conv2d_4a_3x3 maxpool2",
    "mixed5": "Mixed_5b Mixed_5c Mixed_5d",
    "mixed6": "Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e",
    "mixed7": "Mixed_7a Mixed_7b Mixed_7c avgpool +flatten",
    "head": "dropout fc",
}

# MobileNets and EfficientNets: a new stage where the map is halved, as in ResNet
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
_EFFICIENTNET_LITE: Stages = {  # timm's
    "stem": "conv_stem bn1 blocks.0",
    "stage1": "blocks.1",
    "stage2": "blocks.2",
    "stage3": "blocks.3:5",
    "stage4": "blocks.5:7 conv_head bn2 global_pool",
    "head": "classifier",
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
    "fire8-9": "features.11:",  # with the pool that `squeezenet` appends
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
    # torchvision normalises all tokens, then takes the first; this order has the same result, and a cache holds only the
    # class tokens
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


def split_into_stages(stages: Stages, model: nn.Module) -> OrderedDict[str, nn.Module]:
    """The stages of a model in the order of the table, sharing its modules and parameters."""
    split: OrderedDict[str, nn.Module] = OrderedDict()
    for stage, names in stages.items():
        parts = OrderedDict(part for name in names.split() for part in _parts(model, name))
        first = next(iter(parts))
        if getattr(parts[first], "inplace", False):  # EfficientNet's dropout would change the head's input in place
            parts[first] = copy(parts[first])
            parts[first].inplace = False  # type: ignore[assignment]  # torch's stubs: a module holds modules
        split[stage] = nn.Sequential(parts) if len(parts) > 1 else parts[first]
    return split


def _parts(model: nn.Module, name: str) -> list[tuple[str, nn.Module]]:
    """The modules of a name in a table, each with the last part of its name."""
    if name in OURS:
        make = OURS[name]
        return [(name[1:], make(model) if make.func is Patches else make())]
    home, _, last = name.rpartition(".")
    children = list(model.get_submodule(home).named_children())
    if ":" in last:
        first, _, end = last.partition(":")
        return children[int(first) : int(end) if end else None]
    return [(last, dict(children)[last])]


# The source of the next four functions is copied into exported programs, so they use torchvision and timm only


def resnet10(classes: int, zero_init_residual: bool = False) -> models.ResNet:
    """torchvision's ResNet with one BasicBlock a stage: 10 layers with weights."""
    blocks = models.resnet.BasicBlock, [1, 1, 1, 1]
    return models.ResNet(*blocks, num_classes=classes, zero_init_residual=zero_init_residual)


def squeezenet(classes: int) -> models.SqueezeNet:
    """torchvision's SqueezeNet 1.1 with a linear head: pool, flatten, dropout, linear.

    The original head is a convolution, a ReLU, then a pool. With a new head of a few classes that ReLU can die: a class
    whose logits are all below zero gets no gradient any more. The initialisation is that of the original head.
    """
    model = models.squeezenet1_1()
    model.features.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(1)])
    linear = nn.Linear(512, classes)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
    model.classifier = nn.Sequential(nn.Dropout(0.5), linear)
    return model


def efficientnet_lite0(classes: int) -> nn.Module:
    """timm's EfficientNet-Lite0 with the BatchNorm of the published weights: 1e-3 is added to the variance, not 1e-5.

    Residual branches begin at zero (Goyal et al. 2017).
    """
    import timm  # takes a second, so only where it is used

    model = timm.create_model("efficientnet_lite0", num_classes=classes, bn_eps=1e-3)
    for name, block in model.named_modules():
        if getattr(block, "has_skip", False):
            nn.init.zeros_(model.get_parameter(f"{name}.bn3.weight"))
    return model


def from_torchvision(name: str, classes: int, **settings: bool) -> nn.Module:
    """torchvision's own constructor, with its own initialisation."""
    model = models.get_model(name, weights=None, num_classes=classes, **settings)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # MobileNetV3 has 0.01, for hundreds of thousands of steps; in a race of hundreds of steps its statistics would
            # lag behind its filters, to the disadvantage of the racer from scratch
            module.momentum = max(0.1, module.momentum or 0.1)
    return model


# Inception's auxiliary head: it is used only during training on millions of pictures, so no racer has it
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
    build: Callable[..., nn.Module] = from_torchvision,
    image_size: int = 224,
    smallest: int = SMALLEST,
    auxiliary: tuple[str, ...] = (),
    rates: tuple[float, float] = (4e-3, 1e-3),
    **settings: bool,
) -> Architecture:
    """An architecture whose head is the layer `head`; `settings` are arguments of torchvision's constructor."""
    tensors = (f"{head}.weight", f"{head}.bias", *auxiliary)
    made = partial(build, name, **settings) if build is from_torchvision else partial(build)
    return Architecture(name, title, image_size, smallest, smallest == image_size, tensors, made, stages, *rates)


# Without BatchNorm, training from scratch needs a low rate: SqueezeNet, 20 hand signs a class, 128 px, 50 epochs: 9.8 %
# held-out at 4e-3, 25.5 % at 1e-3, 67.0 % at 5e-4, 58.5 % at 2.5e-4 (one seed, 2026-11-21). The VGGs without BatchNorm and
# the transformers have the same rate, not measured; transformers are usually fine-tuned at a tenth of a CNN's rate
# (Touvron et al. 2021)
_NO_NORM, _TRANSFORMER = (5e-4, 1e-3), (5e-4, 1e-4)
# Zero-initialised residuals (Goyal et al. 2017, section 5.1) are chosen for each ResNet separately. ResNet-50 needs them:
# without them the first gradients of such a deep network are noise in bf16. ResNet-10 learns more slowly with them: 20
# Tabletop pictures a class, 64 px, 50 epochs, held-out 41.7 % with them (seed 0), 50.3, 48.0 and 56.7 % without (three
# seeds; NVIDIA H200, 2026-11-28). ResNet-18 and ResNet-34 have them; neither was measured without.
# They make no difference to the pretrained racer, whose weights include these BatchNorms.
# EfficientNet-Lite0 learns best with them and at a high rate: 20 Tabletop pictures a class, 97 px, 30 epochs, accuracy on
# undrawn training pictures over three seeds, by rate: 34.7 % at 4e-3, 39.3 at 8e-3, 43.5 at 1.6e-2, 48.2 at 3.2e-2; at
# 6.4e-2 35.5 % (one seed); without them 33.3, 36.7 and 37.5 % at the first three (two cores of an AMD EPYC, 2026-12-01).
# Inception's weights expect their own normalisation, so the racer from scratch gets it too. Its initialisation with
# torch's truncated normal takes 0.3 s (one Xeon core, n = 2, 2026-11-21)

ARCHITECTURES: Mapping[str, Architecture] = {
    row.name: row
    for row in (
        _row("resnet10", "ResNet-10", _RESNET, "fc", resnet10, image_size=64),
        _row(
            "efficientnet_lite0",
            "EfficientNet-Lite0",
            _EFFICIENTNET_LITE,
            "classifier",
            efficientnet_lite0,
            rates=(3.2e-2, 1e-3),
        ),
        _row("resnet18", "ResNet-18", _RESNET, "fc", zero_init_residual=True),
        _row("resnet34", "ResNet-34", _RESNET, "fc", zero_init_residual=True),
        _row("resnet50", "ResNet-50", _RESNET, "fc", zero_init_residual=True),
        _row("vgg11_bn", "VGG-11-BN", _vgg(4, 8, 15, 22, 29), "classifier.6"),
        _row("vgg16_bn", "VGG-16-BN", _vgg(7, 14, 24, 34, 44), "classifier.6"),
        _row("vgg11", "VGG-11", _vgg(3, 6, 11, 16, 21), "classifier.6", rates=_NO_NORM),
        _row("vgg16", "VGG-16", _vgg(5, 10, 17, 24, 31), "classifier.6", rates=_NO_NORM),
        _row(
            "inception_v3",
            "Inception v3",
            _INCEPTION,
            "fc",
            image_size=299,
            smallest=75,  # below it, the last maps have no pixels left
            auxiliary=_AUXILIARY,
            aux_logits=False,
            transform_input=True,
            init_weights=True,
        ),
        _row("mobilenet_v2", "MobileNetV2", _MOBILENET_V2, "classifier.1"),
        _row("mobilenet_v3_large", "MobileNetV3-Large", _MOBILENET_V3_LARGE, "classifier.3"),
        _row("mobilenet_v3_small", "MobileNetV3-Small", _MOBILENET_V3_SMALL, "classifier.3"),
        _row("efficientnet_b0", "EfficientNet-B0", _EFFICIENTNET, "classifier.1"),
        _row("efficientnet_b2", "EfficientNet-B2", _EFFICIENTNET, "classifier.1", image_size=288),
        _row("convnext_tiny", "ConvNeXt-Tiny", _CONVNEXT, "classifier.2", rates=_TRANSFORMER),
        _row("densenet121", "DenseNet-121", _DENSENET, "classifier"),
        _row("squeezenet1_1", "SqueezeNet 1.1", _SQUEEZENET, "classifier.1", squeezenet, rates=_NO_NORM),
        _row("shufflenet_v2_x1_0", "ShuffleNetV2 x1.0", _SHUFFLENET, "fc"),
        _row("vit_b_16", "ViT-B/16", _VIT, "heads.head", smallest=224, rates=_TRANSFORMER),
        _row("swin_t", "Swin-T", _SWIN, "head", rates=_TRANSFORMER),
    )
}
