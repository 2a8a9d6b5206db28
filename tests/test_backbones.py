"""Stages are torchvision's own network, and broken weights are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models.resnet import BasicBlock, ResNet

from engine import PlanError, UnavailableError, backbones


@pytest.mark.parametrize("px", [64, 96])
def test_the_stages_equal_torchvisions_resnet(px: int) -> None:
    torch.manual_seed(0)
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=7).double().eval()
    x = torch.randn(3, 3, px, px, dtype=torch.float64)
    staged = torch.nn.Sequential(backbones.cut_resnet(model))
    with torch.no_grad():
        assert torch.equal(staged(x), model(x))
    assert list(dict(staged.named_children())) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    assert sum(p.numel() for p in staged.parameters()) == sum(p.numel() for p in model.parameters())


def test_a_network_depends_on_its_seed_alone(tiny: Path) -> None:
    torch.manual_seed(1)
    first = backbones.build("resnet10", 3, seed=5, pretrained=False)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = backbones.build("resnet10", 3, seed=5, pretrained=False)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_pretrained_weights_fill_all_but_the_head(tiny: Path) -> None:
    bare = backbones.build("resnet10", 3, seed=5, pretrained=False)
    taught = backbones.build("resnet10", 3, seed=5, pretrained=True)
    assert not torch.equal(bare[0].conv1.weight, taught[0].conv1.weight)  # type: ignore[union-attr]
    assert torch.equal(bare[-1].weight, taught[-1].weight)  # type: ignore[union-attr]


def test_the_stage_facts_are_those_of_the_network(tiny: Path) -> None:
    facts = backbones.stages("resnet10", 7)
    assert [f.shape for f in facts][-2:] == [(512,), (7,)]
    model = backbones.build("resnet10", 7, 0, False)
    assert [f.parameters for f in facts] == [sum(p.numel() for p in s.parameters()) for s in model]
    assert facts[-1].parameters == 512 * 7 + 7


def test_an_unknown_backbone_is_refused_with_those_there_are() -> None:
    with pytest.raises(PlanError, match="there is resnet10"):
        backbones.find("resnet1000")


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "other"])
def test_broken_weights_are_named_with_the_command_that_remakes_them(
    tiny: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tiny / "backbone" / "resnet10.safetensors", tmp_path / "bad.safetensors"
    if damage == "truncated":
        bad.write_bytes(good.read_bytes()[:100_000])
    elif damage == "text":
        bad.write_text("these are not the weights")
    elif damage == "other":
        from safetensors.torch import save_file

        save_file({"something": torch.zeros(2)}, bad)
    broken = replace(backbones.BACKBONES["resnet10"], weights=bad)
    monkeypatch.setattr(backbones, "BACKBONES", {"resnet10": broken})
    with pytest.raises(UnavailableError) as refusal:
        backbones.build("resnet10", 3, 0, True)
    assert "bad.safetensors" in str(refusal.value)
    if damage != "other":
        assert "python -m engine pretrain" in str(refusal.value)
