"""Whose turn it is when something cannot be done. Knows nothing of settings, pictures or weights themselves."""

from __future__ import annotations


class HeadStartError(Exception):
    """Something that one sentence to the person in front of it can mend."""


class PlanError(HeadStartError):
    """A setting is out of range: change it."""


class UnavailableError(HeadStartError):
    """Weights or pictures are not to be had here: the sentence says what was tried and what to do."""


class DataError(HeadStartError):
    """These pictures or this file cannot be used: the sentence names them."""
