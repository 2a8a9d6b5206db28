"""The training of one racer."""
