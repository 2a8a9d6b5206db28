"""The figures show exactly the points of the scoreboard."""

from __future__ import annotations

import json
import math

import pytest

from demo.components.race_chart import figures
from engine import MAIN_RACERS, RACERS, Scoreboard, Stepped
from tests.helpers import recorded


@pytest.fixture
def board() -> Scoreboard:
    return recorded.board(recorded.race())


def traces(figure: object) -> dict[tuple[str, str], object]:
    return {tuple(t.meta): t for t in figure.data}  # type: ignore[attr-defined]


@pytest.mark.parametrize("axis", ["epoch", "seconds", "pictures"])
def test_the_traces_have_the_points_of_the_scoreboard(board: Scoreboard, axis: str) -> None:
    by_meta = traces(figures.accuracy(board, axis))
    for racer in MAIN_RACERS:
        exact = board.curves[racer].exact
        trace = by_meta[racer, "exact"]
        assert list(trace.x) == [getattr(p, axis) for p in exact]  # type: ignore[attr-defined]
        assert list(trace.y) == [p.correct / p.total for p in exact]  # type: ignore[attr-defined]
        assert trace.mode == "markers"  # type: ignore[attr-defined]  # no line across what was not measured
        ends = [
            (y + up, y - down) for y, up, down in zip(trace.y, trace.error_y.array, trace.error_y.arrayminus, strict=True)
        ]  # type: ignore[attr-defined]
        assert ends == [(pytest.approx(p.high), pytest.approx(p.low)) for p in exact]
        subset = [p for p in board.curves[racer].points if not p.is_exact]
        line = by_meta[racer, "subset"]
        assert list(line.x) == [getattr(p, axis) for p in subset]  # type: ignore[attr-defined]
        assert list(line.y) == [p.correct / p.total for p in subset]  # type: ignore[attr-defined]
        assert list(line.customdata) == [p.total for p in subset]  # type: ignore[attr-defined]


def test_the_chance_level_is_one_over_the_number_of_classes(board: Scoreboard) -> None:
    assert figures.accuracy(board).layout.shapes[0].y0 == pytest.approx(1 / 3)


def test_racers_differ_in_colour_dash_and_marker(board: Scoreboard) -> None:
    by_meta = traces(figures.accuracy(board))
    for series, attribute in (("subset", "line.color"), ("subset", "line.dash"), ("exact", "marker.symbol")):
        assert len({by_meta[racer, series][attribute] for racer in RACERS}) == len(RACERS)  # type: ignore[index]


def test_loss_and_learning_rate_have_separate_axes(board: Scoreboard) -> None:
    by_meta = traces(figures.loss(board))
    steps = board.curves["scratch"].losses
    assert list(by_meta["scratch", "loss"].y) == [s.loss for s in steps]  # type: ignore[attr-defined]
    assert list(by_meta["scratch", "rate"].y) == [s.rate for s in steps]  # type: ignore[attr-defined]
    assert by_meta["scratch", "loss"].yaxis != by_meta["scratch", "rate"].yaxis  # type: ignore[attr-defined]


def test_a_nan_loss_is_a_gap_in_the_curve() -> None:
    diverged = Scoreboard()
    for loss in (2.0, math.nan):
        diverged.add(Stepped(racer="scratch", step=1, epoch=1.0, pictures=8, seconds=0.5, loss=loss, rate=0.01))
    plotted = json.loads(figures.loss(diverged).to_json())["data"]
    assert next(trace for trace in plotted if trace["meta"] == ["scratch", "loss"])["y"] == [2.0, None]


def test_an_empty_scoreboard_gives_an_empty_figure() -> None:
    assert all(not t.x for t in figures.accuracy(Scoreboard()).data)
