"""The images: what can be said of them without an engine."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMAGES = ("book", "generic", "llama", "vit")
SCRIPTS = sorted([*(ROOT / "docker").glob("*.sh"), ROOT / ".ci" / "run"])


def tool(name):
    """A program that a package of the lock has put beside Python."""
    return str(Path(sys.executable).with_name(name))


def text(image):
    return (ROOT / "docker" / image / "Dockerfile").read_text(encoding="utf-8")


def test_there_are_the_four_images():
    assert tuple(sorted(path.parent.name for path in (ROOT / "docker").glob("*/Dockerfile"))) == IMAGES


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image):
    done = subprocess.run(
        [tool("hadolint"), "--no-color", str(ROOT / "docker" / image / "Dockerfile")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script):
    done = subprocess.run([tool("shellcheck"), str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert script.stat().st_mode & 0o111, f"{script} can't be run"


def test_all_begin_with_the_same_layers():
    """Up to PyTorch they are equal to the letter, so that an engine builds them once."""
    beginnings = {text(image).split("\n", 1)[1].split('RUN ./install.sh torch "$TORCH"\n')[0] for image in IMAGES}
    assert len(beginnings) == 1


@pytest.mark.parametrize("image", IMAGES)
def test_nobody_is_root_when_it_runs(image):
    assert re.findall(r"^USER (.+)$", text(image), re.MULTILINE)[-1] == "1000"


@pytest.mark.parametrize("image", IMAGES)
def test_it_has_labels(image):
    for label in ("title", "description", "licenses"):
        assert f"org.opencontainers.image.{label}=" in text(image)


@pytest.mark.parametrize("image", IMAGES)
def test_every_file_that_is_copied_exists(image):
    for sources in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", text(image), re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source


def test_every_extra_that_is_installed_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for image in IMAGES:
        for names in re.findall(r"install\.sh extras (.+)$", text(image), re.MULTILINE):
            assert set(names.split()) <= set(extras)


def test_nothing_that_was_built_or_trained_goes_into_a_build():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", "_build", "runs", "wandb", "**/node_modules"} <= set(ignored)


def test_a_step_that_is_unknown_is_refused():
    done = subprocess.run([str(ROOT / "docker" / "install.sh"), "everything"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "torch, extras, locked and package" in done.stderr


def test_without_an_engine_the_message_says_what_to_do():
    done = subprocess.run(
        [str(ROOT / "docker" / "images.sh"), "vit"], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "DOCKER": "no-such-engine"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "make images DOCKER=podman" in done.stderr


def test_images_are_built_and_then_tried(tmp_path):
    """A stand-in for the engine notes what it is asked to do."""
    engine = tmp_path / "engine"
    engine.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" = image ] && echo 42\nexit 0\n')
    engine.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "docker" / "images.sh"), "vit", "book"], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "DOCKER": str(engine), "TORCH": "cuda", "REQUIRED": "mnist"},
    )  # fmt: skip
    assert done.returncode == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["build", "run", "image"] * 2
    assert "TORCH=cuda" in asked[0]
    assert "REQUIRED=mnist" in asked[0]
    assert asked[1].endswith("--entrypoint /opt/docker/smoke.sh reconstructing-transformer/vit vit")
    assert "42 bytes" in done.stdout


def test_an_image_that_holds_an_index_or_a_compiler_is_not_lean(tmp_path):
    """The script is run where a compiler is: on a path of its own."""
    (tmp_path / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "gcc").chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "docker" / "lean.sh")], capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    )
    assert done.returncode == 1
    assert f"the compiler {tmp_path}/gcc" in done.stderr


def run_entry(*arguments, part, tmp_path):
    reconstruct = tmp_path / "reconstruct"
    reconstruct.write_text('#!/bin/sh\necho "reconstruct $*"\n')
    reconstruct.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "docker" / "entry.sh"), *arguments], capture_output=True, text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PART": part},
    )  # fmt: skip
    return done.stdout.strip()


def test_train_trains_the_part_of_the_image(tmp_path):
    assert run_entry("train", "--seed", "2", part="vision", tmp_path=tmp_path) == "reconstruct train vision --seed 2"
    assert run_entry("echo", "a b", part="llama", tmp_path=tmp_path) == "a b"
    assert run_entry(part="llama", tmp_path=tmp_path) == "reconstruct --help"


def test_what_is_required_and_missing_stops_the_build(tmp_path):
    reconstruct = tmp_path / "reconstruct"
    reconstruct.write_text('#!/bin/sh\n[ "$3" = there ]\n')
    reconstruct.chmod(0o755)

    def fetch(required, *names):
        return subprocess.run(
            [str(ROOT / "docker" / "fetch.sh"), required, *names], capture_output=True, text=True,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )  # fmt: skip

    assert fetch("there", "there", "missing").returncode == 0
    refused = fetch("missing", "there", "missing")
    assert refused.returncode == 1
    assert "missing is required" in refused.stderr


def test_the_page_has_the_sizes_that_were_measured():
    sizes = json.loads((ROOT / "docker" / "sizes.json").read_text(encoding="utf-8"))
    assert set(sizes) == set(IMAGES)
    page = (ROOT / "docker" / "README.md").read_text(encoding="utf-8")
    for image, size in sizes.items():
        assert f"| `{image}` | {size / 1e9:.2f} GB |" in page
