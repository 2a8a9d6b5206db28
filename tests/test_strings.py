"""Every sentence stands in one file, in every language, with the same placeholders; none stands elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from engine.strings import LANGUAGES, best_language, said, say, strings

HOME = Path(__file__).parents[1]
SOURCES = sorted([*HOME.glob("demo/*.py"), HOME / "app.py"])
SCRIPTS = sorted(HOME.glob("demo/*.js"))
SPEAKERS = sorted([*HOME.glob("demo/*.py"), *HOME.glob("engine/**/*.py"), HOME / "app.py"])
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# The same in every language: names of things
SAME = {
    "page.title", "optimizer.adamw", "optimizer.sgd", "optimizer.muon", "own.way.zip", "own.hub.hint", "interval.points",
}  # fmt: skip
# Read by programs and by whoever runs the server, not by visitors
ELSEWHERE = {
    "Head Start cannot start: HEADSTART_AUTH is not of the form user:password",
    "the process ended before its work did",
    "Head Start cannot start: HEADSTART_GRACE is ", "Head Start cannot start: ", "; give seconds", "Looking through ",
    "No recorded race is shown: ",
    "No race can be run yet: ", "too many viewers; the page asks once a second instead",
    "not a secret: a race id and a random name",
}  # fmt: skip
SENTENCE = re.compile(r"[^\W\d_]{2,}[,:;.]? +[^\W\d_]{2,}")
CODE = re.compile(
    r"[<>={}]|&&|https?://|^\s*[.#@\[]|Cache-Control|public, max-age|private, no-store|image/|text/"
    r"|sans-serif|Segoe UI|Noto Sans|^: |^\n"
)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_sentence_is_there_in_every_language_with_the_same_placeholders() -> None:
    for key, texts in strings().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(text.strip() for text in texts.values()), key
        assert len({frozenset(placeholders(text)) for text in texts.values()}) == 1, key
        is_a_name = key in SAME or (key.startswith("fact.") and texts["en"] == texts["ja"])
        has_words = re.search(r"[^\W\d_]{3}", re.sub(r"\{\w+\}", "", texts["en"]))
        assert is_a_name or JAPANESE.search(texts["ja"]) or not has_words, key


def test_a_sentence_is_said_with_its_numbers_in_the_language_asked_for() -> None:
    assert say("own.class.added.one", "en", count=1, name="{cup}") == "1 picture of “{cup}”"
    assert say("own.class.added.one", "ja", count=1, name="{cup}") == "「{cup}」の画像 1 枚"
    assert say("phase.done", "xx") == say("phase.done", "en")
    assert said("axis", "ja")["seconds"] == "秒"
    assert len(said("")) == len(strings())


def test_the_first_language_that_is_there_is_taken() -> None:
    assert best_language("de-DE,ja-JP;q=0.9,en;q=0.8") == "ja"
    assert best_language("") == "en"


def spoken(path: Path) -> Iterator[str]:
    """What a file may say: keys, what stands before further parts of a key, and patterns of keys built from parts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+(\.[\w-]+)+", node.value):
            yield node.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+\.", node.value):
            yield node.value[:-1]  # all that stands below
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("said", "_choices"):  # what stands below a group
            if node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
        elif isinstance(node, ast.JoinedStr) and re.match(r"f['\"]\w+\.", ast.unparse(node)):
            yield "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".+" for v in node.values)


def test_every_sentence_is_used() -> None:
    parts = {part for path in SPEAKERS if "tabletop" not in path.parts for part in spoken(path)}
    patterns = [re.compile(part) for part in parts if "+" in part]

    def is_said(key: str) -> bool:
        heads = {key.rsplit(".", k)[0] for k in range(key.count(".") + 1)}
        return bool(heads & parts) or any(pattern.fullmatch(key) for pattern in patterns)

    assert not [key for key in strings() if not is_said(key)]


def quiet(tree: ast.AST) -> set[int]:
    """Texts nobody reads on the page: docstrings, the engine's own errors, the terminal's help, bare marks."""
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
        if isinstance(node, ast.Dict):  # {"error": "…"}, for whoever asks a route by hand
            ids |= {
                id(v)
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant) and k.value == "error"
            }
        is_key = isinstance(node, ast.Call) and ast.unparse(node.func) in ("say", "said", "words.text")
        if is_error or is_help or is_key:
            ids |= {id(each) for each in ast.walk(node)}
    return ids


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name != "load.py"], ids=lambda path: path.name)  # a terminal's
def test_no_sentence_stands_in_the_page_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored = quiet(tree)
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in ignored]
    loose = [text for text in texts if isinstance(text, str) and SENTENCE.search(text) and not CODE.search(text)]
    assert not [text for text in loose if text not in ELSEWHERE]


def literals(script: str) -> list[str]:
    """The texts in quotes of a script, its comments and selectors left out."""
    script = re.sub(r"""(\$|querySelector(All)?|closest|matches)\((["'`]).*?\3\)""", "", script)
    found = re.findall(r"""//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)""", script, re.S)
    return [re.sub(r"\$\{.*?\}", "", text[1:-1]) for text in found if text]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_sentence_stands_in_a_script(path: Path) -> None:
    texts = literals(path.read_text(encoding="utf-8"))
    loose = [text for text in texts if SENTENCE.search(text) and not re.search(r"[<>#=:\[(]|^python |^--", text)]
    assert not [text for text in loose if not re.fullmatch(r"(hs-[\w-]*\s*)+", text.strip())]
