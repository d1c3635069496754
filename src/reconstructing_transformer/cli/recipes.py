"""What all `train` commands share: a recipe with the options that were given, and the command for the record."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from reconstructing_transformer.cli.complaints import complain

Runs = Annotated[Path, typer.Option(help="Folder of the run records.")]
Recipe = TypeVar("Recipe")


def changed(recipes: Mapping[str, Recipe], model: str, given: Mapping[str, Any]) -> Recipe:
    """A model's recipe, with what was given in place of what it says.

    Args:
        recipes: pydantic models, by the model's name.
        model: which.
        given: values by the recipe's fields; None is not given.

    Returns:
        The recipe.

    Raises:
        typer.Exit: there is no such model, or a value can't be; the message names it.
    """
    from pydantic import ValidationError

    if model not in recipes:
        complain(f"no model “{model}”; there are {', '.join(recipes)}")
    recipe = recipes[model]
    try:
        return type(recipe)(**recipe.model_dump() | {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-") if first["loc"] else "the recipe"
        complain(f"{option}: {first['msg']}; got {first['input']!r}")


def typed() -> str:
    """What was typed, under the name that everybody can type."""
    return shlex.join(["reconstruct", *[argument for argument in sys.argv[1:] if argument != "--resume"]])
