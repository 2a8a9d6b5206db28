"""Every architecture's stages are its library's own network, learn and freeze one by one, and fit its published weights."""

from __future__ import annotations

from functools import cache

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from engine.models.architectures import ARCHITECTURES

CLASSES = 7
QUICK = ("resnet10", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x1_0")  # these also run with real numbers
every = pytest.mark.parametrize("name", ARCHITECTURES)
every_with_numbers = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)


def untouched(name: str) -> nn.Module:
    """The library's model as its published weights need it: 1,000 classes, and for Inception a second head."""
    if name == "resnet10":
        return ResNet(BasicBlock, [1, 1, 1, 1])
    if name == "efficientnet_lite0":
        return timm.create_model(name, bn_eps=1e-3)
    quick = {"init_weights": False, "transform_input": True} if name == "inception_v3" else {}
    return models.get_model(name, weights=None, **quick)


def varied(model: nn.Module) -> nn.Module:
    """The model with noise on all that began as a constant, BatchNorm's statistics too, so that no branch is silent."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.min() == parameter.max():
                parameter += 0.3 * torch.randn_like(parameter)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return model


def fresh(name: str) -> tuple[nn.Sequential, Tensor]:
    """An architecture's stages with a new head, and small random pictures.

    Three pictures: BatchNorm over two values, in maps of one pixel, passes next to no gradient. One where the side is
    fixed: that has no BatchNorm, and 224 px take seconds.
    """
    torch.manual_seed(0)
    kind = ARCHITECTURES[name]
    pictures = 1 if kind.is_fixed else 3
    return nn.Sequential(kind.split(kind.build(CLASSES))), torch.randn(pictures, 3, kind.smallest, kind.smallest)


def glimpse(stage: nn.Module) -> Tensor:
    """The first hundred numbers of each of its parameters: enough to see a stage move."""
    return torch.cat([parameter.detach().flatten()[:100] for parameter in stage.parameters()])


@cache
def on_paper(name: str, is_published: bool = False) -> tuple[nn.Module, nn.Sequential]:
    """The library's model and its stages, all shapes and no numbers."""
    with torch.device("meta"):
        model = untouched(name) if is_published else ARCHITECTURES[name].build(CLASSES)
    return model.eval(), nn.Sequential(ARCHITECTURES[name].split(model)).eval()


def shapes(name: str, image_size: int) -> list[tuple[int, ...]]:
    """What every stage gives for one picture of that side."""
    x, found = torch.empty(1, 3, image_size, image_size, device="meta"), []
    with torch.no_grad():
        for stage in on_paper(name)[1]:
            x = stage(x)
            found.append(tuple(x.shape[1:]))
    return found


@every_with_numbers
@pytest.mark.parametrize("is_published", [True, False], ids=["published", "new-head"])
def test_the_stages_answer_what_torchvisions_model_answers(name: str, is_published: bool) -> None:
    torch.manual_seed(0)
    kind = ARCHITECTURES[name]
    model = varied((untouched(name) if is_published else kind.build(CLASSES)).double()).eval()
    x = torch.randn(2, 3, kind.smallest, kind.smallest, dtype=torch.float64)
    with torch.no_grad():
        wanted = model(x)
        assert torch.equal(nn.Sequential(kind.split(model))(x), wanted)
    assert not torch.equal(wanted[0], wanted[1])


@pytest.mark.slow
@every
@pytest.mark.parametrize("is_published", [True, False], ids=["published", "new-head"])
def test_the_stages_hold_the_models_own_tensors_and_the_head_those_that_are_named(name: str, is_published: bool) -> None:
    model, staged = on_paper(name, is_published)
    head = [key for key in ARCHITECTURES[name].head if not key.startswith("AuxLogits.")]
    owned = {key: id(tensor) for key, tensor in model.state_dict(keep_vars=True).items()}
    ends, body = ({id(tensor) for tensor in part.state_dict(keep_vars=True).values()} for part in (staged[-1], staged[:-1]))
    assert ends == {owned[key] for key in head}
    assert body == {tensor for key, tensor in owned.items() if key not in ARCHITECTURES[name].head}


@every_with_numbers
def test_published_weights_fit_all_but_the_head(name: str) -> None:
    published, ours = (
        {key: value.shape for key, value in on_paper(name, is_published)[0].state_dict().items()}
        for is_published in (True, False)
    )
    head = ARCHITECTURES[name].head
    assert set(head) <= set(published)
    assert {k: v for k, v in published.items() if k not in head} == {k: v for k, v in ours.items() if k not in head}


@pytest.mark.slow
@every
def test_a_new_head_ends_in_a_linear_layer_of_so_many_classes(name: str) -> None:
    linear = on_paper(name)[0].get_submodule(ARCHITECTURES[name].head_layer)
    assert isinstance(linear, nn.Linear)
    assert linear.out_features == CLASSES


@pytest.mark.slow
@every
def test_there_are_five_to_eight_stages_and_a_lone_head_is_fed_one_row_for_a_picture(name: str) -> None:
    stages = [stage for stage, _ in on_paper(name)[1].named_children()]
    found = shapes(name, ARCHITECTURES[name].image_size)
    assert 5 <= len(stages) <= 8
    assert stages[-1] == "head"
    assert len(found[-2]) == 1
    assert found[-1] == (CLASSES,)


@every
def test_the_side_is_the_one_its_library_states(name: str) -> None:
    kind = ARCHITECTURES[name]
    if name == "resnet10":
        assert kind.image_size == 64  # ours, not torchvision's
        return
    if name == "efficientnet_lite0":
        assert (3, kind.image_size, kind.image_size) == timm.get_pretrained_cfg(name).input_size
        return
    weights = models.get_model_weights(name)["IMAGENET1K_V1"]
    assert [kind.image_size] == weights.transforms().crop_size
    assert kind.name == name


@pytest.mark.slow
@every
def test_the_smallest_side_is_taken_and_a_fixed_one_alone(name: str) -> None:
    kind = ARCHITECTURES[name]
    assert shapes(name, kind.smallest)[-1] == (CLASSES,)
    assert kind.is_fixed == (kind.smallest == kind.image_size)
    if kind.is_fixed or name == "inception_v3":
        with pytest.raises((RuntimeError, AssertionError)):
            shapes(name, kind.smallest - 1)


@every_with_numbers
def test_no_stage_writes_on_what_it_is_fed(name: str) -> None:
    staged, x = fresh(name)
    staged.train()
    with torch.no_grad():
        for stage in staged:
            before = x.clone()
            answer = stage(x)
            assert torch.equal(x, before)
            x = answer


@every_with_numbers
def test_channels_last_in_bf16_gives_finite_gradients(name: str) -> None:
    staged, x = fresh(name)
    staged.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    with torch.autocast("cpu", torch.bfloat16):
        loss = nn.functional.cross_entropy(staged(x.contiguous(memory_format=torch.channels_last)), torch.arange(len(x)))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in staged.parameters())


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet34", "resnet50"])
def test_a_fresh_resnets_residuals_begin_at_zero_where_its_row_says_so(name: str) -> None:
    kind = ARCHITECTURES[name]
    blocks = [b for b in kind.build(CLASSES).modules() if isinstance(b, (BasicBlock, Bottleneck))]
    last = [block.bn2 if isinstance(block, BasicBlock) else block.bn3 for block in blocks]
    assert {bool(norm.weight.any()) for norm in last} == {not kind.build.keywords.get("zero_init_residual")}


def test_the_residual_branches_of_efficientnet_lite0_begin_at_zero() -> None:
    blocks = [m for m in ARCHITECTURES["efficientnet_lite0"].build(CLASSES).modules() if getattr(m, "has_skip", False)]
    assert len(blocks) == 9
    assert not any(block.bn3.weight.any() for block in blocks)


def test_zero_initialised_residuals_are_for_the_deep_resnet_not_for_the_shallow_one() -> None:
    assert ARCHITECTURES["resnet50"].build.keywords["zero_init_residual"]
    assert "zero_init_residual" not in ARCHITECTURES["resnet10"].build.keywords
