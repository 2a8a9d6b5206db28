"""Start-time fair queueing (Goyal, Vin and Cheng 1996): the order in which waiting races are served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class _Ticket:
    name: str
    party: str
    round: int


class FairQueue:
    """Names in the order in which they are served, alternating between parties (a visitor, or all programs of one address).

    A party's first name joins the current round, each further one the round after its previous. Rounds are served one after
    the other, the names of a round in order of arrival. Every request has weight one. Not thread-safe.
    """

    def __init__(self) -> None:
        self._tickets: list[_Ticket] = []
        self._round = 0  # being served
        self._served: dict[str, int] = {}  # party -> the round of the last one served

    def __iter__(self) -> Iterator[str]:
        return iter([ticket.name for ticket in self._tickets])

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, name: str, party: str) -> None:
        """Append a name of this party."""
        waiting = [ticket.round for ticket in self._tickets if ticket.party == party]
        round_number = max(self._round, max([self._served.get(party, -1), *waiting]) + 1)
        place = sum(ticket.round <= round_number for ticket in self._tickets)
        self._tickets.insert(place, _Ticket(name, party, round_number))

    def remove(self, name: str) -> None:
        """Remove a name; one that does not wait is ignored."""
        self._tickets = [ticket for ticket in self._tickets if ticket.name != name]

    def pop(self) -> str:
        """Remove and return the next name."""
        ticket = self._tickets.pop(0)
        self._round = self._served[ticket.party] = ticket.round
        self._served = {party: last for party, last in self._served.items() if last >= self._round}
        return ticket.name
