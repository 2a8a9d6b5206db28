"""Local sets in the formats of the Hugging Face Hub are read through the streaming of the `datasets` library."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from engine.data import huggingface
from engine.data.dataset import Dataset
from engine.data.huggingface import LIMITS, FetchLimits
from engine.errors import DataError, PlanError, UnavailableError
from engine.events import Progressed
from engine.progress import run_to_end
from tests.helpers.pictures import folder, packed, shown, texture, unpacked

datasets = pytest.importorskip("datasets", reason="sets of the Hub need the package `datasets`", exc_type=ImportError)
NAME = "owner/set@hub"
Rows = Sequence[tuple[object, bytes | None]]  # label and picture


def good_rows(label: object, first: int, count: int) -> list[tuple[object, bytes | None]]:
    """Rows with different readable pictures of one class."""
    return [(label, packed(texture(seed))) for seed in range(first, first + count)]


def table(
    home: Path, splits: Mapping[str, Rows], label_feature: object = None, column: str = "label", **more: object
) -> str:
    """Write Parquet files as the Hub stores them, one per split; `more`: the features of further columns."""
    label_feature = label_feature or datasets.ClassLabel(names=["cat", "dog", "eel"])
    features = datasets.Features({"image": datasets.Image(), column: label_feature, **more})
    (home / "data").mkdir(parents=True)
    for split, rows in splits.items():
        images = [data and {"bytes": data, "path": f"{k}.png"} for k, (_, data) in enumerate(rows)]
        columns = {"image": images, column: [label for label, _ in rows], **dict.fromkeys(more, images)}
        parquet = datasets.Dataset.from_dict(columns, features=features)
        parquet.to_parquet(home / "data" / f"{split}-00000-of-00001.parquet")
    return str(home)


def opened(
    source: str,
    examples_per_class: int = 5,
    heldout: int = 6,
    seed: int = 0,
    name: str = NAME,
    limits: FetchLimits = LIMITS,
) -> Dataset:
    return run_to_end(huggingface.open_set(name, examples_per_class, heldout, seed, source, limits))


def counts(dataset: Dataset) -> list[tuple[int, int]]:
    return [(len(training), len(heldout)) for training, heldout in zip(dataset.training, dataset.heldout, strict=True)]


@pytest.fixture
def two(tmp_path: Path) -> str:
    """Training and held-out pictures of cats and dogs, sorted by class as in many sets."""
    return table(
        tmp_path,
        {"train": good_rows(0, 0, 12) + good_rows(1, 100, 12), "test": good_rows(0, 200, 8) + good_rows(1, 300, 8)},
        datasets.ClassLabel(names=["cat", "dog"]),
    )  # fmt: skip


def test_a_set_of_the_hub_becomes_a_dataset(two: str) -> None:
    dataset = opened(two, examples_per_class=40, heldout=100)
    assert (dataset.title, dataset.classes) == (NAME, ("cat", "dog"))
    assert counts(dataset) == [(12, 8), (12, 8)]
    assert sorted(shown(dataset.training[0])) == sorted(texture(seed).tobytes() for seed in range(12))
    assert sorted(shown(dataset.heldout[1])) == sorted(texture(seed).tobytes() for seed in range(300, 308))
    assert (
        dataset.notes[0]
        == "too few training pictures in the rows that were looked at: 'cat' has 12 of 40; 'dog' has 12 of 40"
    )


def test_only_what_a_race_needs_is_fetched(two: str) -> None:
    run, reports = huggingface.open_set(NAME, 5, 6, 0, two), []
    while True:
        try:
            reports.append(next(run))
        except StopIteration as end:
            dataset: Dataset = end.value
            break
    assert counts(dataset) == [(6, 3), (6, 3)]  # one spare picture
    downloads = [fact for fact in reports if fact.work == "download"]
    assert downloads[0] == Progressed(
        work="download", name=NAME, done=0, total=0, unit="pictures", rate=downloads[0].rate, left=-1.0
    )
    assert (downloads[-1].done, downloads[-1].total) == (18, 18)


def test_the_number_of_rows_is_limited(two: str) -> None:
    dataset = opened(two, examples_per_class=40, heldout=100, limits=FetchLimits(rows=10))
    assert sum(map(sum, counts(dataset))) == 20


def test_the_seed_chooses_the_pictures(two: str) -> None:
    first, same, other = (sorted(shown(opened(two, seed=seed).training[0])) for seed in (1, 1, 2))
    assert first == same != other


def test_a_set_without_a_split_holds_out_a_quarter(tmp_path: Path) -> None:
    dataset = opened(
        table(tmp_path, {"train": good_rows(0, 0, 30) + good_rows(1, 100, 30)}), examples_per_class=9, heldout=4
    )
    assert dataset.classes == ("cat", "dog")
    assert counts(dataset) == [(11, 4), (11, 4)]
    assert dataset.notes == ("'eel' was left out: it has no pictures", "held out: 8 of 30, a quarter of each class")


def test_a_split_without_labels_is_skipped(tmp_path: Path) -> None:
    unlabelled = [(-1, data) for _, data in good_rows(0, 500, 4)]
    splits = {
        "train": good_rows(0, 0, 8) + good_rows(1, 100, 8),
        "test": unlabelled,
        "validation": good_rows(0, 200, 4) + good_rows(1, 300, 4),
    }
    assert counts(opened(table(tmp_path, splits), heldout=9)) == [(6, 3), (6, 3)]


@pytest.mark.parametrize(("dtype", "labels"), [("string", ("ash", "oak")), ("int32", (3, 7))])
def test_classes_without_a_list_are_collected_from_the_rows(dtype: str, labels: tuple, tmp_path: Path) -> None:
    rows = {
        "train": good_rows(labels[0], 0, 12) + good_rows(labels[1], 100, 12),
        "test": good_rows(labels[0], 200, 8) + good_rows(labels[1], 300, 8),
    }
    dataset = opened(table(tmp_path, rows, datasets.Value(dtype), "category"))
    assert dataset.classes == tuple(map(str, labels))
    assert counts(dataset) == [(6, 3), (6, 3)]


def test_the_first_of_two_picture_columns_is_read(tmp_path: Path) -> None:
    dataset = opened(table(tmp_path, {"train": good_rows(0, 0, 8) + good_rows(1, 100, 8)}, mask=datasets.Image()))
    assert dataset.classes == ("cat", "dog")


def test_a_folder_of_pictures_is_read_too(tmp_path: Path) -> None:
    files = {}
    for k, label in enumerate(("ants", "bees")):
        files |= folder(f"train/{label}", range(100 * k, 100 * k + 8)) | folder(
            f"test/{label}", range(100 * k + 50, 100 * k + 54)
        )
    dataset = opened(str(unpacked(tmp_path, files)), examples_per_class=8, heldout=8)
    assert dataset.classes == ("ants", "bees")
    assert counts(dataset) == [(8, 4), (8, 4)]
    assert sorted(shown(dataset.training[1])) == sorted(texture(seed).tobytes() for seed in range(100, 108))


def test_a_configuration_is_chosen_by_name(tmp_path: Path) -> None:
    for name, first in (("small", 0), ("large", 500)):
        table(tmp_path / name, {"train": good_rows(0, first, 8) + good_rows(1, first + 100, 8)})
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/data/*.parquet\n" for name in ("small", "large"))
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    dataset = opened(str(tmp_path), name="owner/set:large@hub")
    assert set(shown(dataset.training[0])) <= {texture(seed).tobytes() for seed in range(500, 508)}
    with pytest.raises(UnavailableError, match=r"Config name is missing.*\['small', 'large'\]"):
        opened(str(tmp_path))
    with pytest.raises(UnavailableError, match=r"'huge' not found. Available: \['small', 'large'\]"):
        opened(str(tmp_path), name="owner/set:huge@hub")


def test_unreadable_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    bad = [(0, b"hello"), (0, packed(texture(1))[:900]), (0, None)]
    rows = {"train": bad + good_rows(0, 0, 8) + good_rows(1, 100, 8), "test": good_rows(0, 200, 4) + good_rows(1, 300, 4)}
    dataset = opened(table(tmp_path, rows), examples_per_class=20)
    assert counts(dataset)[0] == (8, 2)
    note = next(note for note in dataset.notes if note.startswith("3 of 23 pictures were left out: "))
    assert "train/cat/" in note
    assert "0.png is not a picture" in note
    assert "1.png is cut short" in note
    assert " is empty" in note


def test_a_picture_outside_of_the_set_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(packed(texture(0)))
    for path in (str(secret), f"{tmp_path}/set/../secret.png", "https://host/a.png", f"zip://a.png::{secret}", ""):
        with pytest.raises(DataError, match="lies outside of the set"):
            huggingface.read_picture(path, str(tmp_path / "set"))
        with pytest.raises(DataError, match="lies outside of the set"):
            huggingface.read_picture(path, "")


@pytest.mark.parametrize(
    ("column", "feature", "missing"),
    [("label", datasets.Value("float32"), "classes"), ("image_id", datasets.Value("string"), "classes")],
)
def test_a_set_without_classes_is_refused_with_its_columns(
    column: str, feature: object, missing: str, tmp_path: Path
) -> None:
    label = 1.0 if column == "label" else "x"
    with pytest.raises(DataError) as refused:
        opened(table(tmp_path, {"train": good_rows(label, 0, 3)}, feature, column))
    assert str(refused.value) == f"{NAME} has no column of {missing}; its columns: 'image' (Image); {column!r} (Value)"


def test_a_set_without_pictures_is_refused_with_its_columns(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "hello", "label": 1}\n')
    with pytest.raises(DataError, match=r"has no column of pictures; its columns: 'text' \(.*\); 'label' \(.*\)$"):
        opened(str(tmp_path))


def test_a_race_needs_two_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only 'cat' has enough pictures"):
        opened(table(tmp_path, {"train": good_rows(0, 0, 12)}))


def test_too_many_pictures_are_refused_before_the_fetch(two: str) -> None:
    limits = FetchLimits(pictures=90)
    with pytest.raises(PlanError, match=r"^examples_per_class is 50; .* has 2 classes, .*: at most 40$"):
        opened(two, examples_per_class=50, limits=limits)
    assert opened(two, examples_per_class=40, limits=limits).classes == ("cat", "dog")


def test_pictures_that_do_not_fit_into_memory_are_refused(two: str) -> None:
    with pytest.raises(UnavailableError, match="choose fewer examples"):
        opened(two, limits=FetchLimits(free_memory=lambda: 5_000))


@pytest.mark.parametrize("name", ["set", "a/b/c@hub", "../set@hub", "/etc@hub", "owner/set:@hub", "@hub"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match=r"owner/set@hub or owner/set:config@hub"):
        run_to_end(huggingface.open_set(name, 5))


def test_without_the_library_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert huggingface.datasets_is_installed()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not huggingface.datasets_is_installed()
    with pytest.raises(UnavailableError, match=r"owner/set@hub needs the package `datasets`: pip install datasets"):
        run_to_end(huggingface.open_set(NAME, 5))


def test_offline_no_request_goes_to_the_hub(two: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    with pytest.raises(UnavailableError, match="because HEADSTART_OFFLINE is set"):
        next(huggingface.open_set(NAME, 5))
    assert opened(two).classes == ("cat", "dog")


def test_a_hub_that_does_not_answer_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UnavailableError, match=r"^nobody/nothing@hub is not .* answered: 127.0.0.1 does not answer: .*refused"
    ):
        run_to_end(huggingface.open_set("nobody/nothing@hub", 5))


def test_the_offline_mode_of_the_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match=r"[Oo]ffline"):
        run_to_end(huggingface.open_set("nobody/nothing@hub", 5))


def test_the_name_of_a_file_format_is_not_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(tmp_path, folder("cats", range(3)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnavailableError, match="'imagefolder' is the name of a file format"):
        run_to_end(huggingface.open_set("imagefolder@hub", 5))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A local server as the Hub, with one gated set and no other."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_gated = "gated/" in self.path
            self.send_response(403 if is_gated else 404)
            self.send_header("X-Error-Code", "GatedRepo" if is_gated else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "reason"),
    [("nobody/nothing@hub", "doesn't exist on the Hub"), ("gated/set@hub", "is a gated dataset on the Hub")],
)
def test_a_refusal_of_the_hub_is_reported(name: str, reason: str) -> None:
    with pytest.raises(UnavailableError, match=f"^{name} is not available here. The Hugging Face Hub answered: .*{reason}"):
        run_to_end(huggingface.open_set(name, 5))


def test_a_local_folder_of_the_same_name_is_not_read(hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(tmp_path, {**folder("cats", range(8)), **folder("dogs", range(50, 58))})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnavailableError, match="doesn't exist on the Hub"):
        run_to_end(huggingface.open_set("set@hub", 5))
