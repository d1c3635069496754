"""`python -m reconstructing_transformer`, and so `torchrun -m …`: the command `reconstruct`."""

from reconstructing_transformer.cli import app

app(prog_name="reconstruct")
