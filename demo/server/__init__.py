"""Races on the server: queue, rows, streams, limits, API."""
