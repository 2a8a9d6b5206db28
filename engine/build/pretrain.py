"""The recipe that made the embedded backbone: a small ResNet trained on 200 ImageNet classes from labels and a teacher.

The teacher, where one is given, is torchvision's MobileNetV2 with ImageNet-1k weights. Its pooled features are computed
once for a few fixed crops of every picture, and the student trains on the same crops (consistent teaching, Beyer et al.
2022, arXiv:2106.05237). The features and the state after every epoch are kept in a work folder, so that an interrupted
run resumes after its last whole epoch.
"""

from __future__ import annotations

import copy
import io
import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import MobileNetV2
from torchvision.models.resnet import ResNet

from engine.data import augmentation
from engine.errors import DataError
from engine.models.architectures import resnet10
from engine.rng import generator

IMAGE_SIZE = 64  # pixels a side of Tiny ImageNet's pictures
TEACHER_SIZE = 129  # pixels a side; 32 k + 1 fits MobileNetV2's strides
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


@dataclass(frozen=True)
class Recipe:
    """Every setting that the weights depend on, except the pictures. The field names are keys of resnet10.json."""

    epochs: int = 14
    large_epochs: int = 4  # the last epochs, at `large_px`; the others at `small_px` (Touvron et al. 2019)
    small_px: int = 48
    large_px: int = 64
    batch: int = 128
    peak_rate: float = 0.15  # SGD with Nesterov momentum .9, one warm-up epoch, then linearly to 0
    weight_decay: float = 5e-4  # not on biases and BatchNorm
    smoothing: float = 0.1
    smallest_crop: float = 0.35  # share of the picture's area
    views: int = 3  # fixed crops of every picture; each with its mirror image
    label_weight: float = 0.5  # cross-entropy with the 200 labels
    logit_weight: float = 1.0  # KL divergence from the teacher's 1,000 classes
    feature_weight: float = 2.0  # cosine distance to the teacher's 1,280 pooled features
    seed: int = 0


@dataclass(frozen=True)
class PretrainProgress:
    """Progress of one part of the work: `done` of `total` units, and a note to show."""

    part: Literal["reading", "teacher", "training", "validation"]
    done: int
    total: int
    note: str


@dataclass(frozen=True)
class PretrainFinished:
    """The result: correct and all validation pictures, and the seconds of this run (earlier, interrupted ones excluded)."""

    correct: int
    total: int
    seconds: float


def read_pictures(folder: Path, split: str) -> Iterator[PretrainProgress | tuple[Tensor, Tensor]]:
    """Decode a split into one tensor; yields progress and, last, (images, labels).

    images: (N, 3, 64, 64) uint8 · labels: (N,) int64, classes in the order of their sorted WordNet ids.
    Reads `train-0.zip` …, `val.zip` or unpacked folders `train/<wnid>/*`. Raises DataError if there are none.
    """
    members: list[tuple[str, Path, str]] = []
    for archive in sorted(folder.glob(f"{split}*.zip")):
        with zipfile.ZipFile(archive) as z:
            members += [(n.split("/")[-2], archive, n) for n in z.namelist() if not n.endswith("/")]
    if not members:
        members = [(p.parent.name, p, "") for p in sorted((folder / split).glob("*/*")) if p.is_file()]
    if not members:
        raise DataError("refusal.terminal.pictures", folder=folder, split=split)
    order = {wnid: k for k, wnid in enumerate(sorted({m[0] for m in members}))}
    open_zips = {path: zipfile.ZipFile(path) for path in {m[1] for m in members} if path.suffix == ".zip"}
    images = torch.empty((len(members), 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)

    def decode(index: int) -> None:
        _, path, name = members[index]
        data = blobs[index - first] if name else path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE)))
        images[index] = torch.from_numpy(pixels.copy()).permute(2, 0, 1)

    with ThreadPoolExecutor(4) as pool:
        for first in range(0, len(members), 5000):
            chunk = range(first, min(first + 5000, len(members)))
            blobs = [open_zips[members[i][1]].read(members[i][2]) if members[i][2] else b"" for i in chunk]
            list(pool.map(decode, chunk))
            yield PretrainProgress("reading", chunk.stop, len(members), f"{split} pictures")
    for archive_file in open_zips.values():
        archive_file.close()
    yield images, torch.tensor([order[m[0]] for m in members])


def normalise(images: Tensor) -> Tensor:
    """Normalise pixels from 0..1 to the student's input, (N, 3, H, W) float32, channels last."""
    mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def load_teacher(path: Path) -> MobileNetV2:
    """Load torchvision's MobileNetV2 with the weights in `path`, in eval mode. Its input is scaled to -1..1."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    teacher = MobileNetV2()
    teacher.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return teacher.eval().requires_grad_(False)


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """Fold every BatchNorm that follows a convolution in a Sequential into its filters, in place; eval mode only."""
    for block in network.modules():
        if isinstance(block, nn.Sequential):
            for k in range(len(block) - 1):
                conv, norm = block[k], block[k + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    block[k], block[k + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return network


def write_teacher_features(
    teacher: MobileNetV2, images: Tensor, boxes: Tensor, target: Path, device: torch.device, batch: int = 250
) -> Iterator[PretrainProgress]:
    """Write the teacher's pooled features of one crop of every picture to `target`, (N, 1280) float16."""
    # BatchNorm folded into the filters and the whole network in bf16: twice as fast as autocast on a CPU
    body = fold_batchnorm(copy.deepcopy(teacher.features)).to(device, torch.bfloat16)
    body = body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    part = target.with_suffix(".part")
    features = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(len(images), 1280))
    unflipped = torch.zeros(batch, dtype=torch.bool)
    for first in range(0, len(images), batch):
        rows = slice(first, first + batch)
        x = augmentation.crop(images[rows].to(device), boxes[rows], unflipped[: len(images[rows])], TEACHER_SIZE) * 2 - 1
        with torch.no_grad():
            pooled = body(x.bfloat16().contiguous(memory_format=torch.channels_last)).float().mean((2, 3))
        features[rows] = pooled.cpu().numpy()
        yield PretrainProgress("teacher", min(first + batch, len(images)), len(images), target.stem)
    features.flush()
    part.rename(target)


def learning_rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Linear from 0 to `peak` over `warmup` steps, then linear to 0 at `steps`."""
    return peak * min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def validate(model: ResNet, images: Tensor, labels: Tensor, device: torch.device) -> tuple[int, int]:
    """Count the correct and all pictures: whole pictures at 64 px, no crops."""
    model.eval()
    correct = 0
    for first in range(0, len(images), 500):
        x = normalise(augmentation.resize(images[first : first + 500].to(device), IMAGE_SIZE))
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            correct += int((model(x).argmax(1).cpu() == labels[first : first + 500]).sum())
    return correct, len(images)


def pretrain(
    model: ResNet, images_folder: Path, work: Path, recipe: Recipe, teacher_file: Path | None, device: torch.device
) -> Iterator[PretrainProgress | PretrainFinished]:
    """Train `model` (a torchvision ResNet with one output per class) in place; yields progress and, last, the result.

    Resumes from `work`, which keeps the teacher's features and the state after every epoch. Raises DataError if the
    pictures are missing or the work folder was made with another recipe.
    """
    began = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    sets: dict[str, tuple[Tensor, Tensor]] = {}
    for split in ("train", "val"):
        for item in read_pictures(images_folder, split):
            if isinstance(item, PretrainProgress):
                yield item
            else:
                sets[split] = item
    images, labels = sets["train"]
    boxes = [
        augmentation.draw_boxes(len(images), generator(recipe.seed, 1, view), recipe.smallest_crop)
        for view in range(recipe.views)
    ]
    teacher = load_teacher(teacher_file) if teacher_file else None

    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    learner = nn.ModuleDict({"student": model})
    if teacher is not None:
        learner["imitation"] = nn.Linear(model.fc.in_features, 1280).to(device)  # student's features -> teacher's
        classifier = teacher.classifier[1].to(device)
    optimizer = _optimizer(learner, recipe)
    pooled: dict[str, Tensor] = {}
    model.fc.register_forward_pre_hook(lambda _module, inputs: pooled.update(features=inputs[0]))

    first_epoch = _resume(work, recipe, learner, optimizer, device)

    per_epoch = len(images) // recipe.batch
    steps = recipe.epochs * per_epoch
    for epoch in range(first_epoch, recipe.epochs):
        view = epoch % recipe.views
        features_file = work / f"teacher-view-{view}.npy"
        if teacher is not None and not features_file.exists():
            yield from write_teacher_features(teacher, images, boxes[view], features_file, device)
        targets = np.load(features_file, mmap_mode="r") if teacher is not None else None
        rng = generator(recipe.seed, 2, epoch)
        order = torch.randperm(len(images), generator=rng)
        flips = torch.rand(len(images), generator=rng) < 0.5
        image_size = recipe.large_px if epoch >= recipe.epochs - recipe.large_epochs else recipe.small_px
        learner.train()
        running = 0.0
        for k in range(per_epoch):
            rows = order[k * recipe.batch : (k + 1) * recipe.batch].sort().values  # sorted: the memmap reads forward
            lr = learning_rate(epoch * per_epoch + k, steps, per_epoch, recipe.peak_rate)
            for group in optimizer.param_groups:
                group["lr"] = lr
            x = normalise(augmentation.crop(images[rows].to(device), boxes[view][rows], flips[rows], image_size))
            y = labels[rows].to(device)
            with torch.autocast(device.type, torch.bfloat16):
                logits = model(x)
                projected = learner["imitation"](pooled["features"]) if targets is not None else None
            loss = F.cross_entropy(logits.float(), y, label_smoothing=recipe.smoothing)
            if targets is not None and projected is not None:
                target = torch.from_numpy(np.asarray(targets[rows.numpy()])).to(device).float()
                loss = recipe.label_weight * loss + _distillation(projected.float(), target, classifier, recipe)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            running += loss.item()
            yield PretrainProgress(
                "training",
                epoch * per_epoch + k + 1,
                steps,
                f"epoch {epoch + 1}/{recipe.epochs} at {image_size} px, loss {running / (k + 1):.3f}",
            )
        _save(work, recipe, learner, optimizer, epoch + 1)
        correct, total = validate(model, sets["val"][0][::5], sets["val"][1][::5], device)
        note = f"{correct}/{total} = {correct / total:.1%} of a fifth"
        yield PretrainProgress("validation", epoch + 1, recipe.epochs, note)
    correct, total = validate(model, *sets["val"], device)
    yield PretrainFinished(correct, total, time.monotonic() - began)


def _optimizer(learner: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Weight decay for matrices and kernels only, not for biases and BatchNorm."""
    matrices = [p for p in learner.parameters() if p.ndim > 1]
    vectors = [p for p in learner.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.peak_rate, momentum=0.9, nesterov=True)


def _distillation(features: Tensor, target: Tensor, classifier: nn.Module, recipe: Recipe) -> Tensor:
    """The student's distance from its teacher, in features (N, 1280) and in what the teacher's classifier makes of them."""
    teacher_logs, student_logs = (F.log_softmax(classifier(v), 1) for v in (target, features))
    kl = F.kl_div(student_logs, teacher_logs, log_target=True, reduction="batchmean")
    distance = 1 - F.cosine_similarity(features, target).mean()
    return recipe.logit_weight * kl + recipe.feature_weight * distance


def _save(work: Path, recipe: Recipe, learner: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    state = {"learner": learner.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epochs}
    part = work / "epoch.part"
    torch.save({"recipe": asdict(recipe), **state}, part)
    part.rename(work / "epoch.pt")


def _resume(work: Path, recipe: Recipe, learner: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    """Load the state that `_save` wrote; the number of finished epochs. Raises DataError if the recipe was another one."""
    if not (work / "epoch.pt").exists():
        return 0
    state = torch.load(work / "epoch.pt", map_location=device, weights_only=True)
    if state["recipe"] != asdict(recipe):
        raise DataError("refusal.terminal.recipe", work=work)
    learner.load_state_dict(state["learner"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epochs"])


def make(
    images: Path, work: Path, out: Path, recipe: Recipe, teacher: Path | None
) -> Iterator[PretrainProgress | PretrainFinished]:
    """Train the embedded backbone and write it to `out`: fp16 safetensors in torchvision's layout, facts as JSON.

    The 200-class head goes into a file of its own, because races do not use it and the weights then stay under 10 MB; it
    is needed only to count the validation accuracy again. Raises DataError if the pictures are missing.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(recipe.seed)
    model = resnet10(200, zero_init_residual=True)  # as the weights in assets/backbone were made
    for event in pretrain(model, images, work, recipe, teacher, device):
        if isinstance(event, PretrainFinished):
            out.mkdir(parents=True, exist_ok=True)
            state = {k: v.half() if v.is_floating_point() else v for k, v in model.cpu().state_dict().items()}
            head = {k: v.contiguous() for k, v in state.items() if k.startswith("fc.")}
            body = {k: v.contiguous() for k, v in state.items() if k not in head}
            save_file(body, out / "resnet10.safetensors")
            save_file(head, out / "resnet10-head.safetensors")
            facts = {
                "recipe": asdict(recipe),
                "teacher": teacher.name if teacher else None,
                "validation": {"correct": event.correct, "total": event.total},
            }
            (out / "resnet10.json").write_text(json.dumps(facts, indent=1) + "\n")
        yield event
