"""The networks of a finished race to take away: as safetensors and as ONNX, each with a program that needs nothing of ours.

Knows no training and no page. A racer's weights carry the names that torchvision gives them, so that they load into
torchvision's own model; how a picture is prepared stands beside them in `preprocessing.json`.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template

import torch
from safetensors.torch import save
from torch import nn

from engine.errors import UnavailableError
from engine.export.graph import Prepared, export_elsewhere
from engine.export.packing import pack
from engine.strings import say
from engine.tasks import nameless
from engine.trained import Trained
from engine.zoo import ARCHITECTURES, Architecture

PROGRAMS = Path(__file__).parent  # where the programs' texts are
COPIES = 4  # of the network being written: as torchvision's, in plain memory, as bytes, and what torch makes of it for ONNX

# How plain torchvision builds what `zoo` builds in a way of its own; "classes" is the number of outputs
_BUILDERS = {
    "resnet10": "return models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=classes)",
    "inception_v3": "return models.inception_v3(\n"
    "        num_classes=classes, aux_logits=False, transform_input=True, init_weights=False\n    )",
    "squeezenet1_1": """\
model = models.squeezenet1_1()
    # An ordinary linear head; the original's is a convolution, a ReLU, then a pool
    model.features.extend([torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(1)])
    model.classifier = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(512, classes))
    return model""",
}

# augment.shuffle_patches, as one would write it down for one picture
_SHUFFLED = """\
    whole, places = x.clone(), PREPARED["places"]  # the racers saw patches that had changed places
    count = round(len(places) ** 0.5)
    size = px // count
    margin = (px - size * count) // 2
    for place, patch in enumerate(places):
        (i, j), (k, m) = ([margin + size * n for n in divmod(at, count)] for at in (place, patch))
        x[:, :, i : i + size, j : j + size] = whole[:, :, k : k + size, m : m + size]
"""


def weights(trained: Trained, language: str = "en") -> bytes:
    """A zip of every racer's weights as safetensors, and a program that names the class of a picture with them.

    Holds `<lane>.safetensors`, `labels.json`, `preprocessing.json`, `load.py` (plain torch and torchvision) and
    `README.txt`. Raises UnavailableError where no racer came to its end.
    """
    _check(trained)
    return pack(_weights(trained, language), _memory(trained))


def can_onnx() -> bool:
    """Whether the packages that write ONNX are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))


def onnx(trained: Trained, language: str = "en") -> bytes:
    """A zip of every racer's network as ONNX, and a program that names the class of a picture with onnxruntime.

    Holds `<lane>.onnx`, `labels.json`, `preprocessing.json`, `infer.py` and `README.txt`. A network's one input is
    `pictures`, float32 (N, 3, px, px), RGB in 0..1; its one output `probabilities`, float32 (N, classes). Takes seconds for
    every racer, in a process of its own. Raises UnavailableError where the packages are missing, where torch cannot export
    the network, or where no racer came to its end.
    """
    _check(trained)
    if not can_onnx():
        raise UnavailableError("refusal.take.onnx")
    return pack(_onnx(trained, language), _memory(trained))


def whole(trained: Trained, lane: str) -> nn.Module:
    """A racer's network as torchvision's own model, in eval mode and fp32: what its stages answer, it answers.

    The weights are copies.
    """
    kind = _architecture(trained)
    with torch.device("meta"):  # nothing is drawn, and no random numbers are spent
        model = kind.build(len(trained.classes))
    model.to_empty(device="cpu")
    nn.Sequential(kind.cut(model)).load_state_dict(trained.networks[lane].state_dict())
    return model.eval()


def _check(trained: Trained) -> None:
    if not trained.networks:
        raise UnavailableError("refusal.take.unfinished")


def _memory(trained: Trained) -> int:
    """Bytes that a zip of all networks takes while it is made, about."""
    return trained.size + COPIES * trained.size // len(trained.lanes)


def _weights(trained: Trained, language: str) -> Iterator[tuple[str, bytes]]:
    for lane in trained.lanes:
        # safetensors takes plain memory only, and racers keep their channels last
        state = {name: tensor.contiguous() for name, tensor in whole(trained, lane).state_dict().items()}
        yield f"{lane}.safetensors", save(state, {"format": "pt", **_metadata(trained, lane)})
    yield from _shared(trained)
    yield "load.py", _program(trained, "load").encode()
    yield "README.txt", _readme(trained, "safetensors", "load.py", language).encode()


def _onnx(trained: Trained, language: str) -> Iterator[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        for lane in trained.lanes:
            prepared = Prepared(trained, whole(trained, lane)).eval()
            torch.save((prepared, _metadata(trained, lane)), Path(folder, f"{lane}.pt"))
        export_elsewhere(folder)
        for lane in trained.lanes:
            yield f"{lane}.onnx", Path(folder, f"{lane}.onnx").read_bytes()
    yield from _shared(trained)
    yield "infer.py", _program(trained, "infer").encode()
    yield "README.txt", _readme(trained, "onnx", "infer.py", language).encode()


def _architecture(trained: Trained) -> Architecture:
    return ARCHITECTURES[trained.plan.backbone.split("+")[0]]  # "resnet18+mine": a checkpoint of one's own


def _metadata(trained: Trained, lane: str) -> dict[str, str]:
    return {
        "racer": lane,
        "architecture": _architecture(trained).name,
        "classes": json.dumps(trained.classes),
        "plan": nameless(trained.plan).to_json(),
        "px": str(trained.px),
        "mean": json.dumps(trained.mean),
        "std": json.dumps(trained.std),
    }


def _shared(trained: Trained) -> Iterator[tuple[str, bytes]]:
    """What both zips hold: the labels, and how a picture is prepared."""
    yield "labels.json", (json.dumps(trained.classes, ensure_ascii=False, indent=1) + "\n").encode()
    prepared = {
        "side": trained.side,  # the middle square is first resized to this, antialiased bicubic, in 8 bits
        "px": trained.px,  # and then to this, antialiased bilinear
        "inverted": trained.plan.inverted,
        "places": None if trained.places is None else trained.places.tolist(),
        "mean": trained.mean,
        "std": trained.std,
    }
    yield "preprocessing.json", (json.dumps(prepared) + "\n").encode()


def _program(trained: Trained, name: str) -> str:
    """The text of a program, with what this race needs of it. Nothing that anybody wrote is put into it."""
    kind = _architecture(trained)
    text = (PROGRAMS / f"{name}.txt").read_text(encoding="utf-8")
    altered = "    pixels = 255 - pixels  # the racers saw negatives\n" * trained.plan.inverted
    altered += "    x = pixels.float() / 255\n"
    if trained.side != trained.px:
        altered += '    x = torch.nn.functional.interpolate(x, size=(px, px), mode="bilinear", antialias=True)\n'
    altered += _SHUFFLED * (trained.places is not None)
    return Template(text).substitute(
        title=kind.title,
        build=_BUILDERS.get(kind.name, f"return models.{kind.name}(num_classes=classes)"),
        altered=altered,
        lane="transfer" if "transfer" in trained.lanes else trained.lanes[0],
    )


def _readme(trained: Trained, ending: str, program: str, language: str) -> str:
    plan, classes = trained.plan, len(trained.classes)
    packages = "torch torchvision safetensors pillow" if ending == "safetensors" else "onnxruntime pillow"
    notes = [say("bundle.caution", language)]
    if plan.inverted:
        notes.append(say("bundle.inverted", language))
    if plan.patches > 1:
        notes.append(say("bundle.patches", language, patches=plan.patches))
    if ending == "onnx":
        notes.append(say("bundle.onnx", language, px=trained.px, classes=classes))
    network = _architecture(trained).title
    race = say("bundle.race", language, network=network, px=trained.px, examples=plan.examples, classes=classes)
    lines = [say("bundle.title", language), race, "", say("bundle.files", language)]
    lines += [f"  {lane}.{ending}: {say(f'bundle.file.{ending}', language)}" for lane in trained.lanes]
    lines += [
        f"  labels.json: {say('bundle.file.labels', language)}",
        f"  preprocessing.json: {say('bundle.file.preprocessing', language)}",
        f"  {program}: {say('bundle.file.program', language)}",
        "",
        say("bundle.use", language),
        f"  pip install {packages}",
        f"  python {program} PICTURE [{' | '.join(trained.lanes)}]",
        "",
        *notes,
        "",
        say("bundle.plan", language),
        f"  {nameless(plan).to_json()}",
    ]
    return "\n".join(lines) + "\n"
