"""Mitsuba, set up once. Every module that builds or renders a scene imports it from here, never directly."""

import drjit
import mitsuba as mi

mi.set_variant("scalar_rgb")  # needs no compiler, and gives the same bytes in every process
drjit.set_thread_count(1)  # one picture, one thread; render.py runs several processes

__all__ = ["mi"]
