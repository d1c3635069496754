"""How a command says that it can't do what it was asked to."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape


def complain(message: str) -> NoReturn:
    """End the command: the message on the standard error, in red where it has colours, and exit code 2.

    Args:
        message: what came, what was expected and what to do. Text, never markup.

    Raises:
        typer.Exit: always.
    """
    Console(stderr=True).print(f"[red]error[/] {escape(message)}", soft_wrap=True, highlight=False)
    raise typer.Exit(2)
