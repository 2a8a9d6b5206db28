"""The HTML document holds the content of the report, in both languages; it escapes visitors' texts and loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from engine.errors import DataError
from engine.export.report import document
from engine.export.report.report import compose
from engine.i18n.messages import translate
from engine.plan import Plan
from engine.workspace import Workspace
from tests.helpers.recorded import HOSTILE, PICTURES, STAMP, Pairs, board, race


class Texts(HTMLParser):
    """The tags of a document, their attributes, and the texts of its table cells."""

    def __init__(self, markup: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.text = ""
        self._in_cell = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self._in_cell = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.cells[-1] += data


def plain(pairs: Pairs, notes: str = "") -> str:
    """The document without its charts: they take a second to draw."""
    return document.document(compose(STAMP, pairs, Workspace()), {}, PICTURES, notes)


@pytest.fixture(scope="module")
def page() -> str:
    return plain(race())


@pytest.fixture(scope="module")
def hostile() -> str:
    return plain(race(HOSTILE), "<img src=x onerror=alert(2)>\nsecond line")


@pytest.fixture(scope="module")
def charted() -> str:
    return document.html(STAMP, race(HOSTILE), Workspace(), PICTURES)


def assert_loads_nothing(document: str) -> None:
    tags = Texts(document).tags
    assert not {"script", "link", "iframe", "object", "image", "base"} & {tag for tag, _ in tags}
    assert "://" not in document
    assert "@import" not in document
    assert not re.search(r"url\((?!#)", document)
    (policy,) = [a["content"] for tag, a in tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert (policy or "").startswith("default-src 'none'; img-src data:;")


def test_the_document_holds_the_racers_the_headline_and_the_settings_of_the_report(page: str) -> None:
    report, document = compose(STAMP, race(), Workspace()), Texts(page)
    for row in report.result_rows:
        at = document.cells.index(row[0])
        assert document.cells[at : at + len(row)] == list(row)
    for text in (
        report.headline,
        report.uncertainty,
        report.kicker,
        report.command,
        *report.measured,
        *sum(report.settings, ()),
    ):
        assert text in document.text


def test_the_heat_maps_hold_the_confusion_matrix(page: str) -> None:
    cells, confusion = Texts(page).cells, board(race()).confusion("scratch")
    assert confusion is not None
    first = cells.index("round")  # the head of the first column of the first map
    for k, row in enumerate(confusion):
        at = first + 3 + 4 * k
        assert cells[at : at + 4] == [("round", "square", "stripes")[k], *(str(n or "") for n in row)]


def test_a_race_without_an_end_has_no_heat_map() -> None:
    assert translate("report.no_confusion") in plain(race(reason="stopped"))


def test_the_predictions_of_both_racers_are_below_their_picture(page: str) -> None:
    cells = Texts(page).cells
    assert [cell for cell in cells if "91 %" in cell] == ["round ✓ 91 %"] * 2
    assert "stripes ✓ 43 %" in cells  # pretrained
    assert "round ✗ 43 %" in cells  # scratch
    pictures = [attrs for tag, attrs in Texts(page).tags if tag == "img"]
    assert [p["alt"] for p in pictures] == [
        translate("report.picture_alt", number=k + 1, name=name) for k, name in enumerate(("round", "square", "stripes"))
    ]
    assert all((p["src"] or "").startswith("data:image/webp;base64,") for p in pictures)


def test_without_pictures_the_predictions_are_still_there() -> None:
    page = document.document(compose(STAMP, race(), Workspace()), {}, None, "")
    assert "<img" not in page
    assert "round ✓ 91 %" in Texts(page).cells
    assert translate("report.no_pictures") in page


def test_nothing_is_loaded_from_anywhere(page: str, hostile: str) -> None:
    assert_loads_nothing(page)
    assert_loads_nothing(hostile)


@pytest.mark.slow  # draws
def test_the_charts_load_nothing_either_and_class_names_in_them_are_text(charted: str) -> None:
    assert_loads_nothing(charted)
    assert all(name in Texts(charted).cells for name in HOSTILE)


def test_visitors_text_is_escaped(hostile: str) -> None:
    document = Texts(hostile)
    assert "script" not in {tag for tag, _ in document.tags}
    assert not [a for _, a in document.tags if any(name.startswith("on") for name in a)]
    assert "<img src=x onerror=alert(2)>\nsecond line" in document.text
    assert all(name in document.cells for name in HOSTILE)


def test_notes_are_printed_or_can_be_written(page: str, hostile: str) -> None:
    assert [a["id"] for tag, a in Texts(page).tags if tag == "textarea"] == ["notes"]
    assert [a["for"] for tag, a in Texts(page).tags if tag == "label"] == ["notes"]
    assert "<textarea" not in hostile


def test_every_table_header_has_a_scope(page: str) -> None:
    tags = Texts(page).tags
    assert {a.get("scope") for tag, a in tags if tag == "th"} == {"col", "row"}


@pytest.mark.slow  # draws
def test_ids_are_unique(charted: str) -> None:
    ids = [a["id"] for _, a in Texts(charted).tags if "id" in a]
    assert len(ids) == len(set(ids))  # two charts on one page


@pytest.mark.slow  # draws
def test_the_chart_is_text_in_the_colours_of_the_page(charted: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", charted, re.DOTALL)
    assert len(charts) == 2
    for chart in charts:
        assert ">From scratch<" in chart
        assert "var(--scratch)" in chart
        assert not re.search(r"#[0-9a-f]{6}", chart.replace("#000000", ""))


@pytest.mark.slow  # draws
def test_it_speaks_japanese() -> None:
    page = document.html(STAMP, race(), Workspace(), None, "ja")
    assert '<html lang="ja">' in page
    for key in ("racer.scratch", "axis.epoch", "report.settings", "report.measured_gap"):
        assert translate(key, "ja") in page
    assert ">ゼロから学習<" in page[page.index("<svg") :]


@pytest.mark.slow  # draws
def test_an_interrupted_race_is_still_a_document() -> None:
    assert "<svg" in document.html(STAMP, race()[:1], Workspace())


def test_a_race_that_never_began_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to report"):
        document.html(STAMP, [], Workspace())


def test_a_deleted_network_is_reported() -> None:
    assert translate("report.no_network") in plain(race(plan=Plan(backbone="resnet18+gone.pth", examples_per_class=4)))


def test_the_heat_map_of_many_classes_is_an_image() -> None:
    page = Texts(plain(race(tuple(f"class {k}" for k in range(40)))))
    alts = [a["alt"] for tag, a in page.tags if tag == "img"]
    assert alts[:2] == [
        translate("report.confusion_alt", count=40, name=translate(f"racer.{racer}")) for racer in ("scratch", "pretrained")
    ]
