"""Figures in the book's own style: vector graphics that follow the page into the dark, with text for the blind."""

from reconstructing_transformer.figures.attention import attention_map, draw_attention
from reconstructing_transformer.figures.diagrams import decoder_diagram, encoder_diagram, transformer_diagram
from reconstructing_transformer.figures.style import ACCENT, COLOURS, INK, RULE, SECOND, SOFT, THIRD, book_style
from reconstructing_transformer.figures.vector import VectorFigure, show

__all__ = [
    "ACCENT",
    "COLOURS",
    "INK",
    "RULE",
    "SECOND",
    "SOFT",
    "THIRD",
    "VectorFigure",
    "attention_map",
    "book_style",
    "decoder_diagram",
    "draw_attention",
    "encoder_diagram",
    "show",
    "transformer_diagram",
]
