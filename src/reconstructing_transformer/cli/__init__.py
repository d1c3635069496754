"""`reconstruct`: what the book can do from the command line, a module a group of commands.

What is slow to import (PyTorch, W&B) is imported in the command that needs it, so that `--help` answers at once.
"""

import typer

from reconstructing_transformer.cli import (
    corpora,
    data,
    figures,
    fine_tuning,
    llama,
    runs,
    translate,
    translation,
    verify,
    vision,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")
app.command()(verify.verify)
train_app = typer.Typer(no_args_is_help=True, help="Train the models of a part of the book.")
evaluate_app = typer.Typer(no_args_is_help=True, help="Judge a trained model by its test set.")
train_app.command("steps")(llama.train_steps)
train_app.command("translation")(translation.train_translation)
train_app.command("llama")(fine_tuning.train_llama)
train_app.command("vision")(vision.train_vision)
evaluate_app.command("translation")(translation.evaluate_translation)
evaluate_app.command("vision")(vision.evaluate_vision)
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")
app.command()(translate.translate)
app.command()(vision.classify)
app.command()(fine_tuning.classify_text)
app.add_typer(corpora.corpora_app, name="corpora")
app.add_typer(data.data_app, name="data")
app.add_typer(figures.figures_app, name="figures")
app.add_typer(runs.runs_app, name="runs")


@app.callback()
def reconstruct() -> None:
    """Reconstructing the Transformer: the papers' equations, tied to code and proof."""
