"""The recipe of the embedded backbone, on a handful of pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from engine import DataError
from engine.build import pretrain
from engine.build.pretrain import PretrainFinished, PretrainProgress, Recipe
from engine.models import architectures
from engine.rng import generator

SMALL = Recipe(epochs=2, large_epochs=1, small_px=32, large_px=32, batch=4, views=1)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes, six training and three validation pictures each, as unpacked folders."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for wnid in ("n01", "n02"):
            folder = tmp_path / "images" / split / wnid
            folder.mkdir(parents=True)
            for k in range(count):
                Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    return tmp_path / "images"


def run(images: Path, work: Path, recipe: Recipe = SMALL, stop_after: int | None = None) -> tuple[torch.nn.Module, list]:
    torch.manual_seed(0)
    model, seen = architectures.resnet10(2), []
    for event in pretrain.pretrain(model, images, work, recipe, None, torch.device("cpu")):
        seen.append(event)
        if stop_after and isinstance(event, PretrainProgress) and event.part == "validation" and event.done == stop_after:
            break
    return model, seen


@pytest.mark.slow
def test_an_interrupted_run_resumes_to_the_same_weights(images: Path, tmp_path: Path) -> None:
    whole, _ = run(images, tmp_path / "a")
    run(images, tmp_path / "b", stop_after=1)
    resumed, events = run(images, tmp_path / "b")
    assert min(e.done for e in events if isinstance(e, PretrainProgress) and e.part == "training") == 4  # the second epoch's
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


@pytest.mark.slow
def test_the_end_counts_the_whole_validation_set(images: Path, tmp_path: Path) -> None:
    model, events = run(images, tmp_path / "a")
    end = events[-1]
    assert isinstance(end, PretrainFinished)
    assert end.total == 6
    assert end.correct == pretrain.validate(model, *validation(images), torch.device("cpu"))[0]


def validation(images: Path) -> tuple[torch.Tensor, torch.Tensor]:
    *_, last = pretrain.read_pictures(images, "val")
    assert isinstance(last, tuple)
    return last


@pytest.mark.slow
def test_a_run_with_another_recipe_does_not_resume(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "a", stop_after=1)
    with pytest.raises(DataError, match="another recipe"):
        run(images, tmp_path / "a", Recipe(epochs=3, large_epochs=1, small_px=32, large_px=32, batch=4, views=1))


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no train pictures"):
        run(tmp_path, tmp_path / "a")


@pytest.mark.slow
def test_the_weights_are_half_precision_and_fit_torchvisions_network(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(pretrain.make(images, tmp_path / "a", out, SMALL, None))
    state = load_file(out / "resnet10.safetensors") | load_file(out / "resnet10-head.safetensors")
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {torch.float16}
    missing, unexpected = architectures.resnet10(200).load_state_dict(
        {k: v.float() for k, v in state.items() if not k.startswith("fc.")}, strict=False
    )
    assert missing == ["fc.weight", "fc.bias"]
    assert unexpected == []
    assert json.loads((out / "resnet10.json").read_text())["validation"]["total"] == 6


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [pretrain.learning_rate(step, 100, 10, 0.2) for step in range(100)]
    assert max(rates) == pytest.approx(0.2)
    assert rates[0] == pytest.approx(0.02)
    assert rates[-1] < 0.005


def test_the_teachers_features_are_of_the_crop_that_the_student_sees(tmp_path: Path) -> None:
    """Compared with the teacher in fp32 before BatchNorm is folded; the tolerance is that of bf16."""
    from torchvision.models import MobileNetV2

    from engine.data import augmentation

    torch.manual_seed(0)
    teacher = MobileNetV2().requires_grad_(False)
    for module in teacher.modules():  # use statistics of these inputs: an untrained network's signal would vanish
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    teacher(torch.rand(8, 3, 129, 129) * 2 - 1)
    teacher.eval()
    pixels = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8)
    boxes = augmentation.draw_boxes(3, generator(0))
    list(pretrain.write_teacher_features(teacher, pixels, boxes, tmp_path / "view.npy", torch.device("cpu")))
    written = torch.from_numpy(np.load(tmp_path / "view.npy")).float()
    crop = augmentation.crop(pixels, boxes, torch.zeros(3, dtype=torch.bool), pretrain.TEACHER_SIZE)
    expected = teacher.features(crop * 2 - 1).mean((2, 3))
    similar = torch.nn.functional.cosine_similarity(written, expected)
    assert written.shape == (3, 1280)
    assert similar.min() > 0.99
