"""A figure shows exactly the scoreboard's points."""

from __future__ import annotations

import json
import math

import pytest
import told

from demo import charts
from engine import LANES, RIVALS, Scoreboard, Stepped


@pytest.fixture
def board() -> Scoreboard:
    return told.board(told.race())


def traces(figure: object) -> dict[tuple[str, str], object]:
    return {tuple(t.meta): t for t in figure.data}  # type: ignore[attr-defined]


@pytest.mark.parametrize("axis", ["epoch", "seconds", "pictures"])
def test_every_point_is_drawn_in_its_place(board: Scoreboard, axis: str) -> None:
    found = traces(charts.accuracy(board, axis))
    for lane in RIVALS:
        exact = board.curves[lane].exact
        trace = found[lane, "exact"]
        assert list(trace.x) == [getattr(p, axis) for p in exact]  # type: ignore[attr-defined]
        assert list(trace.y) == [p.correct / p.total for p in exact]  # type: ignore[attr-defined]
        assert list(found[lane, "low"].y) == [p.low for p in exact]  # type: ignore[attr-defined]
        assert list(found[lane, "high"].y) == [p.high for p in exact]  # type: ignore[attr-defined]
        rolling = [p for p in board.curves[lane].points if not p.is_exact]
        assert len(found[lane, "rolling"].y) == len(rolling)  # type: ignore[attr-defined]


def test_the_line_of_guessing_is_one_over_the_classes(board: Scoreboard) -> None:
    assert charts.accuracy(board).layout.shapes[0].y0 == pytest.approx(1 / 3)


def test_racers_differ_in_colour_dash_and_marker(board: Scoreboard) -> None:
    found = traces(charts.accuracy(board))
    for look in ("line.color", "line.dash", "marker.symbol"):
        assert len({found[lane, "exact"][look] for lane in LANES}) == len(LANES)  # type: ignore[index]


def test_losses_and_rates_are_drawn_on_axes_of_their_own(board: Scoreboard) -> None:
    found = traces(charts.loss(board))
    steps = board.curves["scratch"].losses
    assert list(found["scratch", "loss"].y) == [s.loss for s in steps]  # type: ignore[attr-defined]
    assert list(found["scratch", "rate"].y) == [s.rate for s in steps]  # type: ignore[attr-defined]
    assert found["scratch", "loss"].yaxis != found["scratch", "rate"].yaxis  # type: ignore[attr-defined]


def test_a_loss_that_is_no_number_is_a_hole_in_the_curve() -> None:
    diverged = Scoreboard()
    for loss in (2.0, math.nan):
        diverged.add(Stepped("scratch", 1, 1.0, 8, 0.5, loss, 0.01))
    drawn = json.loads(charts.loss(diverged).to_json())["data"]
    assert next(trace for trace in drawn if trace["meta"] == ["scratch", "loss"])["y"] == [2.0, None]


def test_an_empty_board_makes_an_empty_figure() -> None:
    assert all(not t.x for t in charts.accuracy(Scoreboard()).data)
