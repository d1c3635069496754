"""One number of a project's runs, quoted in prose: `vision-transformer/deep-vit/accuracy:percent`.

A quotation is `PROJECT/MODEL/WHAT` or `PROJECT/MODEL/WHAT:FORM`; `MODEL@SEED` is one run instead of all. WHAT is a
metric, `parameters`, `time`, `device`, `n`, `config.KEY`, or a published figure: `published-METRIC`,
`published-parameters`, `published-time`, `published-epochs`. FORM is one of `FORMS`.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reconstructing_transformer.tracking.forms import duration, percent, score, signed, spread
from reconstructing_transformer.tracking.published import PublishedProject
from reconstructing_transformer.tracking.summary import Measured, ModelSummary, ResultError

FORMS = {
    "mean": "the mean; a metric's form without another",
    "both": "mean ± standard deviation",
    "sd": "the sample standard deviation",
    "n": "over how many runs",
    "min": "the lowest of them",
    "max": "the highest of them",
    "percent": "the mean as a percentage",
    "gain": "the mean less the published figure, with its sign",
    "seconds": "a time in seconds",
    "minutes": "a time in minutes",
}
SCORES = ["mean", "both", "sd", "n", "min", "max", "percent", "gain"]


@dataclass(frozen=True)
class Quote:
    """A number in prose.

    Args:
        text: the number, as it stands there.
        title: what it is.
        model: whose it is.
        run: the id of the run that it is of, if it is of one only.
    """

    text: str
    title: str
    model: str
    run: str | None = None


def _choose(kind: str, name: str, known: list[str]) -> ResultError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean “{near[0]}”?" if near else ""
    return ResultError(f"no {kind} “{name}”; there are {', '.join(known) or 'none'}{hint}")


def _form(form: str, allowed: list[str], what: str) -> None:
    if form and form not in allowed:
        forms = f"the forms {', '.join(allowed)}" if allowed else "no forms"
        raise ResultError(f"“{what}” has no form “{form}”; it has {forms}")


def _number_of_seeds(model: ModelSummary) -> str:
    seeds = ", ".join(map(str, model.seeds))
    return f"run with seed {seeds}" if len(model.runs) == 1 else f"mean of {len(model.runs)} runs (seeds {seeds})"


def _gain(one: Measured, theirs: float | None, decimals: int, what: str) -> str:
    if theirs is None:
        raise ResultError(f"“{what}:gain” needs a published figure, and published.yml has none")
    return signed(one.mean - theirs, decimals)


def _sd(one: Measured, decimals: int, what: str) -> str:
    if one.sd is None:
        raise ResultError(f"“{what}:sd” needs two runs or more; there is one")
    return score(one.sd, decimals)


def _metric(model: ModelSummary, what: str, form: str, known: PublishedProject) -> Quote:
    _form(form, SCORES, what)
    one, decimals = model.measured(what), known.decimals(what)
    written: dict[str, Callable[[], str]] = {
        "mean": lambda: score(one.mean, decimals),
        "both": lambda: spread(one.mean, one.sd, decimals),
        "sd": lambda: _sd(one, decimals, what),
        "n": lambda: str(one.n),
        "min": lambda: score(min(one.values), decimals),
        "max": lambda: score(max(one.values), decimals),
        "percent": lambda: percent(one.mean, decimals),
        "gain": lambda: _gain(one, model.published.metrics.get(what), decimals, what),
    }
    title = f"{model.label}: {known.metric_label(what)} on {one.split}, {_number_of_seeds(model)}. {one.definition}"
    return Quote(written[form or "mean"](), title, model.model)


def _time(seconds: float, form: str, what: str) -> str:
    _form(form, ["seconds", "minutes"], what)
    return {"seconds": f"{seconds:.0f}", "minutes": f"{seconds / 60:.0f}"}.get(form) or duration(seconds)


def _published(model: ModelSummary, what: str, form: str, known: PublishedProject) -> Quote:
    theirs, name = model.published, what.removeprefix("published-")
    facts = {"parameters": theirs.parameters, "time": theirs.seconds, "epochs": theirs.epochs, **theirs.metrics}
    there = [key for key, value in facts.items() if value is not None]
    value = facts.get(name)
    if value is None:
        raise _choose("published figure", what, [f"published-{key}" for key in there])
    if name == "time":
        text = _time(float(value), form, what)
    elif name in theirs.metrics:
        _form(form, ["percent"], what)
        text = (percent if form else score)(float(value), known.decimals(name))
    else:
        _form(form, [], what)
        text = f"{value:,}"
    return Quote(text, f"{model.label}, published: {known.source or 'see published.yml'}", model.model)


def _one_run(model: ModelSummary, seed: str) -> ModelSummary:
    runs = tuple(run for run in model.runs if str(run.seed) == seed)
    if not runs:
        raise _choose("seed", seed, list(map(str, model.seeds)))
    return replace(model, runs=runs)


def _of_model(model: ModelSummary, wanted: str, known: PublishedProject) -> Quote:
    what, _, form = wanted.partition(":") if wanted not in model.metric_names else (wanted, "", "")
    if what.startswith("published-"):
        return _published(model, what, form, known)
    if what == "time":
        return Quote(
            _time(model.seconds, form, what), f"{model.label}: wall time, {_number_of_seeds(model)}", model.model
        )
    facts: dict[str, Callable[[], tuple[str, str]]] = {
        "parameters": lambda: (f"{model.parameters:,}", "trained parameters"),
        "device": lambda: (model.device, "what it was trained on"),
        "n": lambda: (str(len(model.runs)), "number of runs"),
    }
    if what.startswith("config."):
        key = what.removeprefix("config.")
        facts[what] = lambda: (str(model.config(key)), f"`{key}` in the configuration")
    if what in facts:
        _form(form, [], what)
        text, meaning = facts[what]()
        return Quote(text, f"{model.label}: {meaning}", model.model)
    if not any(what in run.metrics for run in model.runs):
        raise _choose("metric or fact", what, [*model.metric_names, *facts, "time", "config.KEY", "published-METRIC"])
    return _metric(model, what, form, known)


def quote(
    words: str,
    projects: Mapping[str, Mapping[str, ModelSummary]],
    published: Mapping[str, PublishedProject],
) -> Quote:
    """Return the number that a quotation names.

    Args:
        words: the quotation, see above.
        projects: the models of each project, by name.
        published: what has been published, by project.

    Raises:
        ResultError: it names what there is not. The message lists what there is.
    """
    parts = words.strip().split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise ResultError(f"a run is quoted as PROJECT/MODEL/WHAT or PROJECT/MODEL/WHAT:FORM; got “{words}”")
    project, name, wanted = parts
    if project not in projects:
        raise _choose("project with runs", project, list(projects))
    base, at, seed = name.partition("@")
    if base not in projects[project]:
        raise _choose(f"model of {project} with runs", base, list(projects[project]))
    model = projects[project][base]
    found = _of_model(_one_run(model, seed) if at else model, wanted, published.get(project, PublishedProject()))
    return replace(found, run=next(run.id for run in model.runs if str(run.seed) == seed)) if at else found
