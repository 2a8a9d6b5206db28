"""Measurements: which recipe is best for each racer, and how fast a race is against a naive baseline."""
