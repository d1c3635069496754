"""The book knows which pages show which equation, also when several processes have read it."""

from types import SimpleNamespace

import pytest

from reconstructing_transformer.sphinx.domain import BookDomain, anchor


@pytest.fixture
def new_domain():
    def make() -> BookDomain:
        toctree = {"index": ["first", "second"], "second": ["third"]}
        config = SimpleNamespace(root_doc="index")
        return BookDomain(SimpleNamespace(domaindata={}, toctree_includes=toctree, config=config))

    return make


def test_an_equation_is_at_home_on_the_first_page_in_the_books_order(new_domain):
    domain = new_domain()
    for page in ("third", "first", "second"):
        domain.note_shown("toy2020-1", page)
    assert domain.chapters("toy2020-1") == ["first", "second", "third"]


def test_a_page_that_shows_an_equation_twice_counts_once(new_domain):
    domain = new_domain()
    domain.note_shown("toy2020-1", "first")
    domain.note_shown("toy2020-1", "first")
    assert domain.chapters("toy2020-1") == ["first"]


def test_an_equation_that_no_page_shows_has_no_home(new_domain):
    assert new_domain().chapters("toy2020-1") == []


def test_a_page_that_is_read_again_is_forgotten(new_domain):
    domain = new_domain()
    domain.note_shown("toy2020-1", "first")
    domain.note_shown("toy2020-1", "second")
    domain.clear_doc("first")
    assert domain.chapters("toy2020-1") == ["second"]


def test_what_another_process_has_read_is_taken_over(new_domain):
    mine, other = new_domain(), new_domain()
    mine.note_shown("toy2020-1", "second")
    other.note_shown("toy2020-1", "first")
    other.note_shown("toy2020-2", "third")
    mine.merge_domaindata(["first"], other.data)
    assert mine.chapters("toy2020-1") == ["first", "second"]
    assert mine.chapters("toy2020-2") == []


def test_two_books_share_nothing(new_domain):
    new_domain().note_shown("toy2020-1", "first")
    assert new_domain().chapters("toy2020-1") == []


def test_an_equations_address_is_made_of_its_id():
    assert anchor("toy2020-1") == "equation-toy2020-1"
