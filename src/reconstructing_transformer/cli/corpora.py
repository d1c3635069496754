"""`reconstruct corpora`: the sentence pairs of Part II, where they come from and what is in them."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from reconstructing_transformer.cli.complaints import complain

if TYPE_CHECKING:
    from reconstructing_transformer.translation import Corpus

corpora_app = typer.Typer(no_args_is_help=True, help="German–English corpora: what there is, and what is in it.")


def _corpus(name: str) -> "Corpus":
    from reconstructing_transformer.translation import CorpusError, load_corpus

    try:
        return load_corpus(name)
    except (CorpusError, ValueError) as error:
        complain(str(error))


@corpora_app.command("list")
def list_corpora() -> None:
    """Name the corpora, their licences, their sizes, and whether they can be had here."""
    from reconstructing_transformer.translation import CorpusError, load_corpus
    from reconstructing_transformer.translation.corpora import CORPORA

    table = Table("corpus", "train", "validation", "test", "licence", "whom to name")
    missing = []
    for name in CORPORA:
        try:
            corpus = load_corpus(name)
        except CorpusError as error:
            missing.append(f"{name}: {error}")
            table.add_row(name, "–", "–", "–", "not at hand", "")
            continue
        sizes = [f"{len(part):,}" for part in (corpus.train, corpus.validation, corpus.test)]
        table.add_row(name, *sizes, corpus.licence, corpus.attribution)
    Console().print(table)
    for message in missing:
        typer.echo(message, err=True)


@corpora_app.command("facts")
def print_facts(
    name: Annotated[str, typer.Argument(help="numbers, multi30k or tatoeba.")],
    vocabulary: Annotated[int, typer.Option(min=64, help="Pieces that lengths are counted in.")] = 8000,
) -> None:
    """Print what can be said of a corpus without a word of it, as JSON: cleaning, checksums, lengths."""
    from reconstructing_transformer.translation.facts import facts_of

    corpus = _corpus(name)
    try:
        facts = facts_of(corpus, vocabulary)
    except ValueError as error:
        complain(str(error))
    typer.echo(facts.model_dump_json())


@corpora_app.command("sample")
def print_sample(
    split: Annotated[Literal["train", "test"], typer.Argument(help="Some pairs to learn from, or all of the test.")],
) -> None:
    """Print the pairs of Tatoeba that the book carries with it, below a word on whose they are."""
    from reconstructing_transformer.translation.sample import as_tsv, sample_of

    corpus = _corpus("tatoeba")
    typer.echo(as_tsv(corpus, sample_of(corpus, split)), nl=False)


@corpora_app.command("vocabularies")
def print_vocabularies() -> None:
    """Print what vocabularies of several sizes cost on Tatoeba, as JSON: lengths, rare pieces, unknown words."""
    from reconstructing_transformer.translation.vocabulary import freeze

    typer.echo(freeze(_corpus("tatoeba")), nl=False)


@corpora_app.command("repeats")
def print_repeats() -> None:
    """Print how often the corpora say the same, and nearly the same as in training, as JSON."""
    from reconstructing_transformer.translation.repeats import freeze

    typer.echo(freeze(_corpus(name) for name in ("multi30k", "tatoeba")), nl=False)


@corpora_app.command("references")
def print_references() -> None:
    """Print the other translations that Tatoeba has of the German sentences of its test."""
    from reconstructing_transformer.translation import CorpusError
    from reconstructing_transformer.translation.references import freeze

    corpus = _corpus("tatoeba")
    try:
        typer.echo(freeze(corpus), nl=False)
    except CorpusError as error:
        complain(str(error))
