"""The colours of code, on paper and in the dark; each has a contrast of at least 4.5 : 1 to its ground."""

from pygments.style import Style
from pygments.token import Comment, Error, Generic, Keyword, Name, Number, Operator, String, Token, _TokenType


def _styles(ink: str, soft: str, keyword: str, function: str, string: str, number: str) -> dict[_TokenType, str]:
    return {
        Token: ink,
        Comment: f"italic {soft}",
        Keyword: keyword,
        Keyword.Constant: number,
        Operator.Word: keyword,
        Name.Function: f"bold {function}",
        Name.Class: f"bold {function}",
        Name.Decorator: soft,
        Name.Builtin: ink,
        String: string,
        String.Doc: f"italic {soft}",
        String.Interpol: number,
        Number: number,
        Generic.Error: number,
        Generic.Traceback: number,
        Error: ink,
    }


class Paper(Style):
    """Brown, blue and green ink on warm paper."""

    background_color = "#faf6ee"
    styles = _styles("#1d1b19", "#6a645d", "#7b4a12", "#1f4e79", "#2f6d4f", "#9c3a17")


class Ink(Style):
    """The same at night."""

    background_color = "#1f1d1a"
    styles = _styles("#ece7df", "#a89f94", "#e0b070", "#8db8e8", "#86cda8", "#f0996d")
