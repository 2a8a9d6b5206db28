"""The baseline: a training loop as in a tutorial notebook, on the engine's pictures and networks.

It has a DataLoader that transforms PIL pictures one by one, torch's default threads and single precision; a frozen backbone
is run again for every batch.
"""

from __future__ import annotations

import time

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from engine.models import pretrained
from engine.plan import Plan
from engine.race.inputs import RaceInputs


class PilPictures(Dataset[tuple[torch.Tensor, int]]):
    """The race's training pictures, transformed one at a time."""

    def __init__(self, inputs: RaceInputs):
        data, preprocessing = inputs.data, inputs.preprocessing
        self.images = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in data.training]
        self.labels = data.training_labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(preprocessing.image_size, scale=(0.35, 1)),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(preprocessing.mean, preprocessing.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def epoch_seconds(plan: Plan, inputs: RaceInputs, is_frozen: bool, epochs: int = 2) -> float:
    """Mean seconds per epoch, without the first."""
    model = pretrained.build(inputs.backbone, len(inputs.data.classes), plan.seed, pretrained=is_frozen)
    if is_frozen:
        model.requires_grad_(False)
        model[-1].requires_grad_(True)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    loader = DataLoader(PilPictures(inputs), batch_size=plan.batch_size, shuffle=True)
    seconds = []
    for _ in range(epochs + 1):
        began = time.perf_counter()
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        seconds.append(time.perf_counter() - began)
    return sum(seconds[1:]) / epochs
