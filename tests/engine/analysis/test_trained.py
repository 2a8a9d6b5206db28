"""What the networks of a finished race say, checked against the formulas and against torchvision's whole networks."""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from engine import DataError, Plan, run_race
from engine.analysis.trained import Embedding, Trained, activation_map, nearest, project
from engine.data import augmentation, corruptions
from engine.events import Progressed
from engine.models import freezing, pretrained
from engine.models.architectures import ARCHITECTURES
from engine.progress import run_to_end
from engine.race.inputs import RaceInputs, sample_inputs
from engine.training.features import FreshInputs
from engine.workspace import Workspace
from tests.conftest import CELL, CLASSES, CPU

QUICK = ("resnet10", "squeezenet1_1", "mobilenet_v3_small")


def lively(network: nn.Sequential) -> nn.Sequential:
    """A network whose every part speaks: what starts at zero does not."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        elif not parameter.any():
            nn.init.constant_(parameter, 0.5)
    return network.eval().requires_grad_(False)


def small(channels: int = 6, classes: int = 3) -> nn.Sequential:
    """A convolution, a mean and a linear head, in float64."""
    torch.manual_seed(1)
    stage = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(OrderedDict(stem=stage, head=nn.Linear(channels, classes))).double().eval().requires_grad_(False)


@pytest.fixture
def race(drawn: RaceInputs) -> Trained:
    networks = {
        name: lively(pretrained.build(drawn.backbone, 3, k, False)) for k, name in enumerate(("pretrained", "scratch"))
    }
    return Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, networks)


def test_the_networks_of_a_race_keep_no_gradients(workspace: Workspace) -> None:
    running = run_race(Plan(examples_per_class=2, epochs=1, trainable_stages=1), workspace, CPU)
    list(running)
    kept = running.trained
    assert kept is not None
    parameters = [p for network in kept.networks.values() for p in network.parameters()]
    assert len(parameters) > 10
    assert all(p.grad is None and not p.requires_grad for p in parameters)
    tensors = [t for network in kept.networks.values() for t in network.state_dict().values()]
    assert kept.size == sum(t.nbytes for t in tensors)


def test_the_size_counts_gradients_and_whole_storages(drawn: RaceInputs) -> None:
    network = small()
    weights = sum(p.nbytes for p in network.parameters())
    kept = Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, {"scratch": network})
    assert kept.size == weights
    bias = network.head.bias
    bias.requires_grad_().sum().backward()
    assert kept.size == weights + bias.nbytes
    bias.data = torch.zeros(1000, dtype=bias.dtype)[:3]
    assert kept.size == weights + 1000 * bias.element_size()


def test_the_map_equals_a_calculation_by_hand() -> None:
    network, x = small(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    logits, heatmap = activation_map(network, x, class_index=1)
    conv, head = network.stem[0], network.head
    maps = torch.nn.functional.conv2d(x, conv.weight, conv.bias, padding=1).clamp(min=0)[0]
    by_hand = sum(max(0.0, float(head.weight[1, k])) / 64 * maps[k] for k in range(6))
    torch.testing.assert_close(heatmap, by_hand / by_hand.max(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(logits, head.weight @ maps.mean((1, 2)) + head.bias, rtol=1e-12, atol=1e-12)


def test_with_weights_above_zero_it_is_the_plain_class_activation_map() -> None:
    network, x = small(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    network.head.weight.abs_()
    maps = network.stem[:2](x)[0]
    for class_index in range(3):
        cam = torch.einsum("k,khw->hw", network.head.weight[class_index], maps)
        torch.testing.assert_close(activation_map(network, x, class_index)[1], cam / cam.max(), rtol=1e-12, atol=1e-12)


def test_without_a_class_the_map_is_for_the_predicted_class() -> None:
    network, x = small(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    predicted = int(network(x).argmax())
    assert torch.equal(activation_map(network, x)[1], activation_map(network, x, predicted)[1])


def test_the_map_shines_where_the_evidence_is() -> None:
    network = small(channels=1, classes=2)
    nn.init.constant_(network.stem[0].weight, 1.0)
    nn.init.zeros_(network.stem[0].bias)
    nn.init.ones_(network.head.weight)
    x = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    x[..., 2:5, 10:13] = 1.0
    heatmap = activation_map(network, x, 0)[1]
    assert heatmap.argmax() == 3 * 16 + 11
    assert heatmap[:, :8].max() == 0


def test_a_map_that_says_nothing_is_zero_and_one_that_is_alike_everywhere_is_one() -> None:
    network = small()
    nn.init.zeros_(network.head.weight)
    x = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(activation_map(network, x)[1], torch.zeros(8, 8))
    nn.init.ones_(network.head.weight)
    nn.init.zeros_(network.stem[0].weight)
    nn.init.ones_(network.stem[0].bias)
    assert torch.equal(activation_map(network, x)[1], torch.ones(8, 8).double())


def test_tiny_last_maps_are_averaged_with_those_of_the_stages_below() -> None:
    network, x = lively(pretrained.build(pretrained.embedded(), 3, 0, False)), torch.rand(1, 3, 64, 64)
    heatmap = activation_map(network, x, 0)[1]
    active = x.clone().requires_grad_()
    maps = []
    for stage in list(network)[:-2]:
        active = stage(active)
        maps.append(active)
    top = network.layer4.layer4(active)
    score = network.head(top.mean((2, 3)))[0, 0]
    expected = torch.zeros(1, 1, 64, 64)
    for one in (top, maps[-1], maps[-2]):  # 2, 4 and 8 cells a side
        slope = torch.autograd.grad(score, one, retain_graph=True)[0]
        cam = (one.detach() * slope.relu()).sum(1, keepdim=True).relu()
        expected += torch.nn.functional.interpolate(cam / cam.max(), (64, 64), mode="bilinear") / 3
    torch.testing.assert_close(heatmap, (expected / expected.max())[0, 0])


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in ARCHITECTURES])
def test_every_architecture_looks_somewhere_and_answers_as_torchvisions(name: str) -> None:
    architecture = ARCHITECTURES[name]
    torch.manual_seed(0)
    whole = architecture.build(3)
    network = lively(nn.Sequential(architecture.split(whole)))
    x = torch.randn(1, 3, architecture.smallest, architecture.smallest)
    logits, heatmap = activation_map(network, x)
    torch.testing.assert_close(logits, whole.eval()(x)[0])
    assert heatmap.shape == x.shape[-2:]
    assert heatmap.min() >= 0
    assert heatmap.max() == pytest.approx(1.0)
    assert heatmap.std() > 0.01


def test_probabilities_are_the_softmax_of_the_whole_network(race: Trained, drawn: RaceInputs) -> None:
    image = drawn.data.heldout[0].permute(1, 2, 0).numpy()
    answers = race.answer(image)
    assert tuple(answers) == race.racers == ("scratch", "pretrained")
    fed = freezing.normalise(
        augmentation.resize(drawn.data.heldout[:1], drawn.preprocessing.image_size), drawn.preprocessing
    )
    for racer, answer in answers.items():
        expected = race.networks[racer](fed).softmax(1)[0]
        torch.testing.assert_close(torch.tensor(answer.probabilities), expected)
        assert answer.class_index == expected.argmax()
        assert answer.map.shape == (CELL, CELL)
        assert answer.map.dtype == np.float32
        assert np.array_equal(answer.seen, image)


@pytest.mark.parametrize("settings", [{}, {"invert_colors": True}, {"shuffle_grid": 4}, {"image_size": 48}])
def test_a_picture_is_seen_as_the_race_prepares_a_held_out_one(workspace: Workspace, settings: dict[str, object]) -> None:
    plan = replace(Plan(examples_per_class=4), **settings)  # type: ignore[arg-type]
    inputs = run_to_end(sample_inputs(plan, workspace))
    mine = Trained(plan, inputs.data, inputs.preprocessing, {})
    original = workspace.tasks.tabletop.sheets()["heldout"].reshape(-1, CELL, CELL, 3)
    asked = FreshInputs(nn.Sequential(), inputs.data, inputs.preprocessing, False, 0, CPU).heldout(slice(None))
    for row in range(len(asked)):  # a race asks class by class, in an order of its own
        held = inputs.data.heldout[row].permute(1, 2, 0).numpy()
        image = next(each for each in original if np.array_equal(255 - each if plan.invert_colors else each, held))
        assert torch.equal(freezing.normalise(mine.preprocess(image), inputs.preprocessing), asked[row : row + 1])


def test_of_a_large_picture_the_square_in_the_middle_is_seen(race: Trained) -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 200
    seen = race.preprocess(wide)
    assert seen.shape == (1, 3, CELL, CELL)
    torch.testing.assert_close(seen[..., 2:-2], torch.full((1, 3, CELL, CELL - 4), 200 / 255))  # bicubic rings at the edges


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
def test_what_is_no_picture_is_refused(race: Trained, image: np.ndarray) -> None:
    with pytest.raises(DataError, match="not a colour picture"):
        race.preprocess(image)


def test_the_map_of_shuffled_patches_lies_where_they_came_from(drawn: RaceInputs) -> None:
    plan, image = Plan(examples_per_class=4, shuffle_grid=4), np.zeros((CELL, CELL, 3), np.uint8)
    image[0:8, 16:24] = 255
    preprocessing = corruptions.preprocessing(plan, CELL, ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    network = small(channels=1, classes=2).float()
    nn.init.zeros_(network.stem[0].weight)
    network.stem[0].weight[:, :, 1, 1] = 1.0
    nn.init.zeros_(network.stem[0].bias)
    nn.init.ones_(network.head.weight)
    answer = Trained(plan, drawn.data, preprocessing, {"scratch": network}).answer(image)["scratch"]
    assert np.array_equal(answer.map, image[..., 0] / 255)
    assert np.array_equal(answer.seen, image)


def test_a_network_that_diverged_has_no_answer_and_no_map(drawn: RaceInputs) -> None:
    network = lively(pretrained.build(drawn.backbone, 3, 0, False))
    nn.init.constant_(network.head.weight, float("nan"))
    answer = Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, {"scratch": network}).answer(
        drawn.data.heldout[0].permute(1, 2, 0).numpy()
    )
    assert answer["scratch"].probabilities == (0.0, 0.0, 0.0)
    assert not answer["scratch"].map.any()


def test_many_may_ask_at_once(race: Trained, drawn: RaceInputs) -> None:
    images = [drawn.data.heldout[k].permute(1, 2, 0).numpy() for k in (0, 6, 12)]
    alone = [race.answer(image)["pretrained"] for image in images]
    together: dict[int, list[bool]] = {}

    def ask(k: int) -> None:
        again = [race.answer(images[k])["pretrained"] for _ in range(2)]
        together[k] = [np.array_equal(one.map, alone[k].map) for one in again]

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {k: [True] * 2 for k in range(3)}


def test_it_keeps_no_picture_and_knows_its_size(race: Trained, drawn: RaceInputs) -> None:
    one = pretrained.build(drawn.backbone, 3, 0, False)
    assert race.size == 2 * sum(t.nbytes for t in [*one.parameters(), *one.buffers()])
    assert race.classes == CLASSES
    assert len(pickle.dumps(Trained(race.plan, drawn.data, drawn.preprocessing, {}))) < drawn.data.training.nbytes
    assert not any(p.requires_grad for network in race.networks.values() for p in network.parameters())


def test_features_are_what_the_head_is_fed(race: Trained, drawn: RaceInputs) -> None:
    work = race.embed(drawn.data)
    first = next(work)
    assert isinstance(first, Progressed)
    assert first.total == 2 * (len(drawn.data.heldout) + len(drawn.data.training))
    heatmap = run_to_end(work)
    for racer, embedding in heatmap.items():
        network = race.networks[racer]
        with torch.no_grad():
            logits = network(
                freezing.normalise(
                    augmentation.resize(drawn.data.heldout, drawn.preprocessing.image_size), drawn.preprocessing
                )
            )
        torch.testing.assert_close(network[-1](torch.from_numpy(embedding.heldout)), logits)
        assert embedding.training.shape == (len(drawn.data.training), embedding.heldout.shape[1])


def test_principal_components_are_the_first_eigenvectors_of_the_covariance() -> None:
    features = np.random.default_rng(0).normal(size=(40, 7)) * np.arange(1, 8)
    directions = np.linalg.eigh(np.cov(features.T))[1][:, :-3:-1]  # by rising eigenvalue
    expected, mine = (features - features.mean(0)) @ directions, project(features)
    np.testing.assert_allclose(mine, expected * np.sign((mine * expected).sum(0)), rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # scikit-learn takes seconds to import
def test_principal_components_equal_scikit_learns_up_to_sign() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    features = np.random.default_rng(0).normal(size=(40, 7)) * np.arange(1, 8)
    mine, theirs = project(features), decomposition.PCA(2).fit_transform(features)
    np.testing.assert_allclose(mine * np.sign((mine * theirs).sum(0)), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (6, 1)])
def test_few_features_still_have_places_on_a_plane(shape: tuple[int, int]) -> None:
    plane = project(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    assert plane.shape == (shape[0], 2)
    assert np.isfinite(plane).all()


def test_the_nearest_are_those_that_comparing_every_pair_finds() -> None:
    rng = np.random.default_rng(0)
    embedding = Embedding(rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(30, 6)).astype(np.float32))
    for row in range(4):
        a = embedding.heldout[row]
        pairs = [(k, float(a @ b / np.sqrt((a @ a) * (b @ b)))) for k, b in enumerate(embedding.training)]
        expected = sorted(pairs, key=lambda pair: -pair[1])[:5]
        assert [k for k, _ in nearest(embedding, row)] == [k for k, _ in expected]
        np.testing.assert_allclose([s for _, s in nearest(embedding, row)], [s for _, s in expected], rtol=1e-5)
