"""The script of a race as a Jupyter notebook."""

from __future__ import annotations

import json
import re

from engine.i18n.messages import LANGUAGES, translate

CELL = "# %% "  # begins a cell of the notebook; editors with Jupyter support recognise it in the script as well


def notebook(script: str) -> str:
    """A Jupyter notebook (nbformat 4.5) with the code of the script and an explanation before each part."""
    cells: list[dict[str, object]] = []
    for code in code_cells(script):
        name = code.partition("\n")[0].removeprefix(CELL) if code.startswith(CELL) else "start"
        text = "\n\n".join(translate(f"script_export.{name}", language) for language in LANGUAGES)
        cells.append({"cell_type": "markdown", "id": f"{name}-words", "metadata": {}, "source": _lines(text)})
        cells.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": name,
                "metadata": {},
                "outputs": [],
                "source": _lines(code),
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def code_cells(code: str) -> list[str]:
    """The script split before each line that begins with CELL, without the line breaks in between."""
    return re.split(rf"\n(?={re.escape(CELL)})", code.removesuffix("\n"))


def _lines(text: str) -> list[str]:
    """Text in the format of a notebook: a list of lines."""
    return text.splitlines(keepends=True)
