#!/bin/sh
# Try an image from within: smoke.sh generic|vit|llama|book. It stops at the first thing that does not hold.
set -eu
image=$1
say() { echo "== $image: $*"; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export WANDB_MODE=offline WANDB_SILENT=true

say "it runs as somebody else than root"
[ "$(id -u)" -ne 0 ]

say "it is lean"
/opt/docker/lean.sh

say "the package is there"
reconstruct --help > /dev/null
python -c 'import reconstructing_transformer, torch; print("PyTorch", torch.__version__)'

case $image in
  generic)
    say "JupyterLab answers on the loopback"
    jupyter lab --no-browser --ip=127.0.0.1 --port=8899 --IdentityProvider.token=smoke > "$scratch/lab.log" 2>&1 &
    lab=$!
    for _ in $(seq 60); do
      sleep 1
      if python /opt/docker/health.py 8899 smoke; then break; fi
    done
    python /opt/docker/health.py 8899 smoke || { cat "$scratch/lab.log"; exit 1; }
    kill "$lab"
    say "a chapter executes by nbclient"
    python - /home/reader/book/transformer/scaled-dot-product-attention.ipynb << 'PYTHON'
import sys

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=300).execute()
print(sum(cell.cell_type == "code" for cell in notebook.cells), "cells")
PYTHON
    ;;
  vit)
    say "a training step"
    /opt/docker/entry.sh train --model small-vit --examples 128 --epochs 1 --runs "$scratch/runs"
    ;;
  llama)
    say "a training step by LoRA, and one in four bits"
    for method in lora qlora; do
      /opt/docker/entry.sh train --task trec --method "$method" --examples 32 --epochs 1 --runs "$scratch/runs"
    done
    ;;
  book)
    say "the site"
    make --directory /book VENV=/opt/venv book
    test -s /book/_build/html/index.html
    ;;
  *)
    echo "smoke.sh knows generic, vit, llama and book, not '$image'" >&2
    exit 2
    ;;
esac
say "all holds"
