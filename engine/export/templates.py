"""Renders Jinja2 templates: pages, in which every value is escaped, and programs, which take literals only.

A name without a value is an error. Values are never parsed as templates.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_COMPACT = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}


def render_page(path: Path, **values: object) -> str:
    """An HTML page. Values are escaped; `| safe` inserts markup, `| tojson` JSON in which `<` is escaped."""
    return _environment(path.parent, True).get_template(path.name).render(values)


def render_program(path: Path, **values: object) -> str:
    """A program. Nothing is escaped: pass text written by visitors as its `repr`, or as JSON."""
    return _environment(path.parent, False).get_template(path.name).render(values)


def render_inlined_page(path: Path, style: str, script: str, more: str, **values: object) -> str:
    """A page with an inline style sheet and script; its `policy` is the Content-Security-Policy that allows only these."""
    return render_page(path, style=style, script=script, policy=content_policy(style, script, more), **values)


def content_policy(style: str, script: str, more: str) -> str:
    """A Content-Security-Policy that allows only this style sheet and this script; `more`: further directives."""
    sources = f"script-src '{_sha256(script)}'; style-src '{_sha256(style)}'"
    return f"default-src 'none'; {sources}; {more}; base-uri 'none'; form-action 'none'"


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _environment(folder: Path, escapes: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=escapes,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = _COMPACT
    return environment
