"""Figures in the book's own style: vector graphics that follow the page into the dark, with text for the blind."""

from reconstructing_transformer.figures.attention import attention_map, draw_attention
from reconstructing_transformer.figures.data import LabelledTensor, labelled
from reconstructing_transformer.figures.diagrams import (
    attention_diagram,
    decoder_diagram,
    encoder_diagram,
    multi_head_diagram,
    transformer_diagram,
)
from reconstructing_transformer.figures.explore import show_attention
from reconstructing_transformer.figures.figure import BookFigure, show
from reconstructing_transformer.figures.plot import line_plot
from reconstructing_transformer.figures.steps_diagram import steps_diagram
from reconstructing_transformer.figures.style import ACCENT, COLOURS, INK, RULE, SECOND, SOFT, THIRD, book_style
from reconstructing_transformer.figures.view import Start, patch_image
from reconstructing_transformer.figures.vision_diagram import vision_transformer_diagram

__all__ = [
    "ACCENT",
    "COLOURS",
    "INK",
    "RULE",
    "SECOND",
    "SOFT",
    "THIRD",
    "BookFigure",
    "LabelledTensor",
    "Start",
    "attention_diagram",
    "attention_map",
    "book_style",
    "decoder_diagram",
    "draw_attention",
    "encoder_diagram",
    "labelled",
    "line_plot",
    "multi_head_diagram",
    "patch_image",
    "show",
    "show_attention",
    "steps_diagram",
    "transformer_diagram",
    "vision_transformer_diagram",
]
