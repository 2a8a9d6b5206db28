"""The components of the built page."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gradio as gr
import pytest

from demo import page
from demo.classroom.rooms import Rooms
from demo.server.race_queue import RaceQueue
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine.workspace import Workspace
from tests.conftest import CPU

MARKER = "__i18n__"  # start of Gradio's marker for a translated label


@pytest.fixture(scope="module")
def built() -> Iterator[gr.Blocks]:
    workspace = Workspace()
    queue, uploads = RaceQueue(workspace, CPU), UploadStore(workspace)
    rooms = Rooms(queue)
    yield page.build(queue, Availability(workspace), uploads, rooms)
    rooms.close()
    queue.close()
    uploads.close()


def texts(value: object) -> Iterator[str]:
    """All texts in a component's settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def test_no_text_has_two_labels_because_gradio_translates_only_the_first(built: gr.Blocks) -> None:
    labels = [
        text for component in built.get_config_file()["components"] for text in texts(component["props"]) if MARKER in text
    ]
    assert len(labels) > 50
    assert [text for text in labels if text.count(MARKER) > 1] == []
    for text in labels:  # the JSON after the marker is complete
        assert json.loads(text[text.index(MARKER) + len(MARKER) :])["key"]


def test_no_camera_mirrors_its_pictures(built: gr.Blocks) -> None:
    images = [block for block in built.blocks.values() if isinstance(block, gr.Image)]
    cameras = [image for image in images if "webcam" in image.sources]
    assert {image.elem_id for image in cameras} == {"hs-try-image", "hs-camera"}
    assert not any(image.webcam_options.mirror for image in cameras)
