"""The upload form: its widgets and handlers; class names are escaped, uploads are deleted once read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from demo.uploads import form
from demo.uploads.availability import Availability
from demo.uploads.form import UploadForm
from demo.uploads.store import UploadStore
from engine import translate
from engine.workspace import Workspace
from tests.helpers.pictures import packed, texture

REQUEST = gr.Request(headers={"accept-language": "en"}, query_params={})


def test_the_form_has_inputs_for_files_camera_and_class_name() -> None:
    workspace = Workspace()
    uploads = UploadStore(workspace)
    with gr.Blocks() as blocks:
        form.build(uploads, Availability(workspace), gr.BrowserState({}), gr.Dropdown([]))
    types = {type(block).__name__ for block in blocks.blocks.values()}
    assert {"File", "Image", "Textbox"} <= types
    uploads.close()


@pytest.fixture
def uploads() -> Iterator[UploadStore]:
    uploads = UploadStore(Workspace())
    yield uploads
    uploads.close()


@pytest.fixture
def handlers(uploads: UploadStore) -> UploadForm:
    return UploadForm(uploads, Availability(uploads.workspace))


def test_files_are_deleted_once_read_and_sets_when_the_visitor_deletes_them(
    uploads: UploadStore, handlers: UploadForm, tmp_path: Path
) -> None:
    ann = {"visitor": "ann"}
    for turn in range(2):
        for first, name in ((0, "cups"), (50, "mugs")):
            paths = [tmp_path / f"{first + k}.png" for k in range(6)]
            for k, path in enumerate(paths):
                path.write_bytes(packed(texture(100 * turn + first + k)))
            handlers.add(ann, REQUEST, name, [str(path) for path in paths])
            assert not any(path.exists() for path in paths)
        *_, (message, update) = handlers.finish(ann, REQUEST)
        assert "Ready to race" in message
    titles = [title.split(" · ")[0] for title, name in update["choices"] if name in uploads.of("ann")]
    assert titles == ["Your own pictures (yours)", "Your own pictures 2 (yours)"]
    message, update = handlers.forget(ann, REQUEST, update["value"])
    assert translate("upload.forgotten") in message
    assert update["value"] == "tabletop"
    assert uploads.of("ann") == ()
    assert handlers.forget(ann, REQUEST, "cifar10")[1]["value"] == "cifar10"


def test_without_a_visitor_id_a_message_is_shown_and_the_upload_deleted(handlers: UploadForm, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    assert translate("upload.unconnected") in handlers.add({}, REQUEST, "cups", str(path))[0]
    for method in (handlers.finish, handlers.add_zip):
        assert translate("upload.unconnected") in next(method({}, REQUEST))[0]
    assert not path.exists()


def test_a_class_without_a_name_is_rejected_and_its_upload_deleted(handlers: UploadForm, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    assert translate("upload.class.unnamed") in handlers.add({"visitor": "ann"}, REQUEST, " ", [str(path)])[0]
    assert not path.exists()


def test_an_invalid_zip_shows_an_error_message(handlers: UploadForm, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"x")
    handlers.receive_zip({"visitor": "ann"}, str(path))
    assert not path.exists()
    *_, (message, _) = handlers.add_zip({"visitor": "ann"}, REQUEST)
    assert 'role="alert"' in message


def test_the_inputs_of_one_upload_method_are_shown(handlers: UploadForm) -> None:
    assert [update["visible"] for update in handlers.show_method("classes")] == [False, True, False]


def test_a_class_name_is_escaped(handlers: UploadForm, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    draft, _ = handlers.add({"visitor": "ann"}, REQUEST, "<script>alert(1)</script>", [str(tmp_path / "a.png")])
    assert "<script>" not in draft
    assert "&lt;script&gt;" in draft
    assert "1 pictures" not in draft
