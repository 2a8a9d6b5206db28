"""Load test of the page with a classroom on it: `python -m demo.load`. No other module imports it."""
