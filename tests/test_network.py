"""The picture of the network follows the slider."""

from __future__ import annotations

import pytest

from demo import network
from engine import say, stages


@pytest.mark.parametrize("learning", range(1, 7))
def test_what_is_frozen_and_what_learns_follows_the_slider(learning: int) -> None:
    drawn = network.draw(stages("resnet10", 10), learning, 64, "en")
    assert drawn.count(say("network.frozen")) == 6 - learning
    assert drawn.count(say("network.learning")) == learning - 1
    assert drawn.count(say("network.new")) == 1


def test_shapes_and_sizes_are_those_of_the_network() -> None:
    drawn = network.draw(stages("resnet10", 7), 1, 64, "en")
    for text in ("3×64×64", "64×16×16", "512", "3.6 k", "3.6 k of 4.91 M parameters learn"):
        assert text in drawn


@pytest.mark.parametrize(("name", "text"), [("swin_t", "56×56×96"), ("vit_b_16", "197×768"), ("vgg11", "512×7×7")])
def test_every_kind_of_map_can_be_drawn(name: str, text: str) -> None:
    drawn = network.draw(stages(name, 7), 2, 224, "en")
    assert text in drawn
    assert drawn.count(say("network.frozen")) == len(stages(name, 7)) - 2


def test_it_speaks_the_visitors_language() -> None:
    drawn = network.draw(stages("resnet10", 7), 1, 64, "ja")
    assert "❄ 凍結" in drawn
    assert "frozen<" not in drawn
