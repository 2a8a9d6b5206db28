"""The page: what a visitor sees of the engine."""
