"""Rooms: the presenter's view and the phones' page."""
