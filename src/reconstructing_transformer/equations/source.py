"""Where a function or class stands in its file, what its code says, and which names occur in it."""

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Snippet:
    """The code of a definition without decorators and docstrings: what a reader compares with the equation."""

    line: int
    last_line: int
    code: str
    names: frozenset[str]


@lru_cache(maxsize=256)
def _module(path: Path, modified: int) -> tuple[list[str], ast.Module]:
    text = path.read_text(encoding="utf-8")
    return text.splitlines(), ast.parse(text)


def _find(body: list[ast.stmt], parts: list[str]) -> Definition:
    for node in body:
        if isinstance(node, Definition) and node.name == parts[0]:
            return node if len(parts) == 1 else _find(node.body, parts[1:])
    raise LookupError(parts[0])


def _docstring_lines(definition: Definition) -> set[int]:
    """The lines that docstrings take, with the blank line behind each."""
    lines: set[int] = set()
    for node in ast.walk(definition):
        if not isinstance(node, Definition) or ast.get_docstring(node) is None:
            continue
        first = node.body[0]
        lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def _names(definition: Definition) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(definition):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
            case ast.keyword(arg=str(name)):
                found.add(name)
    return frozenset(found)


def snippet(path: Path, qualname: str) -> Snippet:
    """Cut a definition out of its file.

    Args:
        path: the module's file.
        qualname: the definition's qualified name, `MultiHeadAttention.forward` say.

    Raises:
        LookupError: the file has no such definition at its top level or in a class of it.
    """
    lines, module = _module(path, path.stat().st_mtime_ns)
    try:
        definition = _find(module.body, qualname.split("."))
    except LookupError:
        raise LookupError(f"{path}: no definition named {qualname}; define it at module level or in a class") from None
    last = definition.end_lineno or definition.lineno
    left_out = _docstring_lines(definition)
    for node in ast.walk(definition):
        if isinstance(node, Definition) and node is not definition and node.decorator_list:
            left_out.update(range(min(d.lineno for d in node.decorator_list), node.lineno))
    kept: list[str] = []
    for number in range(definition.lineno, last + 1):
        blank_after_docstring = number - 1 in left_out and not lines[number - 1].strip()
        if number in left_out or blank_after_docstring:
            continue
        kept.append(lines[number - 1][definition.col_offset :])
    return Snippet(definition.lineno, last, "\n".join(kept), _names(definition))
