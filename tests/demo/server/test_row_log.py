"""Rows, events and texts are parallel lists; phones get fewer rows."""

from __future__ import annotations

import json

from demo.server.row_log import RowLog
from engine import Finished, to_row

EVENT = Finished(
    racer="scratch", reason="done", step=1, epoch=1.0, pictures=1, seconds=1.0, correct=1, total=1, answers="1", message=""
)


def test_a_row_its_text_and_its_event_have_the_same_index() -> None:
    log = RowLog()
    log.append({"event": "Queued", "place": 1})
    log.append({"t": 1.0, **to_row(EVENT)}, EVENT)
    assert [row["event"] for row in log.rows] == ["Queued", "Finished"]
    assert [json.loads(text) for text in log.texts] == log.rows
    assert log.events == [None, EVENT]


def test_a_phone_gets_only_the_rows_that_it_draws() -> None:
    log = RowLog()
    for name in ("Queued", "Stepped", "WeightsProbed", "Evaluated", "Predicted", "Standing"):
        log.append({"event": name})
    assert log.light == [log.texts[3], log.texts[5]]


def test_a_log_is_open_until_it_is_closed() -> None:
    log = RowLog()
    assert not log.is_closed
    log.close()
    assert log.is_closed
