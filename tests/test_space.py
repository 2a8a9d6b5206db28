"""The settings of a Space and of a container: the README's front matter, the Dockerfile and what it copies."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import version
from pathlib import Path

from PIL import Image

HOME = Path(__file__).parents[1]
README = (HOME / "README.md").read_text(encoding="utf-8")
DOCKERFILE = (HOME / ".docker" / "Dockerfile").read_text(encoding="utf-8")
FRONT = dict(re.findall(r"^(\w+): *(.+)$", README.split("---")[1], re.M))


def steps(name: str) -> list[str]:
    """The arguments of every such instruction of the Dockerfile, continued lines joined."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE.replace("\\\n", " "), re.M)


def pinned(package: str) -> str:
    """The version of a package in requirements.txt."""
    match = re.search(rf"^{package}(?:\[\w+\])?==([\d.]+)", (HOME / "requirements.txt").read_text(), re.M)
    assert match
    return match[1].rstrip(".")


def test_the_front_matter_names_versions_that_zerogpu_runs() -> None:
    assert (FRONT["sdk"], FRONT["app_file"], FRONT["python_version"]) == ("gradio", "app.py", '"3.12.12"')
    assert FRONT["sdk_version"].startswith(pinned("gradio"))
    assert version("gradio").startswith(pinned("gradio"))
    assert pinned("torch") in ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {FRONT["colorFrom"], FRONT["colorTo"]} <= colours
    assert len(FRONT["short_description"]) <= 60


def test_the_thumbnail_exists_and_is_small() -> None:
    path = HOME / FRONT["thumbnail"].split("/resolve/main/")[1]
    assert path.stat().st_size < 300_000
    with Image.open(path) as picture:
        assert picture.size == (1200, 630)


def test_everything_that_is_copied_into_the_image_exists() -> None:
    kept = {line[1:] for line in (HOME / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for step in steps("COPY") for name in shlex.split(step)[1:-1]}
    assert copied == kept
    assert all((HOME / name).exists() for name in copied)


def test_the_image_serves_the_page_as_an_unprivileged_user() -> None:
    assert steps("USER") == ["1000"]
    assert steps("CMD")[-1] == '["python", "app.py"]'
    assert steps("EXPOSE") == ["7860"]
    assert DOCKERFILE.index("USER 1000") < DOCKERFILE.index("pip install")
    settings = dict(pair.split("=", 1) for step in steps("ENV") for pair in step.split())
    assert settings["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert settings["HEADSTART_HOME"].startswith("/home/user/")


def test_the_image_has_the_torch_of_the_requirements() -> None:
    (first,) = [step for step in steps("RUN") if "download.pytorch.org/whl/cpu" in step]
    assert f"torch=={pinned('torch')} torchvision=={pinned('torchvision')}" in " ".join(first.split())
    assert DOCKERFILE.index("torch==") < DOCKERFILE.index("requirements.txt")  # the large layer first
