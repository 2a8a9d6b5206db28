"""Measurements: training recipes, the speed of a race, and what pretraining gains on a visitor's pictures."""
