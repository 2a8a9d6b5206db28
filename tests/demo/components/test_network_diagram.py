"""The diagram shows the stages of the network, frozen or trainable."""

from __future__ import annotations

import pytest

from demo.components import network_diagram
from engine import stages, translate
from engine.models.registry import BackboneRegistry


@pytest.mark.parametrize("trainable", range(1, 7))
def test_the_last_stages_are_trainable_and_the_others_frozen(trainable: int) -> None:
    diagram = network_diagram.draw("A network.", stages(BackboneRegistry().find("resnet10"), 10), trainable, 64, "en")
    assert diagram.count(translate("network.frozen")) == 6 - trainable
    assert diagram.count(translate("network.learning")) == trainable - 1
    assert diagram.count(translate("network.new")) == 1


def test_shapes_and_parameter_counts_are_those_of_the_network() -> None:
    diagram = network_diagram.draw("A network.", stages(BackboneRegistry().find("resnet10"), 7), 1, 64, "en")
    for text in ("3×64×64", "64×16×16", "512", "3.6 k", "3.6 k of 4.91 M parameters learn"):
        assert text in diagram


@pytest.mark.parametrize(("name", "text"), [("swin_t", "56×56×96"), ("vit_b_16", "197×768"), ("vgg11", "512×7×7")])
def test_every_layout_of_feature_maps_has_a_shape(name: str, text: str) -> None:
    diagram = network_diagram.draw("A network.", stages(BackboneRegistry().find(name), 7), 2, 224, "en")
    assert text in diagram
    assert diagram.count(translate("network.frozen")) == len(stages(BackboneRegistry().find(name), 7)) - 2


def test_the_diagram_is_in_the_visitors_language() -> None:
    diagram = network_diagram.draw("A network.", stages(BackboneRegistry().find("resnet10"), 7), 1, 64, "ja")
    assert "❄ 凍結" in diagram
    assert "frozen<" not in diagram
