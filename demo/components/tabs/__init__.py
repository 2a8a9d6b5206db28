"""The views below the race."""
