"""The live chart of a race."""
