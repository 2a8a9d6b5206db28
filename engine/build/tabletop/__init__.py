"""Tabletop: the generator of the embedded pictures, ten classes of everyday objects, path-traced.

The rest of the engine reads only the finished sheets in assets/tabletop/. README.md lists the files in reading order.
"""

VERSION = "1.0"  # must change when the same seed no longer makes the same pictures
