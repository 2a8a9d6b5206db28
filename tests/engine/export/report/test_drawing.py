"""Each point of the chart is an event."""

from __future__ import annotations

import numpy as np
import pytest

from engine.export.report.drawing import WIDE, accuracy, drawable
from engine.export.report.report import compose
from engine.i18n.messages import translate
from engine.plan import Plan
from engine.workspace import Workspace
from tests.helpers.recorded import STAMP, board, race


@pytest.mark.slow
def test_the_plotted_points_are_the_events() -> None:
    pairs = race()
    axes = accuracy(compose(STAMP, pairs, Workspace()), WIDE).axes[0]
    for racer, curve in board(pairs).curves.items():
        (line,) = [line for line in axes.lines if line.get_label() == translate(f"racer.{racer}")]
        expected = [(p.epoch, p.correct / p.total) for p in curve.exact]
        assert np.asarray(line.get_xydata()).tolist() == [list(point) for point in expected]
        assert line.get_linestyle() == "None"  # no line across what was not measured
    drawn = [[segment.tolist() for segment in bars.get_segments()] for bars in axes.collections]  # type: ignore[attr-defined]
    assert drawn == [[[[p.epoch, p.low], [p.epoch, p.high]] for p in c.exact] for c in board(pairs).curves.values()]
    subset = [np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_label() == "_subset"]
    curves = board(pairs).curves.values()
    assert subset == [[[p.epoch, p.correct / p.total] for p in c.points if not p.is_exact] for c in curves]
    (guess,) = [line for line in axes.lines if line.get_label() == translate("chart.chance")]
    assert set(np.asarray(guess.get_ydata()).tolist()) == {1 / 3}


def test_the_axis_is_seconds_where_the_budget_is_seconds() -> None:
    report = compose(STAMP, race(plan=Plan(examples_per_class=4, budget="seconds", seconds=9)), Workspace())
    axes = accuracy(report, WIDE).axes[0]
    assert axes.get_xlabel() == translate("axis.seconds")
    assert max(np.asarray(axes.lines[1].get_xdata())) == 9.0


def test_a_character_that_no_font_has_is_drawn_as_a_box() -> None:
    assert drawable("a\u202eb\n\U0010ffffc") == "ab □c"
