"""Plotly figures of a scoreboard: accuracy and loss. Pure functions; texts from engine/i18n, colours from theme.py."""

from __future__ import annotations

import plotly.graph_objects as go

from demo import theme
from engine import MAIN_RACERS, RACERS, Evaluated, Scoreboard, messages_under, translate


def accuracy(board: Scoreboard, axis: str = "epoch", language: str = "en") -> go.Figure:
    """Held-out accuracy of all racers: exact points with their 95 % interval, a line through the evaluations of a subset
    of the held-out pictures, and the chance level. Nothing is drawn that was not measured.

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
    """One racer's line through the evaluations of the subset, and its exact points with their intervals."""
    ink, name, is_main = theme.RACERS[racer], translate(f"racer.{racer}", language), racer in MAIN_RACERS
    exact, subset = [p for p in points if p.is_exact], [p for p in points if not p.is_exact]
    n = translate("chart.pictures", language, n="%{customdata}")
    figure.add_scatter(
        x=[getattr(p, axis) for p in subset], y=[p.correct / p.total for p in subset], customdata=[p.total for p in subset],
        mode="lines", line={"color": ink.light, "width": 2.5 if is_main else 1.5, "dash": ink.dash}, meta=[racer, "subset"],
        legendgroup=racer, showlegend=False, hovertemplate=f"{name}: %{{y:.0%}}, {n}<extra></extra>",
    )  # fmt: skip
    shares = [p.correct / p.total for p in exact]
    figure.add_scatter(
        x=[getattr(p, axis) for p in exact], y=shares, customdata=[p.total for p in exact], mode="markers", name=name,
        marker={"color": ink.light, "size": 10 if is_main else 8, "symbol": theme.SYMBOLS[racer]},
        error_y={
            "type": "data", "symmetric": False, "color": ink.light, "thickness": 1.5, "width": 4,
            "array": [p.high - share for p, share in zip(exact, shares, strict=True)],
            "arrayminus": [share - p.low for p, share in zip(exact, shares, strict=True)],
        },
        meta=[racer, "exact"], legendgroup=racer, legendrank=999 if racer == "pretrained" else 1000,
        hovertemplate=f"{name}: %{{y:.1%}}, {n}<extra></extra>",
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
