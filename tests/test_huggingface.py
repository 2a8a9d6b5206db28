"""Sets of the Hugging Face Hub, made here in the forms that they have there, go through the library's own streaming."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from visitors import folder, packed, shown, texture, unpacked

from engine import album, huggingface
from engine.album import Album
from engine.errors import DataError, PlanError, UnavailableError
from engine.events import Progressed, finish

datasets = pytest.importorskip("datasets", reason="sets of the Hub need the package `datasets`", exc_type=ImportError)
NAME = "owner/set@hub"
Rows = Sequence[tuple[object, bytes | None]]  # label and picture


def good(label: object, first: int, count: int) -> list[tuple[object, bytes | None]]:
    """Different good pictures of one class."""
    return [(label, packed(texture(seed))) for seed in range(first, first + count)]


def table(home: Path, splits: Mapping[str, Rows], kind: object = None, column: str = "label", **more: object) -> str:
    """Parquet files as the Hub keeps them, one a split; `more` are other columns' features."""
    kind = kind or datasets.ClassLabel(names=["cat", "dog", "eel"])
    features = datasets.Features({"image": datasets.Image(), column: kind, **more})
    (home / "data").mkdir(parents=True)
    for split, rows in splits.items():
        images = [data and {"bytes": data, "path": f"{k}.png"} for k, (_, data) in enumerate(rows)]
        columns = {"image": images, column: [label for label, _ in rows], **dict.fromkeys(more, images)}
        made = datasets.Dataset.from_dict(columns, features=features)
        made.to_parquet(home / "data" / f"{split}-00000-of-00001.parquet")
    return str(home)


def opened(source: str, examples: int = 5, heldout: int = 6, seed: int = 0, name: str = NAME) -> Album:
    return finish(huggingface.open_set(name, examples, heldout, seed, source))


def counts(found: Album) -> list[tuple[int, int]]:
    return [(len(one), len(other)) for one, other in zip(found.training, found.heldout, strict=True)]


@pytest.fixture
def two(tmp_path: Path) -> str:
    """Cats and dogs to learn from and to be asked about, sorted by class as many sets are."""
    return table(
        tmp_path, {"train": good(0, 0, 12) + good(1, 100, 12), "test": good(0, 200, 8) + good(1, 300, 8)},
        datasets.ClassLabel(names=["cat", "dog"]),
    )  # fmt: skip


def test_a_set_of_the_hub_becomes_an_album(two: str) -> None:
    found = opened(two, examples=40, heldout=100)
    assert (found.title, found.classes) == (NAME, ("cat", "dog"))
    assert counts(found) == [(12, 8), (12, 8)]
    assert sorted(shown(found.training[0])) == sorted(texture(seed).tobytes() for seed in range(12))
    assert sorted(shown(found.heldout[1])) == sorted(texture(seed).tobytes() for seed in range(300, 308))
    assert (
        found.notes[0] == "too few training pictures in the rows that were looked at: 'cat' has 12 of 40; 'dog' has 12 of 40"
    )


def test_only_what_a_race_needs_is_fetched(two: str) -> None:
    run, said = huggingface.open_set(NAME, 5, 6, 0, two), []
    while True:
        try:
            said.append(next(run))
        except StopIteration as end:
            found: Album = end.value
            break
    assert counts(found) == [(6, 3), (6, 3)]  # one in twenty to spare
    downloads = [fact for fact in said if fact.work == "download"]
    assert downloads[0] == Progressed("download", NAME, 0, 0, "pictures", downloads[0].rate, -1.0)
    assert (downloads[-1].done, downloads[-1].total) == (18, 18)


def test_rows_are_not_looked_at_for_ever(two: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "MOST_ROWS", 10)
    found = opened(two, examples=40, heldout=100)
    assert sum(map(sum, counts(found))) == 20


def test_the_seed_chooses_the_pictures(two: str) -> None:
    one, same, other = (sorted(shown(opened(two, seed=seed).training[0])) for seed in (1, 1, 2))
    assert one == same != other


def test_a_set_without_a_split_holds_out_a_quarter(tmp_path: Path) -> None:
    found = opened(table(tmp_path, {"train": good(0, 0, 30) + good(1, 100, 30)}), examples=9, heldout=4)
    assert found.classes == ("cat", "dog")
    assert counts(found) == [(11, 4), (11, 4)]
    assert found.notes == ("'eel' was left out: it has no pictures", "held out: 8 of 30, a quarter of each class")


def test_a_split_without_labels_is_passed_over(tmp_path: Path) -> None:
    secret = [(-1, data) for _, data in good(0, 500, 4)]
    splits = {"train": good(0, 0, 8) + good(1, 100, 8), "test": secret, "validation": good(0, 200, 4) + good(1, 300, 4)}
    assert counts(opened(table(tmp_path, splits), heldout=9)) == [(6, 3), (6, 3)]


@pytest.mark.parametrize(("kind", "labels"), [("string", ("ash", "oak")), ("int32", (3, 7))])
def test_labels_without_a_list_of_classes_become_classes_as_they_are_seen(kind: str, labels: tuple, tmp_path: Path) -> None:
    rows = {
        "train": good(labels[0], 0, 12) + good(labels[1], 100, 12),
        "test": good(labels[0], 200, 8) + good(labels[1], 300, 8),
    }
    found = opened(table(tmp_path, rows, datasets.Value(kind), "category"))
    assert found.classes == tuple(map(str, labels))
    assert counts(found) == [(6, 3), (6, 3)]


def test_of_two_columns_of_pictures_the_first_is_read(tmp_path: Path) -> None:
    found = opened(table(tmp_path, {"train": good(0, 0, 8) + good(1, 100, 8)}, mask=datasets.Image()))
    assert found.classes == ("cat", "dog")


def test_a_folder_of_pictures_is_read_too(tmp_path: Path) -> None:
    files = {}
    for k, kind in enumerate(("ants", "bees")):
        files |= folder(f"train/{kind}", range(100 * k, 100 * k + 8)) | folder(
            f"test/{kind}", range(100 * k + 50, 100 * k + 54)
        )
    found = opened(str(unpacked(tmp_path, files)), examples=8, heldout=8)
    assert found.classes == ("ants", "bees")
    assert counts(found) == [(8, 4), (8, 4)]
    assert sorted(shown(found.training[1])) == sorted(texture(seed).tobytes() for seed in range(100, 108))


def test_one_of_several_parts_is_chosen_by_its_name(tmp_path: Path) -> None:
    for name, at in (("small", 0), ("large", 500)):
        table(tmp_path / name, {"train": good(0, at, 8) + good(1, at + 100, 8)})
    parts = "".join(f"- config_name: {name}\n  data_files: {name}/data/*.parquet\n" for name in ("small", "large"))
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{parts}---\n")
    found = opened(str(tmp_path), name="owner/set:large@hub")
    assert set(shown(found.training[0])) <= {texture(seed).tobytes() for seed in range(500, 508)}
    with pytest.raises(UnavailableError, match=r"Config name is missing.*\['small', 'large'\]"):
        opened(str(tmp_path))
    with pytest.raises(UnavailableError, match=r"'huge' not found. Available: \['small', 'large'\]"):
        opened(str(tmp_path), name="owner/set:huge@hub")


def test_bad_pictures_are_left_out_by_name(tmp_path: Path) -> None:
    bad = [(0, b"hello"), (0, packed(texture(1))[:900]), (0, None)]
    rows = {"train": bad + good(0, 0, 8) + good(1, 100, 8), "test": good(0, 200, 4) + good(1, 300, 4)}
    found = opened(table(tmp_path, rows), examples=20)
    assert counts(found)[0] == (8, 2)
    note = next(note for note in found.notes if note.startswith("3 of 23 pictures were left out: "))
    assert "train/cat/" in note
    assert "0.png is not a picture" in note
    assert "1.png is cut short" in note
    assert " is empty" in note


def test_a_picture_outside_of_the_set_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(packed(texture(0)))
    for path in (str(secret), f"{tmp_path}/set/../secret.png", "https://host/a.png", f"zip://a.png::{secret}", ""):
        with pytest.raises(DataError, match="lies outside of the set"):
            huggingface._read(path, str(tmp_path / "set"))
        with pytest.raises(DataError, match="lies outside of the set"):
            huggingface._read(path, "")


@pytest.mark.parametrize(
    ("column", "kind", "what"),
    [("label", datasets.Value("float32"), "classes"), ("image_id", datasets.Value("string"), "classes")],
)
def test_a_set_without_classes_says_what_it_has(column: str, kind: object, what: str, tmp_path: Path) -> None:
    label = 1.0 if column == "label" else "x"
    with pytest.raises(DataError) as refused:
        opened(table(tmp_path, {"train": good(label, 0, 3)}, kind, column))
    assert str(refused.value) == f"{NAME} has no column of {what}; its columns: 'image' (Image); {column!r} (Value)"


def test_a_set_without_pictures_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "hello", "label": 1}\n')
    with pytest.raises(DataError, match=r"has no column of pictures; its columns: 'text' \(.*\); 'label' \(.*\)$"):
        opened(str(tmp_path))


def test_a_race_needs_two_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only 'cat' has enough pictures"):
        opened(table(tmp_path, {"train": good(0, 0, 12)}))


def test_more_pictures_than_are_looked_at_are_not_fetched(two: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(album, "MOST_PICTURES", 90)
    with pytest.raises(PlanError, match=r"^examples is 50; .* has 2 classes, .*: at most 40$"):
        opened(two, examples=50)
    assert opened(two, examples=40).classes == ("cat", "dog")


def test_pictures_that_do_not_fit_into_memory_are_refused(two: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.device.free_memory", lambda: 5_000)
    with pytest.raises(UnavailableError, match="choose fewer examples"):
        opened(two)


@pytest.mark.parametrize("name", ["set", "a/b/c@hub", "../set@hub", "/etc@hub", "owner/set:@hub", "@hub"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match=r"owner/set@hub or owner/set:config@hub"):
        finish(huggingface.open_set(name, 5))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert huggingface.is_installed()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not huggingface.is_installed()
    with pytest.raises(UnavailableError, match=r"owner/set@hub needs the package `datasets`: pip install datasets"):
        finish(huggingface.open_set(NAME, 5))


def test_offline_the_hub_is_not_asked(two: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    with pytest.raises(UnavailableError, match="because HEADSTART_OFFLINE is set"):
        next(huggingface.open_set(NAME, 5))
    assert opened(two).classes == ("cat", "dog")


def test_a_hub_that_does_not_answer_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UnavailableError, match=r"^nobody/nothing@hub is not .* was asked: 127.0.0.1 does not answer: .*refused"
    ):
        finish(huggingface.open_set("nobody/nothing@hub", 5))


def test_the_librarys_own_offline_mode_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match=r"[Oo]ffline"):
        finish(huggingface.open_set("nobody/nothing@hub", 5))


def test_the_name_of_a_file_format_is_no_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(tmp_path, folder("cats", range(3)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnavailableError, match="'imagefolder' is the name of a file format"):
        finish(huggingface.open_set("imagefolder@hub", 5))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A tiny Hub on this machine, with one set behind its terms and no other."""

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
def test_what_the_hub_refuses_is_said(name: str, reason: str) -> None:
    with pytest.raises(UnavailableError, match=f"^{name} is not to be had here. The Hugging Face Hub was asked: .*{reason}"):
        finish(huggingface.open_set(name, 5))


def test_a_folder_of_this_machine_is_not_taken_for_a_set(hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(tmp_path, {**folder("cats", range(8)), **folder("dogs", range(50, 58))})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnavailableError, match="doesn't exist on the Hub"):
        finish(huggingface.open_set("set@hub", 5))
