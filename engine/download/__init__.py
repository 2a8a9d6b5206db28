"""Downloads: mirrors, and resumable, verified transfers into the cache folder."""
