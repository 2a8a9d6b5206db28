"""Bundles ES modules into one classic script, for pages with an inline script.

Supports only the forms that the modules here use, and refuses all others: `import { a, b as c } from "./x.js";`,
`export const`, `export function`, `export async function` and `export class`, each at the start of a line.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))", re.MULTILINE)
COMMENT = re.compile(r"^ *(?:/\*\*(?:[^*]|\*(?!/))*\*/|//.*)?\n", re.MULTILINE)  # on lines without code; blank lines too
INLINE_COMMENT = re.compile(r"/\*\*(?:[^*]|\*(?!/))*\*/ ?| // .*$", re.MULTILINE)  # on a line with code
# The last form is a template literal over several lines, which would lose its indentation
UNSUPPORTED = re.compile(
    r"^(?:import|export)\b.*|\bimport\s*[(.].*|</script.*|^[^`\n]*`(?:[^`\n]*`[^`\n]*`)*[^`\n]*$", re.MULTILINE
)


def inline_modules(entry: Path) -> str:
    """The module and everything it imports, as one script. Raises ValueError for syntax that this bundler does not support.

    Each module becomes a function that returns its exports, so that its names stay local. Comments and indentation are
    removed.
    """
    names = _numbered(entry.resolve())
    parts = [_as_function(path, names) for path in names]
    return '(() => {\n"use strict";\n' + "".join(parts) + "})();\n"


def _numbered(entry: Path) -> dict[Path, str]:
    """Every module after those it imports -> the name of the constant that holds its exports."""
    names: dict[Path, str] = {}

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        if path in above:
            raise ValueError(f"{path.name} imports itself, by way of {above[-1].name}")
        if path in names:
            return
        for _, target in IMPORT.findall(path.read_text(encoding="utf-8")):
            visit((path.parent / target).resolve(), (*above, path))
        names[path] = f"module{len(names)}"

    visit(entry, ())
    return names


def _as_function(path: Path, names: dict[Path, str]) -> str:
    code = INLINE_COMMENT.sub("", COMMENT.sub("", path.read_text(encoding="utf-8")))
    code = re.sub(r"^ +", "", code, flags=re.MULTILINE)
    exports = EXPORT.findall(code)

    def destructuring(match: re.Match[str]) -> str:
        imported = re.sub(r"(\w+) as (\w+)", r"\1: \2", " ".join(match[1].split()).rstrip(","))
        return f"const {{ {imported} }} = {names[(path.parent / match[2]).resolve()]};\n"

    code = EXPORT.sub("", IMPORT.sub(destructuring, code))
    if unsupported := UNSUPPORTED.search(code):
        raise ValueError(f"{path.name} holds {unsupported[0]!r}, which this bundler does not support")
    end = f"return {{ {', '.join(exports)} }};\n" if exports else ""
    return f"const {names[path]} = (() => {{\n{code}{end}}})();\n"
