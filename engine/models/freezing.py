"""Which stages of a network are trained: division at the frozen boundary, gradients, BatchNorm and the new head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.data import augmentation
from engine.data.preprocessing import Preprocessing
from engine.data.sampling import RaceData
from engine.device import Machine

CHUNK = 50  # pictures of 64 px in a forward pass without gradients; small enough to stop without delay


def chunk(image_size: int) -> int:
    """Pictures of this side in a forward pass without gradients."""
    return max(4, min(CHUNK, CHUNK * 64 * 64 // (image_size * image_size)))


def split(model: nn.Sequential, trainable_stages: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The frozen part and the learning part of a network, which share its modules; 0 = all stages learn."""
    count = len(model) if trainable_stages == 0 else trainable_stages
    boundary = len(model) - count
    return model[:boundary], model[boundary:]  # type: ignore[return-value]  # torch's stubs: a slice is a Sequential


def freeze(frozen: nn.Sequential) -> None:
    """Turn gradients off and set BatchNorm to eval mode, because `requires_grad=False` does not stop its statistics."""
    frozen.requires_grad_(False).eval()


def unfreeze(learning: nn.Sequential, pretrained: bool) -> None:
    """Turn gradients on. BatchNorm of a pretrained network keeps its statistics: those of a few pictures would be worse.

    A head alone is a linear probe: no dropout.
    """
    learning.requires_grad_(True).train(len(learning) > 1)
    if pretrained:
        for module in learning.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def zero_init_head(head: nn.Module) -> None:
    """Set a new head to zero, as in BiT (Kolesnikov et al. 2020), so that its weights are only what it learns."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def calibrate_batchnorm(frozen: nn.Sequential, data: RaceData, preprocessing: Preprocessing, machine: Machine) -> None:
    """Estimate BatchNorm statistics of an untrained backbone from training images (no labels), for a fair baseline.

    Without this, BatchNorm would scale by its initial statistics, and residual branches whose last gain starts at zero
    would contribute nothing to the random features.
    """
    frozen.eval()
    norms = [m for m in frozen.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None  # a plain mean over the batches
        norm.train()
        if norm.affine:
            nn.init.ones_(norm.weight)
    for module in frozen.modules():
        if isinstance(scale := getattr(module, "layer_scale", None), nn.Parameter):  # ConvNeXt's, 1e-6
            nn.init.ones_(scale)
    image_size = preprocessing.image_size
    for rows in spread_rows(data).split(max(16, chunk(image_size))) if norms else ():
        pixels = augmentation.resize(data.training[rows.to(data.training.device)], image_size)
        with torch.no_grad(), machine.autocast():
            frozen(normalise(pixels, preprocessing))


def spread_rows(data: RaceData) -> Tensor:
    """The rows of 64 training pictures at most, spread over the classes."""
    return torch.linspace(0, len(data.training) - 1, min(64, len(data.training))).long()


def normalise(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """0..1 pixels (N, 3, px, px) -> the input of a network, with patches shuffled if the race has that."""
    if preprocessing.patch_order is not None:
        pixels = augmentation.shuffle_patches(pixels, preprocessing.patch_order)
    mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return ((pixels - mean) / std).contiguous(memory_format=preprocessing.memory_format)
