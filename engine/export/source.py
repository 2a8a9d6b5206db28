"""The source code of engine functions as text, for exported programs that do not import the engine."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType
from typing import Any

_FOR_MYPY = re.compile(r"  # type: ignore.*$", re.MULTILINE)


def source(*objects: Callable[..., object]) -> str:
    """The source of functions and classes, preceded by the module constants they use.

    Everything else they refer to must be among them, or imported by the exported program.
    """
    constants = {name: value for item in objects for name, value in _constants(item)}
    texts = [_FOR_MYPY.sub("", inspect.getsource(item)).rstrip() for item in objects]
    first = ["\n".join(f"{name} = {value!r}" for name, value in constants.items())] if constants else []
    return "\n\n\n".join([*first, *texts])


def call(function: partial[Any], *arguments: str) -> str:
    """A call as code: "nn.ReLU(inplace=True)". `arguments`: code of further positional arguments."""
    name = function.func.__name__
    if function.func.__module__.startswith("torch.nn."):
        name = f"nn.{name}"
    keywords = (f"{key}={value!r}" for key, value in function.keywords.items())
    return f"{name}({', '.join([*map(repr, function.args), *arguments, *keywords])})"


def _constants(item: Callable[..., object]) -> Iterator[tuple[str, object]]:
    """The module constants (numbers, strings, tuples) that a function uses."""
    if not inspect.isfunction(item):
        return
    for name in sorted(_names(item.__code__)):
        if isinstance(value := item.__globals__.get(name), int | float | str | tuple):
            yield name, value


def _names(code: CodeType) -> set[str]:
    """The global names and attributes that a function refers to, nested functions included."""
    inner = (_names(part) for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*inner)
