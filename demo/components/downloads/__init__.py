"""The download view."""
