"""TREC's questions and what kind of answer each asks for (Li & Roth 2002): six coarse classes."""

from reconstructing_transformer._data import DATA, cache_folder, digest, write_whole
from reconstructing_transformer.llama.downloads import DataError, Labelled, from_home, local

TREC_HOME = "https://cogcomp.seas.upenn.edu/Data/QA/QC"
TREC_FILES = {  # names in a folder; names at home; hashes of the text in UTF-8 (the home's is Latin-1)
    "TREC.train": ("train_5500.label", "sha256:016243a7ddb380241c94eabcf073a210b9a83a2e772347cb5ed844722a192faf"),
    "TREC.test": ("TREC_10.label", "sha256:033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e"),
}
TREC_LABELS = {
    "ABBR": "abbreviation", "DESC": "description", "ENTY": "entity", "HUM": "human", "LOC": "location", "NUM": "number",
}  # fmt: skip
TREC_LICENCE = "for research, Xin Li and Dan Roth"


def _text(name: str, at_home: str, expected: str) -> str:
    data = local("trec", name, expected)
    if data is not None:
        return data.decode("utf-8")
    try:
        text = from_home(f"{TREC_HOME}/{at_home}").decode("latin-1")
        if (came := digest(text.encode(), "sha256")) != expected:
            raise DataError(f"{TREC_HOME}/{at_home} (which sent a text whose hash is {came}, not {expected})")
    except DataError as error:
        raise DataError(
            f"TREC's {name} was found neither in {cache_folder('trec')} nor at {error}. Put {', '.join(TREC_FILES)} "
            f"(in UTF-8, as they are or as .gz) into a folder `trec`, and let {DATA} name the folder above it."
        ) from error
    write_whole(cache_folder("trec") / name, text.encode())
    return text


def _pairs(text: str) -> list[tuple[str, str]]:
    """`NUM:dist How far is it … ?` is a question of the class NUM; what follows the colon is finer than we need."""
    lines = (line.split(" ", 1) for line in text.split("\n") if line.strip())
    return [(label.split(":")[0], question.strip()) for label, question in lines]


def questions() -> Labelled:
    """TREC's 5,452 and 500 questions, each with its class, from a folder, the cache or its home.

    Raises:
        DataError: no place has them.
    """
    texts = {name: _text(name, *about) for name, about in TREC_FILES.items()}
    return Labelled(
        train=_pairs(texts["TREC.train"]),
        test=_pairs(texts["TREC.test"]),
        checksums={name: expected for name, (_, expected) in TREC_FILES.items()},
        source=TREC_HOME,
    )
