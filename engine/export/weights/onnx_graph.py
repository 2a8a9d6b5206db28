"""Exports a trained network with its preprocessing as an ONNX graph."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.analysis.trained import Trained
from engine.data import augmentation
from engine.errors import UnavailableError

TIMEOUT = 300.0  # seconds for the networks of a race, five at most; the slowest architecture takes half a minute


class WithPreprocessing(nn.Module):
    """A network preceded by the preprocessing of its race: (N, 3, H, W) in 0..1 -> probabilities."""

    order: Tensor | None  # (H * W,) int64: the source pixel of every pixel; None = patches are not shuffled
    mean: Tensor
    std: Tensor

    def __init__(self, trained: Trained, network: nn.Module):
        """`network`: a network of the race, from normalised pictures to logits."""
        super().__init__()
        preprocessing = trained.preprocessing
        self.image_size, self.invert_colors, self.network = preprocessing.image_size, trained.plan.invert_colors, network
        order = None
        if preprocessing.patch_order is not None:
            pixels = torch.arange(self.image_size**2).view(1, 1, self.image_size, self.image_size)
            order = augmentation.shuffle_patches(pixels, preprocessing.patch_order).flatten()
        self.register_buffer("order", order)
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) float32 in 0..1 -> (N, classes) float32, each row sums to 1."""
        x = 1 - pictures if self.invert_colors else pictures
        if self.order is not None:
            x = x.flatten(2)[:, :, self.order].unflatten(2, (self.image_size, self.image_size))
        logits: Tensor = self.network((x - self.mean) / self.std)
        return logits.softmax(1)


def export_in_subprocess(folder: str, timeout: float = TIMEOUT) -> None:
    """Run `export` on a folder in a subprocess. Raises UnavailableError where it fails, or exceeds `timeout` seconds.

    The exporter of torch 2.11 patches global state, so that a race in the same process would fail (KeyError: 'custom').
    """
    program = f"from {__name__} import export; import sys; export(sys.argv[1])"
    try:
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, folder],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # leaves the other cores to a race
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError("refusal.export.slow", minutes=timeout / 60) from None
    if child.returncode:
        reason = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise UnavailableError("refusal.export.torch", why=reason)


def export(folder: str) -> None:
    """Convert every `<racer>.pt` of a folder, a pickled (WithPreprocessing, metadata) pair, into `<racer>.onnx`.

    The batch size is dynamic. Uses torch.export: the older exporter, by TorchScript, is deprecated and fixes the batch
    size of a ViT and a Swin.
    """
    for path in sorted(Path(folder).glob("*.pt")):
        network, metadata = torch.load(path, weights_only=False)  # a pickle that bundle.py wrote
        program = torch.onnx.export(
            network,
            (torch.rand(2, 3, network.image_size, network.image_size),),  # with a batch of 1 the exporter would fix its size
            dynamo=True,
            verbose=False,
            input_names=["pictures"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
        )
        assert program is not None
        model = program.model_proto
        for node in model.graph.node:
            node.ClearField("metadata_props")  # stack traces with paths of this machine
        for key, value in metadata.items():
            model.metadata_props.add(key=key, value=value)
        path.with_suffix(".onnx").write_bytes(model.SerializeToString())
