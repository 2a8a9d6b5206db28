"""The place for one's own pictures stands on the page, and what it says is never markup."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from visitors import packed, texture

from demo import own
from demo.offer import Offer
from demo.shelf import Shelf
from engine import say

HERE = gr.Request(headers={"accept-language": "en"}, query_params={})


def test_it_is_built_with_a_zip_a_class_and_a_camera() -> None:
    shelf = Shelf()
    with gr.Blocks() as blocks:
        own.build(shelf, Offer(), gr.BrowserState({}), gr.Dropdown([]))
    kinds = {type(block).__name__ for block in blocks.blocks.values()}
    assert {"File", "Image", "Textbox"} <= kinds
    shelf.close()


def handler(blocks: gr.Blocks, name: str):  # noqa: ANN201
    """What a widget of the page calls."""
    return next(f.fn for f in blocks.fns.values() if getattr(f.fn, "__name__", "") == name)


def test_uploads_are_deleted_once_they_are_read_and_everything_when_forgotten(tmp_path: Path) -> None:
    shelf = Shelf()
    with gr.Blocks() as blocks:
        own.build(shelf, Offer(), gr.BrowserState({}), gr.Dropdown([]))
    put, forget, race_on = (handler(blocks, name) for name in ("put", "forget_all", "race_on"))
    ann = {"visitor": "ann"}
    for turn in range(2):
        for first, kind in ((0, "cups"), (50, "mugs")):
            paths = [tmp_path / f"{first + k}.png" for k in range(6)]
            for k, path in enumerate(paths):
                path.write_bytes(packed(texture(100 * turn + first + k)))
            put(ann, HERE, kind, [str(path) for path in paths])
            assert not any(path.exists() for path in paths)
        *_, (said, update) = race_on(ann, HERE)
        assert "Ready to race" in said
    titles = [title.split(" · ")[0] for title, name in update["choices"] if name in shelf.of("ann")]
    assert titles == ["Your own pictures (yours)", "Your own pictures 2 (yours)"]
    said, update = forget(ann, HERE, update["value"])
    assert say("own.forgotten") in said
    assert update["value"] == "tabletop"
    assert shelf.of("ann") == ()
    assert forget(ann, HERE, "cifar10")[1]["value"] == "cifar10"
    shelf.close()


def test_before_the_page_is_connected_a_sentence_says_so(tmp_path: Path) -> None:
    shelf, path = Shelf(), tmp_path / "a.png"
    path.write_bytes(b"x")
    with gr.Blocks() as blocks:
        own.build(shelf, Offer(), gr.BrowserState({}), gr.Dropdown([]))
    assert say("own.unconnected") in handler(blocks, "put")({}, HERE, "cups", str(path))[0]
    for name in ("race_on", "take_zip"):
        assert say("own.unconnected") in next(handler(blocks, name)({}, HERE))[0]
    assert not path.exists()
    shelf.close()


def test_a_class_name_is_text(tmp_path: Path) -> None:
    shelf = Shelf()
    (tmp_path / "a.png").write_bytes(b"x")
    shelf.put("ann", "<script>alert(1)</script>", [tmp_path / "a.png"])
    said = own._draft(shelf, "ann", "en")
    assert "<script>" not in said
    assert "&lt;script&gt;" in said
    assert "1 pictures" not in said
    assert "<img" not in own._alert("<img src=x>")
    shelf.close()
