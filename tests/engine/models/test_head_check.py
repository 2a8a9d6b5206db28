"""A new head is really built, shown a picture and judged; what was typed is read and never run."""

from __future__ import annotations

import pytest

from engine.errors import PlanError
from engine.models import head_check
from engine.models.head_check import HeadVerdict, check_head, read

RIGHT = "model.fc = nn.Linear(512, 7)"


def predictions(line: str, into: int = 512, out: int = 7, backbone: str = "resnet18") -> HeadVerdict:
    return check_head(backbone, into, out, line)


@pytest.mark.parametrize(
    "line",
    [
        RIGHT,
        "  model.fc=nn.Linear(512,7)  ",
        "model.fc = torch.nn.Linear(512, 7)",
        "model.fc = nn.Linear(in_features=512, out_features=7)",
        "model.fc = nn.Linear(512, out_features=7, bias=False)",
    ],
)
def test_the_right_line_is_right_however_it_is_written(line: str) -> None:
    layer, right = read(line), read(RIGHT)
    assert layer
    assert right
    assert (layer.place, layer.in_features, layer.out_features) == (right.place, right.in_features, right.out_features)


def test_a_right_head_tells_its_answer_and_its_weights() -> None:
    assert predictions(RIGHT).detail == {"shape": "1 × 7", "classes": "7", "weights": "3,591"}
    assert predictions("model.fc = nn.Linear(512, 7, bias=False)").detail["weights"] == "3,584"


@pytest.mark.parametrize(
    ("backbone", "line"),
    [
        ("resnet10", RIGHT),
        ("mobilenet_v2", "model.classifier[1] = nn.Linear(1280, 7)"),
        ("mobilenet_v2", "model.classifier[-1] = nn.Linear(1280, 7)"),
        ("squeezenet1_1", "model.classifier[1] = nn.Linear(512, 7)"),
        ("vgg11", "model.classifier[6] = nn.Linear(4096, 7)"),
        ("shufflenet_v2_x1_0", "model.fc = nn.Linear(1024, 7)"),
    ],
)
def test_every_network_has_a_head_to_replace(backbone: str, line: str) -> None:
    layer = head_check.read(line)
    assert layer
    assert check_head(backbone, layer.in_features, 7, line).is_correct


def test_too_few_in_features_are_refused_by_torch_itself() -> None:
    verdict = predictions("model.fc = nn.Linear(256, 7)", 256)
    assert (verdict.is_correct, verdict.key) == (False, "refused")
    assert "512" in verdict.detail["error"]
    assert "256" in verdict.detail["error"]


def test_a_wrong_number_of_classes_runs_and_answers_the_wrong_number() -> None:
    verdict = predictions("model.fc = nn.Linear(512, 10)", out=10)
    assert (verdict.key, verdict.detail["shape"]) == ("outputs", "1 × 10")


@pytest.mark.parametrize("name", ["head", "classifier", "forward"])
def test_a_layer_under_a_name_that_nobody_calls_changes_nothing(name: str) -> None:
    verdict = predictions(f"model.{name} = nn.Linear(512, 7)")
    assert (verdict.key, verdict.detail["shape"]) == ("unused", "1 × 1000")


@pytest.mark.parametrize("place", ["fc[0]", "nothing.fc", "conv1.weight", "layer1[9]", "layer1[0].nothing[0]"])
def test_a_place_that_the_network_has_not_is_named(place: str) -> None:
    verdict = predictions(f"model.{place} = nn.Linear(512, 7)")
    assert verdict.key == "place"
    assert verdict.detail["place"] == place.replace("[", ".").replace("]", "")


def test_another_layer_than_the_head_is_not_the_head() -> None:
    assert predictions("model.layer4 = nn.Linear(512, 7)").key == "refused"


def test_the_two_numbers_must_be_those_of_the_line() -> None:
    assert predictions(RIGHT, 256).key == "boxes"
    assert predictions(RIGHT, 512, 1000).key == "boxes"


@pytest.mark.parametrize("number", ["0", "-3", "100001", "9" * 150])
def test_a_size_that_no_layer_has_is_refused_before_anything_is_built(number: str) -> None:
    assert predictions(f"model.fc = nn.Linear({number}, 7)").key in ("range", "form")


@pytest.mark.parametrize(
    "line",
    [
        "__import__('os').system('touch /tmp/headswap')",
        "model.fc = __import__('os')",
        "model.fc = nn.Linear(512, 7); import os",
        "model.fc = nn.Linear(512, 7)\nimport os",
        "(model := 1)",
        "model.fc = nn.Linear(512, (n := 7))",
        "model.fc = nn.Linear(f'{512}', 7)",
        "model.fc = nn.Linear(512, 7).__class__",
        "model.fc = nn.Linear(512, 7, 1, 2)",
        "model.fc = nn.Linear(512, 7, out_features=7)",
        "model.fc = nn.Linear(512, 7, device=0)",
        "model.fc = nn.Linear(*[512, 7])",
        "model.fc = nn.Linear(**{})",
        "model.fc = nn.Linear(5e2, 7)",
        "model.fc = nn.Linear(True, 7)",
        "model.fc = nn.Linear(512)",
        "model.fc = nn.Conv2d(512, 7, 1)",
        "model.fc = Linear(512, 7)",
        "model.__class__ = nn.Linear(512, 7)",
        "model.fc = model.conv1 = nn.Linear(512, 7)",
        "model = nn.Linear(512, 7)",
        "nn.fc = nn.Linear(512, 7)",
        "model().fc = nn.Linear(512, 7)",
        "model.fc[exit()] = nn.Linear(512, 7)",
        "model.fc += nn.Linear(512, 7)",
        "model.fc = nn.Linear(512if, 7)",
        "model.fc = nn.Linear(512, 7)\x00",
        "(" * 199,
        "model.fc = " + "-" * 180 + "1",
        "model.fc = nn.Linear(512, 7)" + " " * 10_000 + "#",
        "import os",
        "",
    ],
)
def test_anything_else_is_not_understood_and_not_run(line: str) -> None:
    assert head_check.read(line) is None
    assert predictions(line).key in ("form", "unreadable")


def test_a_network_that_is_not_there_is_refused() -> None:
    with pytest.raises(PlanError, match="resnet18"):
        check_head("resnet19", 512, 7, RIGHT)


def test_the_ending_shows_the_head_as_torch_prints_it() -> None:
    assert (
        head_check.model_ending("resnet18").splitlines()[-2]
        == "  (fc): Linear(in_features=512, out_features=1000, bias=True)"
    )
    assert "(1): Linear(in_features=1280" in head_check.model_ending("mobilenet_v2")
