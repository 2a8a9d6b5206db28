"""Limits on kept races: how many ended ones, and how many bytes of networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass

from demo.server.race_job import RaceJob


@dataclass(frozen=True)
class Retention:
    """Limits over all visitors together."""

    races: int = 40  # ended races
    network_bytes: int = 1_500_000_000

    def forget_races(self, jobs: MutableMapping[str, RaceJob]) -> None:
        """Drop ended races above the limit: first those that never began, then the oldest of the owner with the most.

        jobs: in order of arrival. A recorded race, which has no owner, is never dropped.
        """
        ended = {race_id: job for race_id, job in jobs.items() if job.state == "ended" and job.owner}
        while len(ended) > self.races:
            counts = Counter(job.party for job in ended.values())
            oldest = max(ended, key=lambda race_id: (ended[race_id].started is None, counts[ended[race_id].party]))
            del ended[oldest], jobs[oldest]

    def forget_networks(self, jobs: MutableMapping[str, RaceJob], newest: RaceJob) -> None:
        """Drop the oldest networks above the limit, except those of `newest`."""
        bytes_left = self.network_bytes
        for job in reversed(list(jobs.values())):
            bytes_left -= job.trained.size if job.trained else 0
            if bytes_left < 0 and job is not newest:
                job.trained = None
