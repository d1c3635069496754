"""W&B, where a command needs it, with no one's settings; trainings to be looked at."""

from tests.tracking.conftest import home, offline, said, server

__all__ = ["home", "offline", "said", "server"]
