"""Exports a recorded race as one HTML file that plays it."""
