"""What the networks of a finished race say, checked against the formulas and against torchvision's whole networks."""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CELL, CLASSES, CPU
from torch import nn

from engine import DataError, Plan, PlanError, UnavailableError, augment, backbones, breaking, embedded, freezing, trained
from engine.events import Progressed, finish
from engine.tasks import Drawn
from engine.trained import Embedding, Trained, activation_map, nearest, project
from engine.zoo import ARCHITECTURES

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
def race(drawn: Drawn) -> Trained:
    networks = {name: lively(backbones.build("resnet10", 3, k, False)) for k, name in enumerate(("transfer", "scratch"))}
    return Trained(Plan(examples=4), drawn, networks)


def test_the_map_equals_a_calculation_by_hand() -> None:
    network, x = small(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    logits, found = activation_map(network, x, kind=1)
    conv, head = network.stem[0], network.head
    maps = torch.nn.functional.conv2d(x, conv.weight, conv.bias, padding=1).clamp(min=0)[0]
    by_hand = sum(max(0.0, float(head.weight[1, k])) / 64 * maps[k] for k in range(6))
    torch.testing.assert_close(found, by_hand / by_hand.max(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(logits, head.weight @ maps.mean((1, 2)) + head.bias, rtol=1e-12, atol=1e-12)


def test_with_weights_above_zero_it_is_the_plain_class_activation_map() -> None:
    network, x = small(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    network.head.weight.abs_()
    maps = network.stem[:2](x)[0]
    for kind in range(3):
        cam = torch.einsum("k,khw->hw", network.head.weight[kind], maps)
        torch.testing.assert_close(activation_map(network, x, kind)[1], cam / cam.max(), rtol=1e-12, atol=1e-12)


def test_without_a_class_the_map_is_for_the_one_that_is_named() -> None:
    network, x = small(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    named = int(network(x).argmax())
    assert torch.equal(activation_map(network, x)[1], activation_map(network, x, named)[1])


def test_the_map_shines_where_the_evidence_is() -> None:
    network = small(channels=1, classes=2)
    nn.init.constant_(network.stem[0].weight, 1.0)
    nn.init.zeros_(network.stem[0].bias)
    nn.init.ones_(network.head.weight)
    x = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    x[..., 2:5, 10:13] = 1.0
    found = activation_map(network, x, 0)[1]
    assert found.argmax() == 3 * 16 + 11
    assert found[:, :8].max() == 0


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
    network, x = lively(backbones.build("resnet10", 3, 0, False)), torch.rand(1, 3, 64, 64)
    found = activation_map(network, x, 0)[1]
    active = x.clone().requires_grad_()
    maps = []
    for stage in list(network)[:-2]:
        active = stage(active)
        maps.append(active)
    top = network.layer4.layer4(active)
    score = network.head(top.mean((2, 3)))[0, 0]
    wanted = torch.zeros(1, 1, 64, 64)
    for one in (top, maps[-1], maps[-2]):  # 2, 4 and 8 cells a side
        slope = torch.autograd.grad(score, one, retain_graph=True)[0]
        cam = (one.detach() * slope.relu()).sum(1, keepdim=True).relu()
        wanted += torch.nn.functional.interpolate(cam / cam.max(), (64, 64), mode="bilinear") / 3
    torch.testing.assert_close(found, (wanted / wanted.max())[0, 0])


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in ARCHITECTURES])
def test_every_architecture_looks_somewhere_and_answers_as_torchvisions(name: str) -> None:
    kind = ARCHITECTURES[name]
    torch.manual_seed(0)
    whole = kind.build(3)
    network = lively(nn.Sequential(kind.cut(whole)))
    x = torch.randn(1, 3, kind.smallest, kind.smallest)
    logits, found = activation_map(network, x)
    torch.testing.assert_close(logits, whole.eval()(x)[0])
    assert found.shape == x.shape[-2:]
    assert found.min() >= 0
    assert found.max() == pytest.approx(1.0)
    assert found.std() > 0.01


def test_probabilities_are_the_softmax_of_the_whole_network(race: Trained, drawn: Drawn) -> None:
    image = drawn.heldout[0].permute(1, 2, 0).numpy()
    answers = race.answer(image)
    assert tuple(answers) == race.lanes == ("scratch", "transfer")
    fed = freezing.normalise(augment.resize(drawn.heldout[:1], drawn.px), drawn)
    for lane, answer in answers.items():
        wanted = race.networks[lane](fed).softmax(1)[0]
        torch.testing.assert_close(torch.tensor(answer.probabilities), wanted)
        assert answer.kind == wanted.argmax()
        assert answer.map.shape == (CELL, CELL)
        assert answer.map.dtype == np.float32
        assert np.array_equal(answer.seen, image)


@pytest.mark.parametrize("settings", [{}, {"inverted": True}, {"patches": 4}, {"px": 48}])
def test_a_picture_is_seen_as_the_race_prepares_a_held_out_one(tiny: object, settings: dict[str, object]) -> None:
    from engine import race as racing

    plan = replace(Plan(examples=4), **settings)  # type: ignore[arg-type]
    pictures = finish(racing.draw(plan))
    mine = Trained(plan, pictures, {})
    original = embedded.sheets()["heldout"].reshape(-1, CELL, CELL, 3)
    asked = freezing.FreshInputs(nn.Sequential(), pictures, False, 0, CPU).heldout(slice(None))
    for row in range(len(asked)):  # a race asks class by class, in an order of its own
        held = pictures.heldout[row].permute(1, 2, 0).numpy()
        image = next(each for each in original if np.array_equal(255 - each if plan.inverted else each, held))
        assert torch.equal(freezing.normalise(mine.see(image), mine._fed), asked[row : row + 1])


def test_of_a_large_picture_the_square_in_the_middle_is_seen(race: Trained) -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 200
    seen = race.see(wide)
    assert seen.shape == (1, 3, CELL, CELL)
    torch.testing.assert_close(seen[..., 2:-2], torch.full((1, 3, CELL, CELL - 4), 200 / 255))  # bicubic rings at the edges


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
def test_what_is_no_picture_is_refused(race: Trained, image: np.ndarray) -> None:
    with pytest.raises(DataError, match="not a colour picture"):
        race.see(image)


def test_the_map_of_shuffled_patches_lies_where_they_came_from(drawn: Drawn) -> None:
    plan, image = Plan(examples=4, patches=4), np.zeros((CELL, CELL, 3), np.uint8)
    image[0:8, 16:24] = 255
    whole = replace(drawn, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    network = small(channels=1, classes=2).float()
    nn.init.zeros_(network.stem[0].weight)
    network.stem[0].weight[:, :, 1, 1] = 1.0
    nn.init.zeros_(network.stem[0].bias)
    nn.init.ones_(network.head.weight)
    answer = Trained(plan, breaking.apply(plan, whole), {"scratch": network}).answer(image)["scratch"]
    assert np.array_equal(answer.map, image[..., 0] / 255)
    assert np.array_equal(answer.seen, image)


def test_a_network_that_diverged_has_no_answer_and_no_map(drawn: Drawn) -> None:
    network = lively(backbones.build("resnet10", 3, 0, False))
    nn.init.constant_(network.head.weight, float("nan"))
    answer = Trained(Plan(examples=4), drawn, {"scratch": network}).answer(drawn.heldout[0].permute(1, 2, 0).numpy())
    assert answer["scratch"].probabilities == (0.0, 0.0, 0.0)
    assert not answer["scratch"].map.any()


def test_many_may_ask_at_once(race: Trained, drawn: Drawn) -> None:
    images = [drawn.heldout[k].permute(1, 2, 0).numpy() for k in (0, 6, 12)]
    alone = [race.answer(image)["transfer"] for image in images]
    together: dict[int, list[bool]] = {}

    def ask(k: int) -> None:
        again = [race.answer(images[k])["transfer"] for _ in range(2)]
        together[k] = [np.array_equal(one.map, alone[k].map) for one in again]

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {k: [True] * 2 for k in range(3)}


def test_it_keeps_no_picture_and_knows_its_size(race: Trained, drawn: Drawn) -> None:
    one = backbones.build("resnet10", 3, 0, False)
    assert race.size == 2 * sum(t.nbytes for t in [*one.parameters(), *one.buffers()])
    assert race.classes == CLASSES
    fed = race._fed
    kept = (fed.training, fed.heldout, fed.training_labels, fed.heldout_labels)
    assert [tensor.untyped_storage().nbytes() for tensor in kept] == [0] * 4
    assert len(pickle.dumps(Trained(race.plan, drawn, {}))) < drawn.training.nbytes
    assert not any(p.requires_grad for network in race.networks.values() for p in network.parameters())


def test_features_are_what_the_head_is_fed(race: Trained, drawn: Drawn) -> None:
    work = race.embed(drawn)
    first = next(work)
    assert isinstance(first, Progressed)
    assert first.total == 2 * (len(drawn.heldout) + len(drawn.training))
    found = finish(work)
    for lane, embedding in found.items():
        network = race.networks[lane]
        with torch.no_grad():
            logits = network(freezing.normalise(augment.resize(drawn.heldout, drawn.px), drawn))
        torch.testing.assert_close(network[-1](torch.from_numpy(embedding.heldout)), logits)
        assert embedding.training.shape == (len(drawn.training), embedding.heldout.shape[1])


def test_principal_components_are_the_first_eigenvectors_of_the_covariance() -> None:
    features = np.random.default_rng(0).normal(size=(40, 7)) * np.arange(1, 8)
    directions = np.linalg.eigh(np.cov(features.T))[1][:, :-3:-1]  # by rising eigenvalue
    wanted, mine = (features - features.mean(0)) @ directions, project(features)
    np.testing.assert_allclose(mine, wanted * np.sign((mine * wanted).sum(0)), rtol=1e-4, atol=1e-5)


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


@pytest.mark.slow  # it compiles first
def test_umap_keeps_neighbours_together_and_has_one_answer() -> None:
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(30, 8)), rng.normal(size=(30, 8)) + 20]).astype(np.float32)
    plane = project(features, "umap")
    assert np.array_equal(plane, project(features, "umap"))
    apart = np.linalg.norm(plane[:30].mean(0) - plane[30:].mean(0))
    assert apart > 3 * plane[:30].std()
    assert project(features[:5], "umap").shape == (5, 2)


def test_a_method_that_is_not_here_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "methods", lambda: ("pca",))
    with pytest.raises(UnavailableError, match="pip install umap-learn"):
        project(np.zeros((3, 3)), "umap")
    with pytest.raises(PlanError, match="pca or umap"):
        project(np.zeros((3, 3)), "tsne")


def test_the_nearest_are_those_that_comparing_every_pair_finds() -> None:
    rng = np.random.default_rng(0)
    embedding = Embedding(rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(30, 6)).astype(np.float32))
    for row in range(4):
        a = embedding.heldout[row]
        pairs = [(k, float(a @ b / np.sqrt((a @ a) * (b @ b)))) for k, b in enumerate(embedding.training)]
        wanted = sorted(pairs, key=lambda pair: -pair[1])[:5]
        assert [k for k, _ in nearest(embedding, row)] == [k for k, _ in wanted]
        np.testing.assert_allclose([s for _, s in nearest(embedding, row)], [s for _, s in wanted], rtol=1e-5)
