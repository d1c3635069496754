"""`reconstruct translate`: German from the arguments or from standard input, English to standard output."""

import io
import queue
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from reconstructing_transformer.cli.complaints import complain

if TYPE_CHECKING:  # it is slow to import
    from reconstructing_transformer.translation import Translator

AT_ONCE = 64  # lines that wait are translated together, at most that many
FORMS = (".svg", ".pdf", ".png")


def _waiting(stream: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of a stream as they come: all that wait, and never the wait for a line that has not come yet."""
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=16 * AT_ONCE)

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := lines.get()) is not None:
        came = [line]
        while len(came) < AT_ONCE and not lines.empty():
            if (line := lines.get()) is None:
                yield came
                return
            came.append(line)
        yield came


def _decoded(lines: Iterable[bytes], before: int) -> tuple[list[str], str]:
    """Lines as text up to the first one that is not UTF-8, and what is to be said of that one."""
    texts: list[str] = []
    for number, line in enumerate(lines, start=before + 1):
        try:
            texts.append(line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n"))
        except UnicodeDecodeError as error:
            return texts, (
                f"line {number} is not UTF-8: byte 0x{line[error.start]:02x} at its position {error.start + 1}. "
                "Convert the text first, for instance with iconv -f ISO-8859-1 -t UTF-8"
            )
    return texts, ""


def _check_arguments(texts: list[str]) -> None:
    for number, text in enumerate(texts, start=1):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            complain(f"argument {number} is not UTF-8: give it in UTF-8, as the terminal's locale should be")


def _say(translator: "Translator", texts: list[str], beam_size: int, where: str, before: int) -> None:
    """Translate texts, write a line for each, and say on the standard error what is to be said of which."""
    console = Console(stderr=True)
    for number, translation in enumerate(translator.translate(texts, beam_size=beam_size), start=before + 1):
        for remark in translation.remarks:
            console.print(f"[yellow]warning[/] {where} {number}: {escape(remark)}", soft_wrap=True, highlight=False)
        typer.echo(str(translation))


def _draw(translator: "Translator", text: str, beam_size: int, path: Path) -> None:
    """Draw what each decoder layer looked at in the source, the mean over its heads."""
    import torch

    from reconstructing_transformer._data import write_whole
    from reconstructing_transformer.figures import draw_attention

    (translation,) = translator.translate([text], beam_size=beam_size, return_attention=True)
    if len(translation.attention) != 1:
        complain(f"--attention draws one sentence; this text was translated in {len(translation.attention)} parts")
    (looked,) = translation.attention
    layers = [f"layer {number + 1}" for number in range(len(looked.cross))]
    figure = draw_attention(torch.as_tensor(looked.cross.mean(1)), looked.target, looked.source, titles=layers)
    for axes in figure.axes:
        axes.tick_params(axis="x", labelrotation=90)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], bbox_inches="tight")
    write_whole(path, drawn.getvalue())


def translate(
    texts: Annotated[
        list[str] | None, typer.Argument(help="German sentences, each in quotes. Without any: standard input.")
    ] = None,
    model: Annotated[str, typer.Option(help="A released model's name, or a folder of one.")] = "tatoeba",
    beam_size: Annotated[int, typer.Option(min=1, max=100, help="Beginnings that are followed; 1 is greedy.")] = 4,
    attention: Annotated[
        Path | None, typer.Option(help="Draw the cross-attention of the one sentence into this .svg, .pdf or .png.")
    ] = None,
) -> None:
    """Translate German to English, a line for each sentence or line. Exit code 2: it could not be read."""
    if attention is not None and attention.suffix not in FORMS:
        complain(f"--attention writes {', '.join(FORMS)}; got {attention.name!r}")
    if attention is not None and len(texts or ()) != 1:
        complain(f"--attention draws one sentence, given as the argument; got {len(texts or ())}")
    _check_arguments(texts or [])
    if not texts and (sys.stdin is None or sys.stdin.closed):
        complain("there is no sentence, and standard input is closed: give one of them")
    from reconstructing_transformer.translation import PretrainedError, TranslationWarning, Translator

    warnings.simplefilter("ignore", TranslationWarning)  # they are said with the number of the line
    try:
        translator = Translator.from_pretrained(model)
    except PretrainedError as error:
        complain(str(error))
    if texts:
        _say(translator, texts, beam_size, "sentence", 0)
        if attention is not None:
            _draw(translator, texts[0], beam_size, attention)
        return
    if sys.stdin.isatty():
        Console(stderr=True).print("German, a line each; Ctrl+D ends it.", style="dim")
    before = 0
    for lines in _waiting(sys.stdin.buffer):
        decoded, wrong = _decoded(lines, before)
        _say(translator, decoded, beam_size, "line", before)
        sys.stdout.flush()
        if wrong:
            complain(wrong)
        before += len(lines)
