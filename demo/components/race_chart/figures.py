"""Plotly figures of a scoreboard: accuracy and loss. Pure functions; texts from engine/i18n, colours from theme.py."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from demo import theme
from engine import MAIN_RACERS, RACERS, Evaluated, Scoreboard, messages_under, translate


def accuracy(board: Scoreboard, axis: str = "epoch", language: str = "en") -> go.Figure:
    """Held-out accuracy of all racers: exact points with their 95 % interval, rolling estimates, and the chance level.

    axis: "epoch", "seconds" or "pictures". A trace's `meta` is (racer, series); the script finds its trace by it.
    """
    figure = go.Figure(layout=_layout(translate(f"axis.{axis}", language), translate("chart.accuracy", language)))
    figure.update_yaxes(range=[0, 1], tickformat=".0%", dtick=0.2)
    for racer in RACERS:
        _add_accuracy(figure, racer, board.curves[racer].points if racer in board.curves else [], axis, language)
    classes = len(board.started.classes) if board.started else 10
    chance = 1 / classes
    figure.add_shape(
        type="line", x0=0, x1=1, xref="paper", y0=chance, y1=chance,
        line={"color": theme.CHANCE.light, "dash": theme.CHANCE.dash, "width": 2},
    )  # fmt: skip
    figure.add_annotation(
        x=1, xref="paper", y=chance, yanchor="bottom", xanchor="right", showarrow=False,
        text=translate("chart.chance", language),
        font={"color": theme.CHANCE.light, "size": 14},
    )  # fmt: skip
    return figure


def _add_accuracy(figure: go.Figure, racer: str, points: list[Evaluated], axis: str, language: str) -> None:
    """One racer's interval, rolling estimates and exact points."""
    ink, name = theme.RACERS[racer], translate(f"racer.{racer}", language)
    exact, rolling = [p for p in points if p.is_exact], [p for p in points if not p.is_exact]
    hidden: dict[str, Any] = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
    xs = [getattr(p, axis) for p in exact]
    figure.add_scatter(x=xs, y=[p.low for p in exact], line_width=0, meta=[racer, "low"], **hidden)
    figure.add_scatter(
        x=xs, y=[p.high for p in exact], line_width=0, fill="tonexty",
        fillcolor=_faint(ink.light, 0.16), meta=[racer, "high"], **hidden,
    )  # fmt: skip
    figure.add_scatter(
        x=[getattr(p, axis) for p in rolling], y=[p.correct / p.total for p in rolling], mode="lines",
        line={"color": ink.light, "width": 1.5}, opacity=0.45, meta=[racer, "rolling"], showlegend=False,
        hovertemplate=f"{name}, {translate('chart.rolling', language)}: %{{y:.0%}}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=xs, y=[p.correct / p.total for p in exact], mode="lines+markers", name=name,
        line={"color": ink.light, "width": 4 if racer in MAIN_RACERS else 2.5, "dash": ink.dash},
        marker={"size": 8 if racer in MAIN_RACERS else 6, "symbol": theme.SYMBOLS[racer]}, meta=[racer, "exact"],
        hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
    )  # fmt: skip


def loss(board: Scoreboard, axis: str = "epoch", language: str = "en") -> go.Figure:
    """Training loss of all racers above, learning rate below."""
    names = messages_under("racer", language)
    figure = go.Figure(layout=_layout(translate(f"axis.{axis}", language), translate("chart.loss", language)))
    figure.update_layout(
        yaxis={"domain": [0.38, 1], "rangemode": "tozero"},
        yaxis2={
            "domain": [0, 0.26],
            "type": "log",
            "title": translate("chart.rate", language),
            "exponentformat": "power",
            "dtick": 1,
        },
        xaxis={"anchor": "y2"},
    )
    for racer in RACERS:
        ink = theme.RACERS[racer]
        steps = board.curves[racer].losses if racer in board.curves else []
        for series, ys, yaxis in (("loss", [s.loss for s in steps], "y"), ("rate", [s.rate for s in steps], "y2")):
            figure.add_scatter(
                x=[getattr(s, axis) for s in steps], y=ys, yaxis=yaxis, mode="lines", name=names[racer],
                line={"color": ink.light, "width": 2.5, "dash": ink.dash}, meta=[racer, series],
                showlegend=series == "loss", hovertemplate=f"{names[racer]}: %{{y:.3g}}<extra></extra>",
            )  # fmt: skip
    return figure


def _layout(x_title: str, y_title: str) -> go.Layout:
    grid = {"gridcolor": theme.GRID.light, "zerolinecolor": theme.GRID.light}
    return go.Layout(
        template="none",
        font={"family": theme.FONT, "size": 16, "color": theme.TEXT.light},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 64, "r": 16, "t": 16, "b": 56},
        xaxis={"title": {"text": x_title}, "rangemode": "tozero", **grid},
        yaxis={"title": {"text": y_title}, **grid},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 16}},
        hovermode="x unified",
        uirevision="keep",  # the zoom survives updates
    )


def _faint(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
