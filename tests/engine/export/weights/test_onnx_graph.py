"""The exported network predicts as the racer does; a failed export is explained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine import UnavailableError
from engine.export.weights.bundle import torchvision_model
from engine.export.weights.onnx_graph import WithPreprocessing, export_in_subprocess
from engine.race.inputs import RaceInputs
from tests.helpers.networks import BROKEN, SMALL, Settings, fed, trained


@pytest.mark.parametrize("settings", BROKEN, ids=str)
def test_the_exported_network_predicts_as_the_racer_does(settings: Settings, drawn: RaceInputs) -> None:
    race = trained(SMALL, drawn, **settings)
    pixels, x = fed(race, 2)
    with torch.no_grad():
        expected = race.networks["scratch"](x).softmax(1)
        torch.testing.assert_close(WithPreprocessing(race, torchvision_model(race, "scratch")).eval()(pixels), expected)


@pytest.mark.slow  # starts a subprocess
def test_an_export_that_fails_names_the_reason_and_an_alternative(tmp_path: Path) -> None:
    (tmp_path / "scratch.pt").write_bytes(b"not a network")
    with pytest.raises(UnavailableError, match=r"ONNX \(.*\); take the safetensors"):
        export_in_subprocess(str(tmp_path))


def test_an_export_that_hangs_is_ended_and_names_an_alternative(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"longer than 0\.001 minutes .*; take the safetensors"):
        export_in_subprocess(str(tmp_path), timeout=0.06)
