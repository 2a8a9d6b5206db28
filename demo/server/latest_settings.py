"""The current settings of each open page, to drop results that were computed for older ones."""

from __future__ import annotations

from collections import OrderedDict


class LatestSettings:
    """The current settings of the `capacity` pages that changed last.

    Results may arrive out of order. The key of a page is Gradio's session hash, so two pages of one visitor differ.
    """

    def __init__(self, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._values: OrderedDict[str | None, tuple[object, ...]] = OrderedDict()

    def put(self, page: str | None, values: tuple[object, ...]) -> None:
        """Store the current settings of a page."""
        self._values[page] = values
        self._values.move_to_end(page)
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def are_current(self, page: str | None, values: tuple[object, ...]) -> bool:
        """Whether these are the page's current settings; true for a page that is not stored."""
        return self._values.get(page, values) == values
