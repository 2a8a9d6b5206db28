"""Scoreboard -> figure, one function per picture; pure. Sentences from strings.json, colours from look.py."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from demo import look
from engine import LANES, RIVALS, Scoreboard, said, say


def accuracy(board: Scoreboard, axis: str = "epoch", language: str = "en") -> go.Figure:
    """Held-out accuracy of all racers: exact points with their interval, rolling estimates, and the line of guessing.

    Each trace's `meta` says which lane and which kind of point it draws; the script on the page appends to it by that.
    """
    names = said("lane", language)
    figure = go.Figure(layout=_layout(say(f"axis.{axis}", language), say("chart.accuracy", language)))
    figure.update_yaxes(range=[0, 1], tickformat=".0%", dtick=0.2)
    for lane in LANES:
        ink = look.LANES[lane]
        points = board.curves[lane].points if lane in board.curves else []
        exact, rolling = [p for p in points if p.is_exact], [p for p in points if not p.is_exact]
        quiet: dict[str, Any] = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
        xs = [getattr(p, axis) for p in exact]
        figure.add_scatter(x=xs, y=[p.low for p in exact], line_width=0, meta=[lane, "low"], **quiet)
        figure.add_scatter(
            x=xs, y=[p.high for p in exact], line_width=0, fill="tonexty",
            fillcolor=_faint(ink.light, 0.16), meta=[lane, "high"], **quiet,
        )  # fmt: skip
        figure.add_scatter(
            x=[getattr(p, axis) for p in rolling], y=[p.correct / p.total for p in rolling], mode="lines",
            line={"color": ink.light, "width": 1.5}, opacity=0.45, meta=[lane, "rolling"], showlegend=False,
            hovertemplate=f"{names[lane]}, {say('chart.rolling', language)}: %{{y:.0%}}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=xs, y=[p.correct / p.total for p in exact], mode="lines+markers", name=names[lane],
            line={"color": ink.light, "width": 4 if lane in RIVALS else 2.5, "dash": ink.dash},
            marker={"size": 8 if lane in RIVALS else 6, "symbol": look.SYMBOLS[lane]}, meta=[lane, "exact"],
            hovertemplate=f"{names[lane]}: %{{y:.1%}}<extra></extra>",
        )  # fmt: skip
    classes = len(board.started.classes) if board.started else 10
    chance = 1 / classes
    figure.add_shape(
        type="line", x0=0, x1=1, xref="paper", y0=chance, y1=chance,
        line={"color": look.CHANCE.light, "dash": look.CHANCE.dash, "width": 2},
    )  # fmt: skip
    figure.add_annotation(
        x=1, xref="paper", y=chance, yanchor="bottom", xanchor="right", showarrow=False, text=say("chart.chance", language),
        font={"color": look.CHANCE.light, "size": 14},
    )  # fmt: skip
    return figure


def loss(board: Scoreboard, axis: str = "epoch", language: str = "en") -> go.Figure:
    """Training loss of all racers above, learning rate below."""
    names = said("lane", language)
    figure = go.Figure(layout=_layout(say(f"axis.{axis}", language), say("chart.loss", language)))
    figure.update_layout(
        yaxis={"domain": [0.38, 1], "rangemode": "tozero"},
        yaxis2={
            "domain": [0, 0.26],
            "type": "log",
            "title": say("chart.rate", language),
            "exponentformat": "power",
            "dtick": 1,
        },
        xaxis={"anchor": "y2"},
    )
    for lane in LANES:
        ink = look.LANES[lane]
        steps = board.curves[lane].losses if lane in board.curves else []
        for kind, ys, yaxis in (("loss", [s.loss for s in steps], "y"), ("rate", [s.rate for s in steps], "y2")):
            figure.add_scatter(
                x=[getattr(s, axis) for s in steps], y=ys, yaxis=yaxis, mode="lines", name=names[lane],
                line={"color": ink.light, "width": 2.5, "dash": ink.dash}, meta=[lane, kind],
                showlegend=kind == "loss", hovertemplate=f"{names[lane]}: %{{y:.3g}}<extra></extra>",
            )  # fmt: skip
    return figure


def _layout(x_title: str, y_title: str) -> go.Layout:
    grid = {"gridcolor": look.GRID.light, "zerolinecolor": look.GRID.light}
    return go.Layout(
        template="none",
        font={"family": look.FONT, "size": 16, "color": look.TEXT.light},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 64, "r": 16, "t": 16, "b": 56},
        xaxis={"title": {"text": x_title}, "rangemode": "tozero", **grid},
        yaxis={"title": {"text": y_title}, **grid},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 16}},
        hovermode="x unified",
        uirevision="keep",  # a viewer's zoom survives every update
    )


def _faint(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
