"""The table of finished races."""
