"""Tabletop: the generator of the embedded pictures, ten classes of everyday objects, path-traced.

Seed in, pictures out. The rest of the engine needs only the finished sheets in assets/tabletop/ and imports of
this package no more than `sheets`. Only tracer, materials, setting and photo need Mitsuba.

Reading order: difficulty and draw (what is drawn, and from which stream) -> catalogue (which classes) -> vessels,
furniture, things (their shapes, made with mesh) -> texture, materials (their looks) -> surroundings, setting,
camera (what is around them) -> develop, photo (one picture) -> sheets, render (all of them, and the command).
"""

VERSION = "1.0"  # changes when the same seed no longer makes the same pictures
