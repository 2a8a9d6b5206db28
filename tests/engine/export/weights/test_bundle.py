"""The exported networks predict as the racers do, in plain torchvision and in ONNX, and do not need the engine."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load
from torch import Tensor, nn

from engine import Plan, UnavailableError, run_race
from engine.analysis.trained import Trained
from engine.events import Finished
from engine.export import packing
from engine.export.weights import bundle
from engine.models import freezing
from engine.models.architectures import ARCHITECTURES
from engine.race.inputs import RaceInputs
from engine.workspace import Workspace
from tests.conftest import CLASSES, CPU
from tests.helpers.networks import BROKEN, SMALL, Settings, fed, trained

# One of each builder: an export takes up to half a minute. All 20 architectures were exported and compared once (2026-11-21)
EXPORTED = (
    "resnet18",
    "vgg11_bn",
    "inception_v3",
    "efficientnet_b0",
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "vit_b_16",
    "swin_t",
)
EVERY = [name if name == "resnet10" else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]


def unpacked(data: bytes, home: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(home)
    return home


def names(data: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def read(data: bytes, name: str) -> bytes:
    return zipfile.ZipFile(io.BytesIO(data)).read(name)


def program(data: bytes, home: Path, name: str) -> dict[str, Callable]:
    """The functions that a program from the zip defines, without running its main part."""
    unpacked(data, home)
    space: dict = {"__name__": "program", "__file__": str(home / name)}
    exec(compile((home / name).read_text(encoding="utf-8"), name, "exec"), space)
    return space


def photo(home: Path, size: tuple[int, int] = (97, 61)) -> Path:
    """A picture of shapes, larger than the pictures of the race and not a square."""
    y, x = np.mgrid[: size[1], : size[0]]
    colours = np.stack([x * 255 // size[0], y * 255 // size[1], 255 * (np.hypot(x - 40, y - 30) < 20)], 2)
    Image.fromarray(colours.astype(np.uint8)).save(home / "photo.png")
    return home / "photo.png"


def printed_prediction(race: Trained, path: Path, racer: str) -> str:
    """The racer's prediction for a picture, as the programs print it."""
    shares = race.answer(np.asarray(Image.open(path).convert("RGB")))[racer].probabilities
    best = int(np.argmax(shares))
    return f"{race.classes[best]}: {shares[best]:.2%}"


@pytest.mark.parametrize("name", EVERY)
def test_the_weights_load_into_plain_torchvision_and_predict_the_same(name: str, drawn: RaceInputs, tmp_path: Path) -> None:
    race = trained(name, drawn, ("scratch",))
    model = program(bundle.weights(race), tmp_path, "load.py")["load"]("scratch")
    assert type(model).__module__.startswith(("torchvision.models.", "timm.models."))
    x = fed(race, 3)[1]
    with torch.no_grad():
        expected, actual = race.networks["scratch"](x), model(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_no_number_of_the_weights_changes(name: str, drawn: RaceInputs) -> None:
    race = trained(name, drawn, ("scratch",))
    state = load(read(bundle.weights(race), "scratch.safetensors"))
    architecture = ARCHITECTURES[name]
    model = architecture.build(3)
    model.load_state_dict(state, strict=True)
    actual, expected = nn.Sequential(architecture.split(model)).state_dict(), race.networks["scratch"].state_dict()
    assert list(actual) == list(expected)
    assert all(torch.equal(actual[key], expected[key]) for key in expected)


@pytest.mark.parametrize("settings", BROKEN, ids=str)
def test_the_program_preprocesses_a_picture_as_the_race_does(settings: Settings, drawn: RaceInputs, tmp_path: Path) -> None:
    race = trained(SMALL, drawn, **settings)
    path = photo(tmp_path)
    actual = program(bundle.weights(race), tmp_path, "load.py")["preprocess"](path)
    expected = freezing.normalise(race.preprocess(np.asarray(Image.open(path))), race.preprocessing)
    assert torch.equal(actual, expected)


def test_the_program_reads_transparent_and_rotated_pictures(drawn: RaceInputs, tmp_path: Path) -> None:
    from engine.data import image

    race = trained(SMALL, drawn)
    preprocess = program(bundle.weights(race), tmp_path, "load.py")["preprocess"]
    page = Image.new("RGBA", (40, 60), (200, 30, 30, 90))
    page.paste((0, 90, 200, 255), (5, 5, 20, 30))
    page.save(tmp_path / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    page.convert("RGB").save(tmp_path / "turned.png", exif=exif)
    for name in ("clear.png", "turned.png"):
        expected = freezing.normalise(race.preprocess(np.asarray(image.read_image(tmp_path / name))), race.preprocessing)
        assert torch.equal(preprocess(tmp_path / name), expected)


@pytest.mark.slow  # starts a program of its own
@pytest.mark.parametrize("settings", [BROKEN[0], BROKEN[-1]], ids=str)
def test_load_py_prints_the_prediction_of_the_racer(settings: Settings, drawn: RaceInputs, tmp_path: Path) -> None:
    race = trained(SMALL, drawn, **settings)
    home, path = unpacked(bundle.weights(race), tmp_path / "away"), photo(tmp_path)
    for racer, more in (("pretrained", []), ("scratch", ["scratch"])):
        run = subprocess.run(
            [sys.executable, "-I", "load.py", str(path), *more], cwd=home, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == printed_prediction(race, path, racer)


def test_the_header_describes_the_weights(drawn: RaceInputs, tmp_path: Path) -> None:
    race = trained(SMALL, drawn)
    home = unpacked(bundle.weights(race), tmp_path)
    with safe_open(home / "pretrained.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["classes"]) == list(CLASSES)
    assert Plan.from_json(metadata["plan"]) == race.plan
    assert (json.loads(metadata["mean"]), json.loads(metadata["std"])) == (
        list(race.preprocessing.mean),
        list(race.preprocessing.std),
    )
    assert (metadata["image_size"], metadata["racer"], metadata["architecture"]) == ("32", "pretrained", SMALL)


def test_the_zip_holds_every_racer_and_its_documentation(drawn: RaceInputs) -> None:
    data = bundle.weights(trained(SMALL, drawn))
    documentation = ["labels.json", "preprocessing.json", "load.py", "README.txt"]
    assert names(data) == ["scratch.safetensors", "pretrained.safetensors", *documentation]
    assert json.loads(read(data, "labels.json")) == list(CLASSES)


def test_a_class_name_is_never_part_of_a_program(drawn: RaceInputs) -> None:
    wild = ('"""; raise SystemExit', "$build", "../猫")
    data = bundle.weights(trained(SMALL, replace(drawn, data=replace(drawn.data, classes=wild))))
    assert json.loads(read(data, "labels.json")) == list(wild)
    assert read(data, "load.py") == read(bundle.weights(trained(SMALL, drawn)), "load.py")


def test_the_readme_names_the_corruptions_in_both_languages(drawn: RaceInputs) -> None:
    race = trained(SMALL, drawn, shuffle_grid=4, invert_colors=True)
    assert "4 × 4 patches" in read(bundle.weights(race), "README.txt").decode()
    assert "python load.py PICTURE [scratch | pretrained]" in read(bundle.weights(race), "README.txt").decode()
    assert "反転" in read(bundle.weights(race, "ja"), "README.txt").decode()


def test_a_visitors_checkpoint_may_be_deleted_before_the_export(drawn: RaceInputs) -> None:
    race = trained(SMALL, drawn)
    race.plan = replace(race.plan, backbone=f"{SMALL}+mine")
    assert b"models.squeezenet1_1()" in read(bundle.weights(race), "load.py")


def test_an_export_without_a_finished_racer_is_refused(drawn: RaceInputs) -> None:
    for make in (bundle.weights, bundle.onnx):
        with pytest.raises(UnavailableError, match="no racer"):
            make(trained(SMALL, drawn, ()))


def test_networks_too_large_for_the_free_memory_are_refused(drawn: RaceInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    race = trained(SMALL, drawn)
    monkeypatch.setattr(packing, "free_memory", lambda: race.size)  # the zip alone would just fit
    with pytest.raises(UnavailableError, match="try again when no race is on"):
        bundle.weights(race)


def test_where_onnx_is_missing_the_install_command_is_named(drawn: RaceInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "can_onnx", lambda: False)
    with pytest.raises(UnavailableError, match="pip install onnx onnxscript"):
        bundle.onnx(trained(SMALL, drawn))


def session(data: bytes, racer: str = "scratch") -> Callable[[Tensor], Tensor]:
    """A network from the zip, run by onnxruntime."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network = onnxruntime.InferenceSession(read(data, f"{racer}.onnx"), providers=["CPUExecutionProvider"])
    return lambda pixels: torch.from_numpy(network.run(["probabilities"], {"pictures": pixels.numpy()})[0])


needs_onnx = pytest.mark.skipif(not bundle.can_onnx(), reason="onnx and onnxscript are not installed")


@needs_onnx
@pytest.mark.slow  # torch's exporter takes seconds
@pytest.mark.parametrize("name", EXPORTED)
def test_onnx_predicts_as_the_racer_does_for_any_batch_size(name: str, drawn: RaceInputs) -> None:
    race = trained(name, drawn, ("scratch",))
    predict = session(bundle.onnx(race))
    pixels, x = fed(race, 5)
    with torch.no_grad():
        expected = race.networks["scratch"](x).softmax(1)
    assert expected.std() > 1e-3
    for count in (1, 2, 5):
        actual = predict(pixels[:count])
        torch.testing.assert_close(actual, expected[:count], rtol=0, atol=1e-4)
        assert torch.equal(actual.argmax(1), expected[:count].argmax(1))


@needs_onnx
@pytest.mark.slow  # torch's exporter takes seconds
def test_onnx_inverts_and_shuffles_inside_and_holds_no_path_of_this_machine(drawn: RaceInputs) -> None:
    race = trained(SMALL, drawn, **BROKEN[-1])
    data = bundle.onnx(race)
    pixels, x = fed(race, 2)
    with torch.no_grad():
        expected = race.networks["pretrained"](x).softmax(1)
    torch.testing.assert_close(session(data, "pretrained")(pixels), expected, rtol=0, atol=1e-4)
    assert names(data)[-4:] == ["labels.json", "preprocessing.json", "infer.py", "README.txt"]
    model = read(data, "pretrained.onnx")
    assert not [path for path in (str(Path(__file__).parents[4]), sys.prefix, "site-packages") if path.encode() in model]


@needs_onnx
@pytest.mark.slow  # torch's exporter takes seconds
def test_a_race_beside_an_export_goes_on(drawn: RaceInputs, workspace: Workspace) -> None:
    """In the same process torch's exporter would break it, because it patches global state."""
    done: list[bytes] = []
    exporting = threading.Thread(target=lambda: done.append(bundle.onnx(trained(SMALL, drawn, ("scratch",)))))
    exporting.start()
    ends: list[str] = []
    while exporting.is_alive():
        ends += [
            e.reason
            for e in run_race(Plan(examples_per_class=2, epochs=1, trainable_stages=1), workspace, CPU)
            if isinstance(e, Finished)
        ]
    assert done
    assert set(ends) == {"done"}


@needs_onnx
@pytest.mark.slow  # starts a program of its own
def test_infer_py_prints_the_prediction_of_the_racer(drawn: RaceInputs, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    race = trained(SMALL, drawn, **BROKEN[-1])
    home, path = unpacked(bundle.onnx(race), tmp_path / "away"), photo(tmp_path)
    run = subprocess.run([sys.executable, "-I", "infer.py", str(path)], cwd=home, capture_output=True, text=True, check=True)
    class_name, share = run.stdout.strip().split(": ")
    expected = printed_prediction(race, path, "pretrained").split(": ")
    assert class_name == expected[0]
    assert float(share[:-1]) == pytest.approx(float(expected[1][:-1]), abs=0.02)


def test_the_name_of_a_private_picture_set_is_not_exported(drawn: RaceInputs) -> None:
    networks = {"scratch": ARCHITECTURES["resnet10"].build(3)}
    stages = {racer: nn.Sequential(ARCHITECTURES["resnet10"].split(network)) for racer, network in networks.items()}
    data = bundle.weights(Trained(Plan(task="own-SECRET"), drawn.data, drawn.preprocessing, stages))
    assert all(b"SECRET" not in read(data, name) for name in names(data))
