"""What is exported answers what the racer answers; an export that fails says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from networks import BROKEN, SMALL, Settings, fed, trained

from engine import UnavailableError
from engine.export.bundle import whole
from engine.export.graph import Prepared, export_elsewhere
from engine.tasks import Drawn


@pytest.mark.parametrize("settings", BROKEN, ids=str)
def test_what_onnx_is_made_from_answers_what_the_racer_answers(settings: Settings, drawn: Drawn) -> None:
    race = trained(SMALL, drawn, **settings)
    pixels, x = fed(race, 2)
    with torch.no_grad():
        wanted = race.networks["scratch"](x).softmax(1)
        torch.testing.assert_close(Prepared(race, whole(race, "scratch")).eval()(pixels), wanted)


@pytest.mark.slow  # starts a program of its own
def test_an_export_that_fails_says_why_and_what_to_take_instead(tmp_path: Path) -> None:
    (tmp_path / "scratch.pt").write_bytes(b"not a network")
    with pytest.raises(UnavailableError, match=r"ONNX \(.*\); take the safetensors"):
        export_elsewhere(str(tmp_path))


def test_an_export_that_hangs_is_ended_and_says_what_to_take_instead(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"longer than 0\.001 minutes .*; take the safetensors"):
        export_elsewhere(str(tmp_path), longest=0.06)
