"""A trained network as an ONNX graph, with what the race does to a picture before it. Knows no zip and no page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from engine import augment
from engine.errors import UnavailableError
from engine.trained import Trained

LONGEST = 300.0  # seconds for a race's five networks at most; the slowest takes torch half a minute


class Prepared(nn.Module):
    """A network with all that the race does to a picture before it: (N, 3, px, px) in 0..1 -> probabilities."""

    order: Tensor | None  # (px * px,) int64: which pixel comes to which place
    mean: Tensor
    std: Tensor

    def __init__(self, trained: Trained, network: nn.Module):
        """`network`: one of the race, from its pictures as they are fed to it to logits."""
        super().__init__()
        self.px, self.inverted, self.network = trained.px, trained.plan.inverted, network
        order = None
        if trained.places is not None:
            pixels = torch.arange(trained.px**2).view(1, 1, trained.px, trained.px)
            order = augment.shuffle_patches(pixels, trained.places).flatten()
        self.register_buffer("order", order)
        self.register_buffer("mean", torch.tensor(trained.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(trained.std).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, px, px) float32 in 0..1 -> (N, classes), each row together 1."""
        x = 1 - pictures if self.inverted else pictures
        if self.order is not None:
            x = x.flatten(2)[:, :, self.order].unflatten(2, (self.px, self.px))
        logits: Tensor = self.network((x - self.mean) / self.std)
        return logits.softmax(1)


def export_elsewhere(folder: str, longest: float = LONGEST) -> None:
    """Run `export` on a folder in a process of its own. Raises UnavailableError where that fails, or takes longer (s).

    While torch 2.11 exports, it patches what all threads share, and a race beside it fails (KeyError: 'custom').
    """
    program = f"from {__name__} import export; import sys; export(sys.argv[1])"
    try:
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, folder],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # a race may be running beside it
            capture_output=True,
            text=True,
            check=False,
            timeout=longest,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError("refusal.take.slow", minutes=longest / 60) from None
    if child.returncode:
        why = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise UnavailableError("refusal.take.torch", why=why)


def export(folder: str) -> None:
    """Turn every `<lane>.pt` of a folder, a prepared network and what is told of it, into `<lane>.onnx`.

    For any number of pictures at once. By torch.export: the older exporter, by TorchScript, is deprecated and fixes the
    number of pictures in a ViT and a Swin.
    """
    for path in sorted(Path(folder).glob("*.pt")):
        network, told = torch.load(path, weights_only=False)  # we wrote it ourselves
        program = torch.onnx.export(
            network,
            (torch.rand(2, 3, network.px, network.px),),  # of one, the exporter would take the number for a constant
            dynamo=True,
            verbose=False,
            input_names=["pictures"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("N")},),
        )
        assert program is not None
        model = program.model_proto
        for node in model.graph.node:
            node.ClearField("metadata_props")  # where in which file of this machine each operation was called
        for key, value in told.items():
            model.metadata_props.add(key=key, value=value)
        path.with_suffix(".onnx").write_bytes(model.SerializeToString())
