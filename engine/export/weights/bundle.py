"""The networks of a finished race as zips of safetensors or ONNX, each with a program that does not need the engine.

The weights have the names of torchvision's model, so that they load into it. `preprocessing.json` beside them holds the
preprocessing of a picture.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from engine.analysis.trained import Trained
from engine.data import augmentation
from engine.data.registry import anonymised
from engine.errors import UnavailableError
from engine.export.packing import pack
from engine.export.source import call, source
from engine.export.templates import render_program
from engine.export.weights.onnx_graph import WithPreprocessing, export_in_subprocess
from engine.i18n.messages import translate
from engine.models.architectures import ARCHITECTURES, Architecture

TEMPLATES = Path(__file__).parent  # of the exported programs
COPIES = 4  # of a network while it is written: torchvision's model, contiguous tensors, bytes, and torch's ONNX program


def weights(trained: Trained, language: str = "en") -> bytes:
    """A zip of every racer's weights as safetensors, and a program that classifies a picture with them.

    Contains `<racer>.safetensors`, `labels.json`, `preprocessing.json`, `load.py` (plain torch and torchvision) and
    `README.txt`. Raises UnavailableError where no racer finished.
    """
    _check_not_empty(trained)
    return pack(_weights_files(trained, language), _memory(trained))


def can_onnx() -> bool:
    """Whether the packages that ONNX export needs are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))


def onnx(trained: Trained, language: str = "en") -> bytes:
    """A zip of every racer's network as ONNX, and a program that classifies a picture with onnxruntime.

    Contains `<racer>.onnx`, `labels.json`, `preprocessing.json`, `infer.py` and `README.txt`. The input of a network is
    `pictures`, float32 (N, 3, H, W), RGB in 0..1, H = W = image size; its output is `probabilities`, float32 (N, classes).
    Takes seconds for every racer, in a subprocess. Raises UnavailableError where the packages are missing, where torch
    cannot export the network, or where no racer finished.
    """
    _check_not_empty(trained)
    if not can_onnx():
        raise UnavailableError("refusal.export.onnx")
    return pack(_onnx_files(trained, language), _memory(trained))


def torchvision_model(trained: Trained, racer: str) -> nn.Module:
    """A racer's network as torchvision's model, with a copy of its weights, in eval mode and fp32, on the CPU."""
    architecture = _architecture(trained)
    with torch.device("meta"):  # skips the initialisation, which would draw random numbers
        model = architecture.build(len(trained.classes))
    model.to_empty(device="cpu")
    nn.Sequential(architecture.split(model)).load_state_dict(trained.networks[racer].state_dict())
    return model.eval()


def _check_not_empty(trained: Trained) -> None:
    if not trained.networks:
        raise UnavailableError("refusal.export.unfinished")


def _memory(trained: Trained) -> int:
    """Memory that a zip of all networks takes while it is made, in bytes, estimated."""
    return trained.size + COPIES * trained.size // len(trained.racers)


def _weights_files(trained: Trained, language: str) -> Iterator[tuple[str, bytes]]:
    for racer in trained.racers:
        # safetensors takes contiguous tensors only; racers use channels_last
        state = {name: tensor.contiguous() for name, tensor in torchvision_model(trained, racer).state_dict().items()}
        yield f"{racer}.safetensors", save(state, {"format": "pt", **_metadata(trained, racer)})
    yield from _shared_files(trained)
    yield "load.py", _program(trained, "load").encode()
    yield "README.txt", _readme(trained, "safetensors", "load.py", language).encode()


def _onnx_files(trained: Trained, language: str) -> Iterator[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        for racer in trained.racers:
            network = WithPreprocessing(trained, torchvision_model(trained, racer)).eval()
            torch.save((network, _metadata(trained, racer)), Path(folder, f"{racer}.pt"))
        export_in_subprocess(folder)
        for racer in trained.racers:
            yield f"{racer}.onnx", Path(folder, f"{racer}.onnx").read_bytes()
    yield from _shared_files(trained)
    yield "infer.py", _program(trained, "infer").encode()
    yield "README.txt", _readme(trained, "onnx", "infer.py", language).encode()


def _architecture(trained: Trained) -> Architecture:
    return ARCHITECTURES[trained.plan.backbone.split("+")[0]]  # "resnet18+mine.pth": a visitor's checkpoint


def _metadata(trained: Trained, racer: str) -> dict[str, str]:
    return {
        "racer": racer,
        "architecture": _architecture(trained).name,
        "classes": json.dumps(trained.classes),
        "plan": anonymised(trained.plan).to_json(),
        "image_size": str(trained.preprocessing.image_size),
        "mean": json.dumps(trained.preprocessing.mean),
        "std": json.dumps(trained.preprocessing.std),
    }


def _shared_files(trained: Trained) -> Iterator[tuple[str, bytes]]:
    """The files in both zips: the class names, and the preprocessing of a picture."""
    yield "labels.json", (json.dumps(trained.classes, ensure_ascii=False, indent=1) + "\n").encode()
    preprocessing = trained.preprocessing
    values = {
        "crop_size": trained.picture_size,  # the centre square is first resized to this, antialiased bicubic, in 8 bits
        "image_size": preprocessing.image_size,  # and then to this, antialiased bilinear
        "invert_colors": trained.plan.invert_colors,
        "patch_order": None if preprocessing.patch_order is None else preprocessing.patch_order.tolist(),
        "mean": preprocessing.mean,
        "std": preprocessing.std,
    }
    yield "preprocessing.json", (json.dumps(values) + "\n").encode()


def _program(trained: Trained, name: str) -> str:
    """The source of a program with the parts that this race needs. No text written by a visitor is inserted."""
    architecture = _architecture(trained)
    return render_program(
        TEMPLATES / f"{name}.txt",
        source=source,
        call=call,
        augmentation=augmentation,
        title=architecture.title,
        build=architecture.build,
        timm=architecture.is_from_timm,
        invert_colors=trained.plan.invert_colors,
        shuffled=trained.preprocessing.patch_order is not None,
        racer=repr("pretrained" if "pretrained" in trained.racers else trained.racers[0]),
    )


def _readme(trained: Trained, ending: str, program: str, language: str) -> str:
    plan, classes = trained.plan, len(trained.classes)
    packages = "torch torchvision safetensors pillow" if ending == "safetensors" else "onnxruntime pillow"
    if ending == "safetensors" and _architecture(trained).is_from_timm:
        packages += " timm"
    notes = [translate("bundle.caution", language)]
    if plan.invert_colors:
        notes.append(translate("bundle.inverted", language))
    if plan.shuffle_grid > 1:
        notes.append(translate("bundle.patches", language, shuffle_grid=plan.shuffle_grid))
    if ending == "onnx":
        notes.append(translate("bundle.onnx", language, image_size=trained.preprocessing.image_size, classes=classes))
    network = _architecture(trained).title
    race = translate(
        "bundle.race",
        language,
        network=network,
        image_size=trained.preprocessing.image_size,
        examples_per_class=plan.examples_per_class,
        classes=classes,
    )
    lines = [translate("bundle.title", language), race, "", translate("bundle.files", language)]
    lines += [f"  {racer}.{ending}: {translate(f'bundle.file.{ending}', language)}" for racer in trained.racers]
    lines += [
        f"  labels.json: {translate('bundle.file.labels', language)}",
        f"  preprocessing.json: {translate('bundle.file.preprocessing', language)}",
        f"  {program}: {translate('bundle.file.program', language)}",
        "",
        translate("bundle.use", language),
        f"  pip install {packages}",
        f"  python {program} PICTURE [{' | '.join(trained.racers)}]",
        "",
        *notes,
        "",
        translate("bundle.plan", language),
        f"  {anonymised(plan).to_json()}",
    ]
    return "\n".join(lines) + "\n"
