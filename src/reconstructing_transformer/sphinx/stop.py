"""How a build stops: with a message that names each place, and nothing behind it that hides the message."""


class BuildStop(SystemExit):
    """Ends the build with exit code 1. Python prints the message last, without a traceback above or below it."""

    category = "The book was not built"

    def __init__(self, message: str) -> None:
        super().__init__(f"\n{self.category}:\n{message}")
