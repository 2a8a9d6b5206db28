"""The page's sentences and the visitor's language."""
