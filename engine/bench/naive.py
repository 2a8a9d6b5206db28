"""The baseline: one training as a tutorial notebook writes it. Nothing of the engine but the pictures and the networks.

A DataLoader that transforms PIL pictures one by one, torch's default threads, single precision, and a frozen backbone that
is run again for every batch.
"""

from __future__ import annotations

import time

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from engine import backbones
from engine.plan import Plan
from engine.tasks import Drawn


class PilPictures(Dataset[tuple[torch.Tensor, int]]):
    """The drawn training pictures, transformed one at a time."""

    def __init__(self, pictures: Drawn):
        self.images = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pictures.training]
        self.labels = pictures.training_labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomResizedCrop(pictures.px, scale=(0.35, 1)),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(pictures.mean, pictures.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def epoch_seconds(plan: Plan, pictures: Drawn, is_frozen: bool, epochs: int = 2) -> float:
    """Seconds an epoch takes, the first left out."""
    model = backbones.build(plan.backbone, len(pictures.classes), plan.seed, pretrained=is_frozen)
    if is_frozen:
        model.requires_grad_(False)
        model[-1].requires_grad_(True)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    loader = DataLoader(PilPictures(pictures), batch_size=plan.batch_size, shuffle=True)
    taken = []
    for _ in range(epochs + 1):
        began = time.perf_counter()
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        taken.append(time.perf_counter() - began)
    return sum(taken[1:]) / epochs
