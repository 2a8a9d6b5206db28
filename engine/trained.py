"""The networks of a finished race: what they answer, what they look at, what their features are.

Knows no training and no page.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine import augment, freezing
from engine.errors import DataError, PlanError, UnavailableError
from engine.events import Progressed
from engine.pictures import check_pixels, square
from engine.plan import LANES, Plan
from engine.tasks import Drawn

CELLS = 7  # a side that a map must have to stand alone: 224 px over 32, the last maps of an ImageNet network


@dataclass(frozen=True)
class Answer:
    """What one racer's network says of a picture, and where it looked for the class it names."""

    probabilities: tuple[float, ...]  # one a class, together 1; all 0 where the weights diverged
    kind: int  # number of the class that the map is for
    map: np.ndarray  # (px, px) float32, 0..1: where the picture speaks for that class; all 0 where nothing does
    seen: np.ndarray  # (px, px, 3) uint8, the picture as it was prepared; patches are in their own places, in the map too


@dataclass(frozen=True)
class Embedding:
    """What a network's head is fed for every picture: one row of features each."""

    heldout: np.ndarray  # (N, F) float32
    training: np.ndarray  # (M, F) float32

    @cached_property
    def directions(self) -> np.ndarray:
        """The training features scaled to length 1: (M, F)."""
        return _directions(self.training)


class Trained:
    """The networks of a finished race, ready to be asked from any number of threads."""

    def __init__(self, plan: Plan, pictures: Drawn, networks: Mapping[str, nn.Sequential]) -> None:
        """`networks`: lane -> its stages, head last; they are moved to the CPU and learn no more. Keeps no picture."""
        self.plan, self.classes, self.px = plan, pictures.classes, pictures.px
        self.mean, self.std, self.places = pictures.mean, pictures.std, pictures.places
        self.networks: dict[str, nn.Sequential] = {}
        for lane in LANES:  # not in the order in which they came to their end
            if lane in networks:
                self.networks[lane] = networks[lane].cpu().eval().requires_grad_(False)
        self.lanes = tuple(self.networks)
        self.side = pictures.heldout.shape[-1]
        # Empty tensors of their own: a slice without rows would keep all the pictures in memory
        none, unnamed = pictures.heldout.new_empty((0, *pictures.heldout.shape[1:])), pictures.heldout_labels.new_empty(0)
        bare = replace(pictures, training=none, training_labels=unnamed, heldout=none, heldout_labels=unnamed)
        self._fed = bare.to("cpu")

    @property
    def size(self) -> int:
        """Bytes of all parameters and buffers."""
        tensors = (t for network in self.networks.values() for t in network.state_dict().values())
        return sum(tensor.nbytes for tensor in tensors)

    def see(self, image: np.ndarray) -> Tensor:
        """A picture as the race prepares a held-out one: its middle square, resized, inverted where the plan says so.

        image: (H, W, 3) uint8 of any size. Returns (1, 3, px, px) float32 in 0..1; patches change places afterwards, in
        `freezing.normalise`. Raises DataError for anything else.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError("refusal.picture.array", shape=image.shape, kind=image.dtype)
        check_pixels(image.shape[1], image.shape[0])
        pixels = torch.from_numpy(square(image, self.side).transpose(2, 0, 1)[None].copy())
        return augment.resize(255 - pixels if self.plan.inverted else pixels, self.px)

    def answer(self, image: np.ndarray, kind: int | None = None) -> dict[str, Answer]:
        """What every racer calls this picture, and where it looks for the class it names, or for class number `kind`.

        image: (H, W, 3) uint8 of any size. Raises DataError where it is none.
        """
        torch.set_num_threads(1)  # of the calling thread: a race may be running beside it
        pixels = self.see(image)
        fed = freezing.normalise(pixels, self._fed)
        seen = (pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        answers = {}
        for lane, network in self.networks.items():
            logits, found = activation_map(network, fed, kind)
            if self.places is not None:
                found = augment.shuffle_patches(found[None, None], self.places.argsort())[0, 0]
            shares = logits.softmax(0) if logits.isfinite().all() else torch.zeros_like(logits)
            named = int(logits.argmax()) if kind is None else kind
            answers[lane] = Answer(tuple(shares.tolist()), named, found.numpy(), seen)
        return answers

    def embed(self, pictures: Drawn) -> Generator[Progressed, None, dict[str, Embedding]]:
        """What each lane's head is fed for all these pictures, whole and unmirrored; yields how far that has come."""
        size, began, done = freezing.chunk(pictures.px), time.perf_counter(), 0
        total = len(self.networks) * (len(pictures.heldout) + len(pictures.training))
        found = {}
        for lane, network in self.networks.items():
            parts = []
            for images in (pictures.heldout, pictures.training):
                features = []
                for rows in images.split(size):
                    features.append(_features(network, rows.cpu(), self._fed))
                    done += len(rows)
                    rate = done / max(time.perf_counter() - began, 1e-9)
                    yield Progressed("features", lane, done, total, "pictures", rate, (total - done) / rate)
                parts.append(torch.cat(features).numpy())
            found[lane] = Embedding(*parts)
        return found


def _features(network: nn.Sequential, images: Tensor, fed: Drawn) -> Tensor:
    torch.set_num_threads(1)  # here, because a generator may be resumed on any thread, and a race may be running
    with torch.no_grad():
        features: Tensor = network[:-1](freezing.normalise(augment.resize(images, fed.px), fed))
    return features.flatten(1)


def activation_map(network: nn.Sequential, fed: Tensor, kind: int | None = None) -> tuple[Tensor, Tensor]:
    """The logits (classes,) for one picture, and where it speaks for class `kind` or else for the one that is named.

    LayerCAM (Jiang et al. 2021): activations times their positive gradients, summed over the channels. At the last maps of
    a network that only averages them before a linear head, that is CAM (Zhou et al. 2016) with the weights above zero. Last
    maps of few cells are averaged with those of the stages below, down to the first one with CELLS a side.

    fed: (1, 3, px, px), normalised; the network is in eval mode. Returns the map as (px, px) in 0..1, its largest value 1;
    all 0 where nothing speaks for the class. Registers no hook, so that many threads may ask one network.
    """
    with torch.enable_grad():
        logits, stages = _run(network, fed.detach().requires_grad_())  # the weights take no gradient, so the picture must
        outputs = [output for stage in stages for output in stage]
        slopes = torch.autograd.grad(logits[logits.argmax() if kind is None else kind], outputs)
    pairs = iter(zip(outputs, slopes, strict=True))
    maps = []
    for stage in reversed([[next(pairs) for _ in stage] for stage in stages]):
        places = [(_as_map(output.detach()), _as_map(slope)) for output, slope in stage]
        # The last output that the class depends on: of a vision transformer's last block only the class token is asked
        active, slope = next(((a, s) for a, s in reversed(places) if s.any()), (None, None))
        if active is None or slope is None:
            continue
        found = (active * slope.relu()).sum(1, keepdim=True).relu()
        maps.append(F.interpolate(_to_one(found), fed.shape[-2:], mode="bilinear"))
        if found.shape[-1] >= CELLS:
            break
    together = _to_one(torch.stack(maps).mean(0)) if maps else torch.zeros(1, 1, *fed.shape[-2:])
    return logits.detach(), together[0, 0]


def _run(network: nn.Sequential, x: Tensor) -> tuple[Tensor, list[list[Tensor]]]:
    """The logits (classes,) for one picture, and what each stage's parts put out on the way as far as it has places."""
    stages, side = [], x.shape[-1]
    for stage in network.children():
        kept = []
        for part in stage.children() if type(stage).forward is nn.Sequential.forward else (stage,):
            x = part(x)
            cells = _as_map(x).shape[-1]
            # A pool that enlarges maps (VGG's, below 224 px) only repeats their cells
            if 1 < cells <= side:
                side = cells
                kept.append(x)
        stages.append(kept)
    return x[0], stages


def _as_map(output: Tensor) -> Tensor:
    """The output for one picture as (1, C, H, W); features without places are a map of one cell."""
    if output.ndim == 4:
        is_last = output.shape[1] == output.shape[2] != output.shape[3]  # Swin's channels stand last
        return output.permute(0, 3, 1, 2) if is_last else output
    if output.ndim == 3:  # a transformer's tokens: the class token, then the patches
        side = math.isqrt(output.shape[1] - 1)
        return output[:, 1:].transpose(1, 2).unflatten(2, (side, side))
    return output.flatten(1)[..., None, None]


def _to_one(found: Tensor) -> Tensor:
    """Scaled to a largest value of 1. All zeros stay, and what diverged becomes zeros."""
    found = found.nan_to_num(0.0, 0.0, 0.0)
    return found / found.max().clamp(min=torch.finfo(found.dtype).tiny)


def methods() -> tuple[str, ...]:
    """The ways to draw features on a plane that there are here."""
    return ("pca", "umap") if importlib.util.find_spec("umap") else ("pca",)


def project(features: np.ndarray, method: str = "pca") -> np.ndarray:
    """Features (N, F) -> places on a plane (N, 2) float32: the two directions in which they differ most, or UMAP's.

    UMAP (McInnes et al. 2018) keeps who is near whom; its distances and axes mean nothing. Raises PlanError for another
    method, UnavailableError where the package for UMAP is not installed.
    """
    if method not in ("pca", "umap"):
        raise PlanError("refusal.map.method", method=repr(method))
    if method not in methods():
        raise UnavailableError("refusal.map.package")
    if method == "umap":
        import umap

        near = max(2, min(15, len(features) - 1))
        start = "spectral" if len(features) > 3 * near else "random"  # its eigenvectors need more points than they are
        plane = umap.UMAP(n_neighbors=near, init=start, random_state=0, n_jobs=1).fit_transform(features)
        return np.asarray(plane, np.float32)
    centred = features - features.mean(0)
    left, lengths, right = np.linalg.svd(centred, full_matrices=False)
    axes = min(2, len(lengths))
    signs = np.sign(right[np.arange(axes), abs(right[:axes]).argmax(1)])  # an SVD's signs are anybody's
    plane = np.zeros((len(features), 2), np.float32)
    plane[:, :axes] = left[:, :axes] * lengths[:axes] * signs
    return plane


def nearest(embedding: Embedding, row: int, count: int = 5) -> list[tuple[int, float]]:
    """The training pictures whose features are most like those of the held-out picture `row`, the most alike first.

    Each as its row and the cosine similarity, -1..1.
    """
    alike = embedding.directions @ _directions(embedding.heldout[row])
    return [(int(k), float(alike[k])) for k in np.argsort(-alike, kind="stable")[:count]]


def _directions(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)
