#!/bin/sh
# What the images install, step by step: each step is a layer, the one that changes least first.
#
#   install.sh torch cpu|cuda        PyTorch and torchvision alone, for a processor or for NVIDIA's GPUs
#   install.sh extras NAME …         what the parts need: extras of pyproject.toml, under the lock
#   install.sh locked                the whole lock
#   install.sh package [-e]          the book's own package, without looking for anything else
#
# It is run in a folder with requirements.txt and pyproject.toml, and fills /opt/venv.
set -eu
step=$1
shift
venv=/opt/venv
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

case $step in
  torch)
    python3 -m venv "$venv"
    case $1 in
      cpu) set -- --extra-index-url https://download.pytorch.org/whl/cpu ;;
      cuda) set -- ;;
      *)
        echo "TORCH is cpu or cuda, not '$1'" >&2
        exit 2
        ;;
    esac
    "$venv/bin/pip" install --quiet --constraint requirements.txt "$@" torch torchvision
    ;;
  extras)
    "$venv/bin/python" - "$@" > /tmp/wanted.txt << 'PYTHON'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
wanted = set(project["dependencies"]).union(*(project["optional-dependencies"][name] for name in sys.argv[1:]))
print("\n".join(sorted(wanted)))
PYTHON
    "$venv/bin/pip" install --quiet --constraint requirements.txt --requirement /tmp/wanted.txt
    rm /tmp/wanted.txt
    ;;
  locked)
    "$venv/bin/pip" install --quiet --use-pep517 --requirement requirements.txt
    ;;
  package)
    "$venv/bin/pip" install --quiet --constraint requirements.txt hatchling editables
    "$venv/bin/pip" install --quiet --no-deps --no-build-isolation "$@" .
    ;;
  *)
    echo "install.sh knows torch, extras, locked and package, not '$step'" >&2
    exit 2
    ;;
esac
rm -rf /root/.cache
