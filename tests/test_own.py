"""The place for one's own pictures stands on the page, and what it says is never markup."""

from __future__ import annotations

import gradio as gr

from demo import own
from demo.offer import Offer
from demo.shelf import Shelf


def test_it_is_built_with_a_zip_a_class_and_a_camera() -> None:
    shelf = Shelf()
    with gr.Blocks() as blocks:
        own.build(shelf, Offer(), gr.BrowserState({}), gr.Dropdown([]))
    kinds = {type(block).__name__ for block in blocks.blocks.values()}
    assert {"File", "Image", "Textbox"} <= kinds
    shelf.close()


def test_a_class_name_is_text() -> None:
    shelf = Shelf()
    shelf.put("ann", "<script>alert(1)</script>", [("a.png", b"x")])
    said = own._draft(shelf, {"visitor": "ann"})
    assert "<script>" not in said
    assert "&lt;script&gt;" in said
    assert "1 pictures" not in said
    assert "<img" not in own._alert("<img src=x>")
    shelf.close()
