"""No page of the site runs a script that the build did not write, or asks another host for anything."""

import re

import pytest
from playwright.sync_api import Page

PLACES = re.compile(r"'self'|'none'|'unsafe-inline'|'sha256-[\w+/=]{44}'|data:|blob:")
VIOLATIONS = """() => {
  window.broken = [];
  document.addEventListener("securitypolicyviolation", (event) => window.broken.push(event.effectiveDirective));
}"""
ATTACKS = {
    "script-src-elem": """() => {
      const script = document.createElement("script");
      script.textContent = "window.taken = true";
      document.body.append(script);
    }""",
    "script-src-attr": """() => {
      document.body.insertAdjacentHTML("beforeend", '<img alt="" src="data:," onerror="window.taken = true">');
    }""",
    "script-src": """() => { setTimeout(() => eval("window.taken = true"), 0); }""",  # later: Playwright itself may
    "connect-src": """() => fetch("https://example.org/").then(() => { window.taken = true; }, () => { })""",
    "img-src": """() => {
      document.body.append(Object.assign(new Image(), { src: "https://example.org/seen.png" }));
    }""",
    "frame-src": """() => {
      document.body.append(Object.assign(document.createElement("iframe"), { src: "https://example.org/" }));
    }""",
    "form-action": """() => {
      const form = Object.assign(document.createElement("form"), { action: "https://example.org/" });
      document.body.append(form);
      form.submit();
    }""",
}


def rules_of(page: str) -> dict[str, list[str]]:
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    assert found, "no policy"
    assert found.start() < page.index("<script")
    return {name: allowed for name, *allowed in (rule.split() for rule in found[1].split("; "))}


def test_every_page_has_a_policy_that_names_no_host_and_no_script_but_by_its_hash(addresses, site):
    for address in addresses:
        rules = rules_of((site / address).read_text(encoding="utf-8"))
        assert rules["default-src"] == ["'none'"], address
        assert not {"'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"} & set(rules["script-src"]), address
        for name, allowed in rules.items():
            assert all(PLACES.fullmatch(place) for place in allowed), (address, name, allowed)


@pytest.fixture
def watched(reader, addresses) -> Page:
    """A chapter whose violations are noted."""
    reader.goto(next(address for address in addresses if address.startswith("book/transformer/")))
    reader.evaluate(VIOLATIONS)
    return reader


@pytest.mark.parametrize("directive", ATTACKS)
def test_what_somebody_else_put_into_a_page_does_not_run_and_reaches_nobody(watched, directive):
    watched.evaluate(ATTACKS[directive])
    for _ in range(100):  # Playwright's own waiting evaluates a string, which the policy forbids
        if directive in watched.evaluate("window.broken"):
            break
        watched.wait_for_timeout(50)
    assert directive in watched.evaluate("window.broken")
    assert watched.evaluate("window.taken") is None
