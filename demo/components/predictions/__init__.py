"""Predictions before a race."""
