"""Code as HTML: coloured by Pygments, with the symbols of an equation marked wherever they occur."""

import re
from collections.abc import Iterator, Mapping
from html import escape

from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import Token, _TokenType

WORD = re.compile(r"\w+")


def _mark(text: str, symbol: str) -> str:
    return f'<span class="sym" data-sym="{escape(symbol)}">{escape(text)}</span>'


def _mark_words(text: str, symbols: Mapping[str, str]) -> str:
    """Mark the symbols in a string such as jaxtyping's shapes, where `d_k` is a word among others."""
    pieces, end = [], 0
    for word in WORD.finditer(text):
        if word[0] in symbols:
            pieces += [escape(text[end : word.start()]), _mark(word[0], symbols[word[0]])]
            end = word.end()
    return "".join([*pieces, escape(text[end:])])


def _spans(code: str, symbols: Mapping[str, str]) -> Iterator[str]:
    formatter = HtmlFormatter()
    for token, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(code):
        kind: _TokenType = token
        style = formatter._get_css_class(kind)
        if kind in Token.Name and text in symbols:
            inner = _mark(text, symbols[text])
        elif kind in Token.Literal.String and kind not in Token.Literal.String.Doc:
            inner = _mark_words(text, symbols)
        else:
            inner = escape(text)
        yield f'<span class="{style}">{inner}</span>' if style and text.strip() else inner


def highlight_python(code: str, names: Mapping[str, str | None]) -> str:
    """Colour Python code and mark an equation's symbols.

    Args:
        code: the code.
        names: symbol → the Python name that stands for it, or None where the code has none.

    Returns:
        HTML for the inside of a `<pre>`. A marked name carries its symbol in `data-sym`.
    """
    symbols = {name: symbol for symbol, name in names.items() if name is not None}
    return "".join(_spans(code, symbols))
