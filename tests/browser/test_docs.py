#!/usr/bin/env python3
"""The page at /docs in headless Chromium, against a real server. See README.md."""

from browser import run, with_context


def loaded(page) -> dict:
    page.locator("main:not([aria-busy])").wait_for()
    return page.evaluate("fetch('openapi.json').then((response) => response.json())")


def every_route_is_listed_with_its_answers(page, options):
    api = loaded(page)
    listed = {link.inner_text() for link in page.locator(".contents a").all()}
    assert listed == {f"{method.upper()} {path}" for path, ops in api["paths"].items() for method in ops}, listed
    for ops in api["paths"].values():
        for op in ops.values():
            card = page.locator(f"[id={op['operationId']}]")
            shown = [status.inner_text() for status in card.locator(".status").all()]
            assert shown == list(op["responses"]), (op["operationId"], shown)
    assert api["info"]["version"] in page.locator("#about").inner_text()
    assert "{{" not in page.content(), "a token was not filled in"


def every_schema_is_described_and_links_lead_there(page, options):
    api = loaded(page)
    for name in api["components"]["schemas"]:
        assert page.locator(f"[id=schema-{name}]").count() == 1, name
    dead = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash).filter((h) => !document.querySelector(h))"
    )
    assert not dead, dead


@with_context(viewport={"width": 320, "height": 640}, color_scheme="dark")
def a_narrow_phone_needs_no_sideways_scrolling(page, options):
    loaded(page)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    for width in (320, 390):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


if __name__ == "__main__":
    run(
        [
            every_route_is_listed_with_its_answers,
            every_schema_is_described_and_links_lead_there,
            a_narrow_phone_needs_no_sideways_scrolling,
        ],
        "/docs",
    )
