"""Try your own picture."""
