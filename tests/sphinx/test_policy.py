"""A page's policy names the scripts that the build wrote into it, and allows nothing else."""

import base64
import hashlib

from reconstructing_transformer.sphinx.policy import hash_of, policy_of, with_policy

PAGE = """<!doctype html>
<html><head><meta charset="utf-8">
<script>let here = 1;</script>
<script src="book.js"></script>
<script type="application/json">{"not": "run"}</script>
<script type="module">import "./x.js";</script></head><body></body></html>"""


def test_a_script_is_named_by_its_hash_to_the_letter():
    expected = base64.b64encode(hashlib.sha256(b"let here = 1;").digest()).decode()
    assert hash_of("let here = 1;") == f"'sha256-{expected}'"


def test_the_scripts_inside_a_page_may_run_and_its_data_needs_no_leave():
    (scripts,) = [rule for rule in policy_of(PAGE).split("; ") if rule.startswith("script-src")]
    allowed = {hash_of("let here = 1;"), hash_of('import "./x.js";'), "'self'", "script-src"}
    assert set(scripts.split()) == allowed


def test_the_policy_stands_before_whatever_it_rules():
    ruled = with_policy(PAGE)
    assert ruled.index("Content-Security-Policy") < ruled.index("<script")
    meta = ruled[ruled.index("<meta http-equiv") :].split("<script")[0].rstrip()
    assert ruled.replace(meta, "") == PAGE


def test_a_page_gets_one_policy_only():
    assert with_policy(with_policy(PAGE)) == with_policy(PAGE)


def test_a_page_that_only_leads_on_stays_as_it_is():
    page = '<meta http-equiv="Refresh" content="0; url=book/index.html" />'
    assert with_policy(page) == page
