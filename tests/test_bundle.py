"""What is taken away answers what the racers answer, in plain torchvision and in ONNX, and needs nothing of ours."""

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
from conftest import CLASSES
from networks import BROKEN, SMALL, Settings, fed, trained
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load
from torch import Tensor, nn

from engine import Plan, UnavailableError, freezing, run_race
from engine.events import Finished
from engine.export import bundle, packing
from engine.tasks import Drawn
from engine.trained import Trained
from engine.zoo import ARCHITECTURES

# One of each way to be built: an export takes torch up to half a minute. All 20 were exported and compared once (2026-11-21)
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
    """The functions of a program out of the zip, without running it."""
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


def answer(race: Trained, path: Path, lane: str) -> str:
    """What the racer says of a picture, as the programs print it."""
    shares = race.answer(np.asarray(Image.open(path).convert("RGB")))[lane].probabilities
    best = int(np.argmax(shares))
    return f"{race.classes[best]}: {shares[best]:.2%}"


@pytest.mark.parametrize("name", EVERY)
def test_the_weights_load_into_plain_torchvision_and_answer_the_same(name: str, drawn: Drawn, tmp_path: Path) -> None:
    race = trained(name, drawn, ("scratch",))
    model = program(bundle.weights(race), tmp_path, "load.py")["load"]("scratch")
    assert type(model).__module__.startswith("torchvision.models.")
    x = fed(race, 3)[1]
    with torch.no_grad():
        wanted, mine = race.networks["scratch"](x), model(x)
    assert wanted.std() > 1e-3  # it does answer something
    torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_no_number_of_the_weights_changes(name: str, drawn: Drawn) -> None:
    race = trained(name, drawn, ("scratch",))
    state = load(read(bundle.weights(race), "scratch.safetensors"))
    kind = ARCHITECTURES[name]
    model = kind.build(3)
    model.load_state_dict(state, strict=True)
    mine, wanted = nn.Sequential(kind.cut(model)).state_dict(), race.networks["scratch"].state_dict()
    assert list(mine) == list(wanted)
    assert all(torch.equal(mine[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize("settings", BROKEN, ids=str)
def test_the_program_sees_a_picture_as_the_racers_do(settings: Settings, drawn: Drawn, tmp_path: Path) -> None:
    race = trained(SMALL, drawn, **settings)
    path = photo(tmp_path)
    seen = program(bundle.weights(race), tmp_path, "load.py")["see"](path)
    wanted = freezing.normalise(race.see(np.asarray(Image.open(path))), race._fed)
    assert torch.equal(seen, wanted)


def test_the_program_reads_what_is_transparent_or_lies_on_its_side(drawn: Drawn, tmp_path: Path) -> None:
    from engine import pictures

    race = trained(SMALL, drawn)
    see = program(bundle.weights(race), tmp_path, "load.py")["see"]
    page = Image.new("RGBA", (40, 60), (200, 30, 30, 90))
    page.paste((0, 90, 200, 255), (5, 5, 20, 30))
    page.save(tmp_path / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    page.convert("RGB").save(tmp_path / "turned.png", exif=exif)
    for name in ("clear.png", "turned.png"):
        wanted = freezing.normalise(race.see(np.asarray(pictures.read(tmp_path / name))), race._fed)
        assert torch.equal(see(tmp_path / name), wanted)


@pytest.mark.slow  # starts a program of its own
@pytest.mark.parametrize("settings", [BROKEN[0], BROKEN[-1]], ids=str)
def test_load_py_prints_what_the_racer_answers(settings: Settings, drawn: Drawn, tmp_path: Path) -> None:
    race = trained(SMALL, drawn, **settings)
    home, path = unpacked(bundle.weights(race), tmp_path / "away"), photo(tmp_path)
    for lane, more in (("transfer", []), ("scratch", ["scratch"])):
        run = subprocess.run(
            [sys.executable, "-I", "load.py", str(path), *more], cwd=home, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == answer(race, path, lane)


def test_the_header_says_what_the_weights_are(drawn: Drawn, tmp_path: Path) -> None:
    race = trained(SMALL, drawn)
    home = unpacked(bundle.weights(race), tmp_path)
    with safe_open(home / "transfer.safetensors", framework="pt") as file:
        told = file.metadata()
    assert json.loads(told["classes"]) == list(CLASSES)
    assert Plan.from_json(told["plan"]) == race.plan
    assert (json.loads(told["mean"]), json.loads(told["std"])) == (list(race.mean), list(race.std))
    assert (told["px"], told["racer"], told["architecture"]) == ("32", "transfer", SMALL)


def test_the_zip_holds_every_racer_and_what_explains_it(drawn: Drawn) -> None:
    data = bundle.weights(trained(SMALL, drawn))
    explains = ["labels.json", "preprocessing.json", "load.py", "README.txt"]
    assert names(data) == ["scratch.safetensors", "transfer.safetensors", *explains]
    assert json.loads(read(data, "labels.json")) == list(CLASSES)


def test_a_class_name_is_never_part_of_a_program(drawn: Drawn) -> None:
    wild = ('"""; raise SystemExit', "$build", "../猫")
    data = bundle.weights(trained(SMALL, replace(drawn, classes=wild)))
    assert json.loads(read(data, "labels.json")) == list(wild)
    assert read(data, "load.py") == read(bundle.weights(trained(SMALL, drawn)), "load.py")


def test_the_readme_says_what_was_done_to_the_pictures_in_both_languages(drawn: Drawn) -> None:
    race = trained(SMALL, drawn, patches=4, inverted=True)
    assert "4 × 4 patches" in read(bundle.weights(race), "README.txt").decode()
    assert "python load.py PICTURE [scratch | transfer]" in read(bundle.weights(race), "README.txt").decode()
    assert "反転" in read(bundle.weights(race, "ja"), "README.txt").decode()


def test_a_checkpoint_of_ones_own_needs_no_longer_be_here(drawn: Drawn) -> None:
    race = trained(SMALL, drawn)
    race.plan = replace(race.plan, backbone=f"{SMALL}+mine")
    assert b"models.squeezenet1_1()" in read(bundle.weights(race), "load.py")


def test_without_a_racer_that_finished_there_is_nothing_to_take(drawn: Drawn) -> None:
    for make in (bundle.weights, bundle.onnx):
        with pytest.raises(UnavailableError, match="no racer"):
            make(trained(SMALL, drawn, ()))


def test_networks_that_memory_is_too_small_for_are_refused(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    race = trained(SMALL, drawn)
    monkeypatch.setattr(packing, "free_memory", lambda: race.size)  # the zip alone would just fit
    with pytest.raises(UnavailableError, match="try again when no race is on"):
        bundle.weights(race)


def test_where_onnx_is_missing_the_command_is_named(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "can_onnx", lambda: False)
    with pytest.raises(UnavailableError, match="pip install onnx onnxscript"):
        bundle.onnx(trained(SMALL, drawn))


def session(data: bytes, lane: str = "scratch") -> Callable[[Tensor], Tensor]:
    """A network out of the zip, run by onnxruntime."""
    onnxruntime = pytest.importorskip("onnxruntime")
    found = onnxruntime.InferenceSession(read(data, f"{lane}.onnx"), providers=["CPUExecutionProvider"])
    return lambda pixels: torch.from_numpy(found.run(["probabilities"], {"pictures": pixels.numpy()})[0])


needs_onnx = pytest.mark.skipif(not bundle.can_onnx(), reason="onnx and onnxscript are not installed")


@needs_onnx
@pytest.mark.slow  # torch's exporter takes seconds
@pytest.mark.parametrize("name", EXPORTED)
def test_onnx_answers_what_the_racer_answers_for_any_number_of_pictures(name: str, drawn: Drawn) -> None:
    race = trained(name, drawn, ("scratch",))
    ask = session(bundle.onnx(race))
    pixels, x = fed(race, 5)
    with torch.no_grad():
        wanted = race.networks["scratch"](x).softmax(1)
    assert wanted.std() > 1e-3
    for count in (1, 2, 5):
        mine = ask(pixels[:count])
        torch.testing.assert_close(mine, wanted[:count], rtol=0, atol=1e-4)
        assert torch.equal(mine.argmax(1), wanted[:count].argmax(1))


@needs_onnx
@pytest.mark.slow  # torch's exporter takes seconds
def test_onnx_inverts_and_shuffles_inside_and_tells_no_path_of_this_machine(drawn: Drawn) -> None:
    race = trained(SMALL, drawn, **BROKEN[-1])
    data = bundle.onnx(race)
    pixels, x = fed(race, 2)
    with torch.no_grad():
        wanted = race.networks["transfer"](x).softmax(1)
    torch.testing.assert_close(session(data, "transfer")(pixels), wanted, rtol=0, atol=1e-4)
    assert names(data)[-4:] == ["labels.json", "preprocessing.json", "infer.py", "README.txt"]
    written = read(data, "transfer.onnx")
    assert not [path for path in (str(Path(__file__).parents[1]), sys.prefix, "site-packages") if path.encode() in written]


@needs_onnx
@pytest.mark.slow  # torch's exporter takes seconds
def test_a_race_beside_an_export_goes_on(drawn: Drawn) -> None:
    """In one process torch's exporter would break it: it patches what all threads share."""
    done: list[bytes] = []
    exporting = threading.Thread(target=lambda: done.append(bundle.onnx(trained(SMALL, drawn, ("scratch",)))))
    exporting.start()
    ends: list[str] = []
    while exporting.is_alive():
        ends += [e.reason for e in run_race(Plan(examples=2, epochs=1, learning_stages=1)) if isinstance(e, Finished)]
    assert done
    assert set(ends) == {"done"}


@needs_onnx
@pytest.mark.slow  # starts a program of its own
def test_infer_py_prints_what_the_racer_answers(drawn: Drawn, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    race = trained(SMALL, drawn, **BROKEN[-1])
    home, path = unpacked(bundle.onnx(race), tmp_path / "away"), photo(tmp_path)
    run = subprocess.run([sys.executable, "-I", "infer.py", str(path)], cwd=home, capture_output=True, text=True, check=True)
    kind, share = run.stdout.strip().split(": ")
    wanted = answer(race, path, "transfer").split(": ")
    assert kind == wanted[0]
    assert float(share[:-1]) == pytest.approx(float(wanted[1][:-1]), abs=0.02)


def test_the_name_that_opens_ones_own_pictures_stays_here(drawn: Drawn) -> None:
    networks = {"scratch": ARCHITECTURES["resnet10"].build(3)}
    stages = {lane: nn.Sequential(ARCHITECTURES["resnet10"].cut(network)) for lane, network in networks.items()}
    data = bundle.weights(Trained(Plan(task="own-SECRET"), drawn, stages))
    assert all(b"SECRET" not in read(data, name) for name in names(data))
