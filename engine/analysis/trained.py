"""The networks of a finished race: their predictions, activation maps and features."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data import augmentation
from engine.data.image import center_crop, check_pixels
from engine.data.preprocessing import Preprocessing
from engine.data.sampling import RaceData
from engine.errors import DataError
from engine.events import Progressed
from engine.models import freezing
from engine.plan import RACERS, Plan

MIN_MAP_SIZE = 7  # least side of a map that is used alone: 224 px / 32, the last maps of an ImageNet network


@dataclass(frozen=True)
class Answer:
    """One racer's prediction for a picture, and an activation map for one class."""

    probabilities: tuple[float, ...]  # one per class, sum 1; all 0 where the weights diverged
    class_index: int  # the class of the map
    map: np.ndarray  # (px, px) float32, 0..1: the evidence for that class by position; all 0 where there is none
    seen: np.ndarray  # (px, px, 3) uint8, the picture after preprocessing; patches are not shuffled here, nor in the map


@dataclass(frozen=True)
class Embedding:
    """The input of a network's head for every picture: one row of features each."""

    heldout: np.ndarray  # (N, F) float32
    training: np.ndarray  # (M, F) float32

    @cached_property
    def directions(self) -> np.ndarray:
        """The training features scaled to length 1: (M, F)."""
        return _directions(self.training)


class Trained:
    """The networks of a finished race, for use from any number of threads."""

    def __init__(
        self, plan: Plan, data: RaceData, preprocessing: Preprocessing, networks: Mapping[str, nn.Sequential]
    ) -> None:
        """`networks`: racer -> its stages, head last. They are moved to the CPU and frozen, and their gradients, which take
        as much memory as the trained weights, are released. No picture is kept.
        """
        self.plan, self.classes, self.preprocessing = plan, data.classes, preprocessing
        self.networks: dict[str, nn.Sequential] = {}
        for racer in RACERS:  # in this order, not in that of their ends
            if racer in networks:
                networks[racer].zero_grad(set_to_none=True)
                self.networks[racer] = networks[racer].cpu().eval().requires_grad_(False)
        self.racers = tuple(self.networks)
        self.picture_size = data.heldout.shape[-1]  # side in pixels of the race's pictures, before preprocessing

    @property
    def size(self) -> int:
        """Bytes of memory that the networks hold: parameters, buffers and any gradients."""
        parameters = [p for network in self.networks.values() for p in network.parameters()]
        buffers = [b for network in self.networks.values() for b in network.buffers()]
        gradients = [p.grad for p in parameters if p.grad is not None]
        # By storage: tensors that share one count once, and a tensor that keeps a larger one alive counts in full
        held = {s.data_ptr(): s.nbytes() for s in (t.untyped_storage() for t in (*parameters, *buffers, *gradients))}
        return sum(held.values())

    def preprocess(self, image: np.ndarray) -> Tensor:
        """Prepare a picture like the held-out ones: its middle square, resized, with inverted colours if the plan has them.

        image: (H, W, 3) uint8 of any size. Returns (1, 3, px, px) float32 in 0..1; patches are shuffled afterwards, in
        `freezing.normalise`. Raises DataError for anything else.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError("refusal.picture.array", shape=image.shape, dtype=image.dtype)
        check_pixels(image.shape[1], image.shape[0])
        pixels = torch.from_numpy(center_crop(image, self.picture_size).transpose(2, 0, 1)[None].copy())
        return augmentation.resize(255 - pixels if self.plan.invert_colors else pixels, self.preprocessing.image_size)

    def answer(self, image: np.ndarray, class_index: int | None = None) -> dict[str, Answer]:
        """Every racer's prediction for a picture, with an activation map for `class_index`, by default the predicted class.

        image: (H, W, 3) uint8 of any size. Raises DataError for anything else.
        """
        torch.set_num_threads(1)  # of the calling thread: a race may be running at the same time
        pixels = self.preprocess(image)
        inputs = freezing.normalise(pixels, self.preprocessing)
        seen = (pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        answers = {}
        for racer, network in self.networks.items():
            logits, heatmap = activation_map(network, inputs, class_index)
            if (order := self.preprocessing.patch_order) is not None:
                heatmap = augmentation.shuffle_patches(heatmap[None, None], order.argsort())[0, 0]
            probabilities = logits.softmax(0) if logits.isfinite().all() else torch.zeros_like(logits)
            map_class = int(logits.argmax()) if class_index is None else class_index
            answers[racer] = Answer(tuple(probabilities.tolist()), map_class, heatmap.numpy(), seen)
        return answers

    def embed(self, data: RaceData) -> Generator[Progressed, None, dict[str, Embedding]]:
        """The features that each racer's head gets for all these pictures, not cropped or mirrored; yields the progress."""
        size, began, done = freezing.chunk(self.preprocessing.image_size), time.perf_counter(), 0
        total = len(self.networks) * (len(data.heldout) + len(data.training))
        embeddings = {}
        for racer, network in self.networks.items():
            parts = []
            for images in (data.heldout, data.training):
                features = []
                for rows in images.split(size):
                    features.append(_features(network, rows.cpu(), self.preprocessing))
                    done += len(rows)
                    rate = done / max(time.perf_counter() - began, 1e-9)
                    yield Progressed(
                        work="features",
                        name=racer,
                        done=done,
                        total=total,
                        unit="pictures",
                        rate=rate,
                        left=(total - done) / rate,
                    )
                parts.append(torch.cat(features).numpy())
            embeddings[racer] = Embedding(*parts)
        return embeddings


def _features(network: nn.Sequential, images: Tensor, preprocessing: Preprocessing) -> Tensor:
    torch.set_num_threads(1)  # here, because a generator may be resumed on any thread, and a race may be running
    with torch.no_grad():
        features: Tensor = network[:-1](
            freezing.normalise(augmentation.resize(images, preprocessing.image_size), preprocessing)
        )
    return features.flatten(1)


def activation_map(network: nn.Sequential, inputs: Tensor, class_index: int | None = None) -> tuple[Tensor, Tensor]:
    """The logits (classes,) for one picture, and an activation map for `class_index`, by default the predicted class.

    LayerCAM (Jiang et al. 2021): activations times their positive gradients, summed over the channels. At the last maps of
    a network that only averages them before a linear head, this is CAM (Zhou et al. 2016) with the positive weights. Small
    last maps are averaged with those of the stages below, down to the first one of at least MIN_MAP_SIZE a side.

    inputs: (1, 3, px, px), normalised; the network is in eval mode. Returns the map as (px, px) in 0..1, scaled to a maximum
    of 1; all 0 where there is no evidence for the class. Registers no hook, so that threads may share a network.
    """
    with torch.enable_grad():
        logits, stages = _run(network, inputs.detach().requires_grad_())  # the weights are frozen, so the picture must
        outputs = [output for stage in stages for output in stage]
        gradients = torch.autograd.grad(logits[logits.argmax() if class_index is None else class_index], outputs)
    pairs = iter(zip(outputs, gradients, strict=True))
    maps = []
    for stage in reversed([[next(pairs) for _ in stage] for stage in stages]):
        layers = [(_as_map(output.detach()), _as_map(gradient)) for output, gradient in stage]
        # The last output that the class depends on: of a vision transformer's last block only the class token is used
        activations, gradient = next(((a, g) for a, g in reversed(layers) if g.any()), (None, None))
        if activations is None or gradient is None:
            continue
        heatmap = (activations * gradient.relu()).sum(1, keepdim=True).relu()
        maps.append(F.interpolate(_scale_to_one(heatmap), inputs.shape[-2:], mode="bilinear"))
        if heatmap.shape[-1] >= MIN_MAP_SIZE:
            break
    mean = _scale_to_one(torch.stack(maps).mean(0)) if maps else torch.zeros(1, 1, *inputs.shape[-2:])
    return logits.detach(), mean[0, 0]


def _run(network: nn.Sequential, x: Tensor) -> tuple[Tensor, list[list[Tensor]]]:
    """The logits (classes,) for one picture, and for each stage the outputs of its parts that have spatial positions."""
    stages, smallest = [], x.shape[-1]
    for stage in network.children():
        outputs = []
        for part in stage.children() if type(stage).forward is nn.Sequential.forward else (stage,):
            x = part(x)
            map_size = _as_map(x).shape[-1]
            # A pool that enlarges maps (VGG's, below 224 px) only repeats their values
            if 1 < map_size <= smallest:
                smallest = map_size
                outputs.append(x)
        stages.append(outputs)
    return x[0], stages


def _as_map(output: Tensor) -> Tensor:
    """The output for one picture as (1, C, H, W); features without positions as (1, C, 1, 1)."""
    if output.ndim == 4:
        is_last = output.shape[1] == output.shape[2] != output.shape[3]  # Swin has its channels last
        return output.permute(0, 3, 1, 2) if is_last else output
    if output.ndim == 3:  # a transformer's tokens: the class token, then the patches
        size = math.isqrt(output.shape[1] - 1)
        return output[:, 1:].transpose(1, 2).unflatten(2, (size, size))
    return output.flatten(1)[..., None, None]


def _scale_to_one(heatmap: Tensor) -> Tensor:
    """Scale a map to a maximum of 1; a map of zeros is unchanged, and values that are not finite become 0."""
    heatmap = heatmap.nan_to_num(0.0, 0.0, 0.0)
    return heatmap / heatmap.max().clamp(min=torch.finfo(heatmap.dtype).tiny)


def project(features: np.ndarray) -> np.ndarray:
    """Project features (N, F) onto their first two principal components (PCA): (N, 2) float32."""
    centred = features - features.mean(0)
    left, singular_values, right = np.linalg.svd(centred, full_matrices=False)
    axes = min(2, len(singular_values))
    signs = np.sign(right[np.arange(axes), abs(right[:axes]).argmax(1)])  # an SVD leaves the signs open
    plane = np.zeros((len(features), 2), np.float32)
    plane[:, :axes] = left[:, :axes] * singular_values[:axes] * signs
    return plane


def nearest(embedding: Embedding, row: int, count: int = 5) -> list[tuple[int, float]]:
    """The training pictures with the features most similar to those of the held-out picture `row`, the nearest first.

    Each as (row, cosine similarity in -1..1).
    """
    similarity = embedding.directions @ _directions(embedding.heldout[row])
    return [(int(k), float(similarity[k])) for k in np.argsort(-similarity, kind="stable")[:count]]


def _directions(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)
