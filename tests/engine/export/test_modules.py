"""ES modules are bundled into one script; unsupported syntax is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import inline_modules


def write_modules(folder: Path, **modules: str) -> Path:
    """Write these modules to a folder; returns the path of the first."""
    for name, code in modules.items():
        (folder / f"{name}.js").write_text(code, encoding="utf-8")
    return folder / f"{next(iter(modules))}.js"


def test_a_module_is_included_once_and_after_those_it_imports(tmp_path: Path) -> None:
    a = 'import { b } from "./b.js";\nimport { c as see } from "./c.js";\nb(see);\n'
    entry = write_modules(
        tmp_path, a=a, b='import { c } from "./c.js";\nexport const b = c;\n', c="export function c() {}\n"
    )
    script = inline_modules(entry)
    assert script.count("function c()") == 1
    assert script.index("function c()") < script.index("const b =") < script.index("b(see)")
    assert "const { c: see } = module0;" in script
    assert "import" not in script
    assert "export" not in script


def test_names_of_a_module_are_local(tmp_path: Path) -> None:
    entry = write_modules(
        tmp_path, a='import { b } from "./b.js";\nconst inner = b;\n', b="const inner = 1;\nexport const b = inner;\n"
    )
    assert inline_modules(entry).count("= (() => {\n") == 2


def test_imports_over_several_lines_and_types_in_comments_are_supported(tmp_path: Path) -> None:
    a = '/** @typedef {import("./b.js").B} B */\nimport {\n  b,\n} from "./b.js";\n/** @type {B} */\nexport const a = b;\n'
    script = inline_modules(write_modules(tmp_path, a=a, b="export class b {}\n"))
    assert "typedef" not in script
    assert "const { b } = module0;" in script


@pytest.mark.parametrize(
    "code",
    [
        "export default 1;\n",
        "export let a = 1;\n",
        "export { a };\n",
        'export * from "./b.js";\n',
        'import b from "./b.js";\n',
        'import * as b from "./b.js";\n',
        'import { b } from "https://example.org/b.js";\n',
        'import "./b.js";\n',
        'const b = await import("./b.js");\n',
        "const here = import.meta.url;\n",
        'const end = "</script>";\n',
        "const text = `of two\n  lines`;\n",
    ],
)
def test_unsupported_syntax_is_refused(tmp_path: Path, code: str) -> None:
    with pytest.raises(ValueError, match=r"a\.js holds .* does not support"):
        inline_modules(write_modules(tmp_path, a=code, b="export const b = 1;\n"))


def test_a_circle_of_imports_is_refused(tmp_path: Path) -> None:
    entry = write_modules(
        tmp_path,
        a='import { b } from "./b.js";\nexport const a = b;\n',
        b='import { a } from "./a.js";\nexport const b = a;\n',
    )
    with pytest.raises(ValueError, match=r"a\.js imports itself, by way of b\.js"):
        inline_modules(entry)
