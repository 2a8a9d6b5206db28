"""Every sentence is in the files of engine/i18n, in every language, with the same placeholders; none is in the code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from engine.i18n.messages import LANGUAGES, best_language, messages_under, strings, translate

HOME = Path(__file__).parents[3]
SOURCES = sorted([*HOME.glob("demo/**/*.py"), HOME / "app.py"])
SCRIPTS = sorted(HOME.glob("demo/**/*.js"))
TEMPLATES = sorted(HOME.glob("demo/**/*.html"))
CODE_FILES = sorted([*HOME.glob("demo/**/*.py"), *HOME.glob("engine/**/*.py"), HOME / "app.py"])
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# The same in every language: names
UNTRANSLATED = {
    "page.title", "upload.way.zip", "upload.hub.hint", "interval.points",
}  # fmt: skip
# Read by programs and by the person who runs the server, not by visitors
NOT_ON_THE_PAGE = {
    "HEADSTART_AUTH is not of the form user:password",
    "the process ended before its work did",
    "HEADSTART_GRACE is ", "Head Start cannot start: ", "; give seconds", "Looking through ",
    "No recorded race is shown: ",
    "No race can be run yet: ", "too many viewers; the page asks once a second instead",
    "not a secret: a race id and a random name",
}  # fmt: skip
SENTENCE_PATTERN = re.compile(r"[^\W\d_]{2,}[,:;.]? +[^\W\d_]{2,}")
CODE_PATTERN = re.compile(
    r"[<>={}]|&&|https?://|^\s*[.#@\[]|Cache-Control|public, max-age|private, no-store|image/|text/"
    r"|sans-serif|Segoe UI|Noto Sans|^: |^\n"
)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_each_language_has_the_same_keys_in_the_same_files_each_once() -> None:
    keys = {
        language: {
            path.name: list(json.loads(path.read_text(encoding="utf-8")))
            for path in (HOME / "engine/i18n" / language).glob("*.json")
        }
        for language in LANGUAGES
    }
    assert all(areas == keys["en"] for areas in keys.values())
    every = [key for area in keys["en"].values() for key in area]
    assert len(every) == len(set(every)) == len(strings())


def test_every_sentence_exists_in_every_language_with_the_same_placeholders() -> None:
    for key, texts in strings().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(text.strip() for text in texts.values()), key
        assert len({frozenset(placeholders(text)) for text in texts.values()}) == 1, key
        is_a_name = key in UNTRANSLATED or (key.startswith("fact.") and texts["en"] == texts["ja"])
        has_words = re.search(r"[^\W\d_]{3}", re.sub(r"\{\w+\}", "", texts["en"]))
        assert is_a_name or JAPANESE.search(texts["ja"]) or not has_words, key


def test_a_sentence_is_translated_and_its_placeholders_are_filled() -> None:
    assert translate("upload.class.added.one", "en", count=1, name="{cup}") == "1 picture of “{cup}”"
    assert translate("upload.class.added.one", "ja", count=1, name="{cup}") == "「{cup}」の画像 1 枚"
    assert translate("phase.done", "xx") == translate("phase.done", "en")
    assert messages_under("axis", "ja")["seconds"] == "秒"
    assert len(messages_under("")) == len(strings())


def test_the_first_available_language_is_chosen() -> None:
    assert best_language("de-DE,ja-JP;q=0.9,en;q=0.8") == "ja"
    assert best_language("") == "en"


def used_keys(path: Path) -> Iterator[str]:
    """Keys of sentences in a Python file: whole keys, beginnings of keys, and patterns of keys that are built from parts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+(\.[\w-]+)+", node.value):
            yield node.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+\.", node.value):
            yield node.value[:-1]  # all keys with this prefix
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "messages_under",
            "_choices",
        ):  # all keys with this prefix
            if node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
        elif isinstance(node, ast.JoinedStr) and re.match(r"f['\"]\w+\.", ast.unparse(node)):
            yield "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".+" for v in node.values)


def template_keys(path: Path) -> Iterator[str]:
    """Keys of sentences in a template: quoted whole keys and beginnings of keys."""
    for key in re.findall(r'"(\w+(?:\.[\w-]+)*\.?)"', path.read_text(encoding="utf-8")):
        if "." in key:
            yield key.removesuffix(".")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(HOME).as_posix())
def test_no_template_contains_a_sentence(path: Path) -> None:
    source, filled = path.read_text(encoding="utf-8"), r"__[A-Z]+__|\{\{.*?\}\}|\{%.*?%\}"
    text = re.sub(rf"{filled}|<[^>]*>|Head Start", "", source, flags=re.DOTALL)
    assert not re.search(r"[^\W\d_]{2}", text)


def test_every_sentence_is_used() -> None:
    parts = {part for path in CODE_FILES if "tabletop" not in path.parts for part in used_keys(path)}
    parts |= {part for path in TEMPLATES for part in template_keys(path)}
    patterns = [re.compile(part) for part in parts if "+" in part]

    def is_used(key: str) -> bool:
        prefixes = {key.rsplit(".", k)[0] for k in range(key.count(".") + 1)}
        return bool(prefixes & parts) or any(pattern.fullmatch(key) for pattern in patterns)

    assert not [key for key in strings() if not is_used(key)]


def not_on_the_page(tree: ast.AST) -> set[int]:
    """Ids of the texts that the page does not show: docstrings, errors of the engine, help of the terminal, keys."""
    ids: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            ids.add(id(node.value))
        is_error = (
            isinstance(node, ast.Raise) and node.exc and re.match(r"(Plan|Data|Unavailable)Error\(", ast.unparse(node.exc))
        )
        is_help = isinstance(node, ast.Call) and re.search(
            r"ArgumentParser$|add_argument$|ValueError$", ast.unparse(node.func)
        )
        if isinstance(node, ast.Dict):  # {"error": "…"}, the reply of an HTTP route
            ids |= {
                id(v)
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant) and k.value == "error"
            }
        is_key = isinstance(node, ast.Call) and ast.unparse(node.func) in ("translate", "messages_under", "labels.text")
        if is_error or is_help or is_key:
            ids |= {id(each) for each in ast.walk(node)}
    return ids


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent.name != "load"], ids=lambda path: path.name)  # a terminal's
def test_no_sentence_is_written_in_the_code_of_the_page(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored = not_on_the_page(tree)
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in ignored]
    sentences = [
        text for text in texts if isinstance(text, str) and SENTENCE_PATTERN.search(text) and not CODE_PATTERN.search(text)
    ]
    assert not [text for text in sentences if text not in NOT_ON_THE_PAGE]


def literals(script: str) -> list[str]:
    """The string literals of a script, without comments and selectors."""
    script = re.sub(r"""(\$|querySelector(All)?|closest|matches)\((["'`]).*?\3\)""", "", script)
    matches = re.findall(r"""//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)""", script, re.S)
    return [re.sub(r"\$\{.*?\}", "", text[1:-1]) for text in matches if text]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_sentence_is_written_in_a_script(path: Path) -> None:
    texts = literals(path.read_text(encoding="utf-8"))
    sentences = [text for text in texts if SENTENCE_PATTERN.search(text) and not re.search(r"[<>#=:\[(]|^python |^--", text)]
    assert not [text for text in sentences if not re.fullmatch(r"(hs-[\w-]*\s*)+", text.strip())]
