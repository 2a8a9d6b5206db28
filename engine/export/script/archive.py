"""A race as a zip: its script and notebook, its pictures, and pretrained weights that torchvision does not download."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from safetensors.torch import save
from torch import Tensor

from engine import sentences
from engine.download.fetch import Address
from engine.events import RaceStarted
from engine.export.packing import pack
from engine.export.script.notebook import notebook
from engine.export.script.script import script
from engine.i18n import display_names
from engine.i18n.messages import LANGUAGES, translate
from engine.models import pretrained
from engine.models.pretrained import Backbone
from engine.plan import Plan
from engine.race.inputs import RaceInputs

MAX_NAME = 40  # characters of a class name in a folder name


def archive(plan: Plan, started: RaceStarted, inputs: RaceInputs, licence: str) -> bytes:
    """A zip of the script, its notebook, the pictures of the race, and pretrained weights that torchvision does not publish.

    The pictures are those the racers got, lossless, each in the folder of its training label. The same race gives the same
    bytes. `licence`: of the pictures. Raises UnavailableError or DataError where the weights cannot be read, and
    UnavailableError where there is too little memory.
    """
    files = _files(plan, started, inputs, licence)
    return pack(files, inputs.data.training.nbytes + inputs.data.heldout.nbytes)  # lossless WebP is hardly larger


def _files(plan: Plan, started: RaceStarted, inputs: RaceInputs, licence: str) -> Iterator[tuple[str, bytes]]:
    data, backbone = inputs.data, inputs.backbone
    folders, code = folder_names(data.classes), script(plan, started, backbone)
    yield "README.txt", "\n\n".join(_readme(started, licence, language) for language in LANGUAGES).encode() + b"\n"
    yield "race.py", code.encode()
    yield "race.ipynb", notebook(code).encode()
    if not isinstance(backbone.weights, Address):
        yield "weights.safetensors", _weights(backbone)
    for split, images, labels in (
        ("train", data.training, data.training_labels),
        ("heldout", data.heldout, data.heldout_labels),
    ):
        digits = len(str(len(images)))
        for row, label in enumerate(labels.tolist()):
            yield f"pictures/{split}/{folders[label]}/{row + 1:0{digits}d}.webp", _picture(images[row])


def _readme(started: RaceStarted, licence: str, language: str) -> str:
    return translate(
        "script_export.readme",
        language,
        network=display_names.plain(sentences.fact_sentence(started.network, language)),
        classes=len(started.classes),
        training=started.training,
        heldout=started.heldout,
        licence=sentences.fact_sentence(licence, language),
    )


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder name for each class, `03_mug`: they sort in the order of the classes and are valid on any file system."""
    digits = len(str(len(classes) - 1))
    plain = ["".join(c if c.isalnum() else "_" for c in unicodedata.normalize("NFC", name)) for name in classes]
    return [f"{k:0{digits}d}_{name[:MAX_NAME]}" for k, name in enumerate(plain)]


def _weights(backbone: Backbone) -> bytes:
    """The pretrained weights as safetensors: the project's file, or another checkpoint without its head, renamed."""
    if isinstance(backbone.weights, Path) and not backbone.is_own:
        return backbone.weights.read_bytes()
    model = backbone.architecture.build(2)
    pretrained.load_weights(model, backbone)
    head = set(backbone.architecture.head)
    return save({name: tensor.contiguous() for name, tensor in model.state_dict().items() if name not in head})


def _picture(image: Tensor) -> bytes:
    """One picture, (3, H, W) uint8, as lossless WebP, which is a quarter smaller than PNG and faster to write."""
    out = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).cpu().numpy()).save(out, "WEBP", lossless=True, quality=0, method=0)
    return out.getvalue()
