#!/usr/bin/env python3
"""The page that `skinclf bench --report` writes, in headless Chromium. See README.md."""

import copy
import json
import subprocess
from pathlib import Path

from browser import ROOT, run_on_file, with_context

FIXTURE = ROOT / "tests/load/fixtures/run.json"
BALANCED = ROOT / "tests/load/fixtures/balanced.json"
HOSTILE_URL = "http://<img src=x onerror=document.title='hacked'>:8000"


def runs() -> dict:
    """Three runs, each with something that the others lack."""
    one = json.loads(FIXTURE.read_text())
    environment, command = one.pop("environment"), one.pop("command")
    valid, unstable, open_loop = (copy.deepcopy(one) for _ in range(3))
    valid |= json.loads(BALANCED.read_text())
    unstable |= {"scenario": "heavy", "verdict": "UNSTABLE", "verdict_reasons": ["throughput went down"]}
    target = unstable["targets"][0]
    unstable["targets"] = [target | {"url": f"http://{name}:8000", "share": share} for name, share in [("a", 0.6), ("b", 0.4)]]
    unstable["targets"].append(target | {"url": HOSTILE_URL, "share": 0.0})
    open_loop |= {"scenario": "custom", "ramp_up": None}
    open_loop["plan"]["load"] = {"kind": "open", "rate": 40.0, "arrival": "poisson", "connections": 1000}
    open_loop["starts"] = {"planned": 210, "made": 204, "dropped": 6, "late": 2, "late_p99_ms": 1.0, "late_max_ms": 14.0}
    return {"runs": [valid, unstable, open_loop], "knee": None, "command": command, "environment": environment}


def written(options, folder: Path) -> Path:
    saved, page = folder / "runs.json", folder / "report.html"
    saved.write_text(json.dumps(runs()))
    command = [options.binary, "bench", "--from", saved, "--report", page]
    subprocess.run(command, check=True, capture_output=True)
    return page


def text(locator) -> str:
    return locator.inner_text().replace("\u00a0", " ")


def nothing_is_loaded_and_nothing_runs(page, options):
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert page.locator("script, iframe, object, embed, img").count() == 0
    assert page.title().startswith("UNSTABLE: Load test of "), page.title()


def a_bad_verdict_cannot_be_overlooked(page, options):
    alarm = page.get_by_role("alert")
    assert "UNSTABLE: heavy" in text(alarm) and "Throughput went down." in text(alarm)
    box = alarm.bounding_box()
    assert box["y"] + box["height"] < page.viewport_size["height"], "below what is seen first"
    assert box["width"] > 0.9 * page.locator("main section").first.bounding_box()["width"]
    contrast = alarm.evaluate(
        """(element) => {
            const style = getComputedStyle(element);
            const light = (color) => {
                const [r, g, b] = color.match(/[\\d.]+/g).map((v) => v / 255)
                    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);
        }"""
    )
    assert contrast > 4.5, contrast


def every_chart_is_drawn_described_and_has_a_table_beside_it(page, options):
    for section in page.locator("section.run").all():
        charts = section.locator("svg")
        assert charts.count() >= 5, charts.count()
        for chart in charts.all():
            title, description = chart.locator("> title"), chart.locator("> desc")
            assert title.text_content() and description.text_content()
            drawn = chart.locator("path[d^=M], rect.part")
            assert drawn.count() > 0 and chart.bounding_box()["height"] > 30, title.text_content()
            numbers = chart.evaluate(
                "(svg) => [...svg.querySelectorAll('*')].flatMap((e) => ['d', 'x', 'y', 'width', 'height'].map((a) => e.getAttribute(a)))"
            )
            assert not [n for n in numbers if n and ("NaN" in n or "inf" in n)], title.text_content()
        is_balanced = section.get_attribute("id") == "run-1"
        for caption in ["endpoint", "stage", "server", *(["replica", "container"] if is_balanced else [])]:
            assert section.locator(f"th:text-is('{caption}')").count() == 1, caption
        section.locator("summary").click()
        seconds = section.locator("details tbody tr")
        assert seconds.count() == 5 and "0:05" in text(seconds.last)


def texts_of_charts_do_not_overlap(page, options):
    overlaps = page.evaluate(
        """() => [...document.querySelectorAll("svg")].flatMap((svg) => {
            const boxes = [...svg.querySelectorAll("text")]
                .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }))
                .filter(({ box }) => box.width > 0);
            const edge = svg.getBoundingClientRect();
            const outside = boxes.filter(({ box }) => box.left < edge.left - 1 || box.right > edge.right + 1);
            const pairs = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
                a.box.left < b.box.right - 1 && b.box.left < a.box.right - 1 &&
                a.box.top < b.box.bottom - 4 && b.box.top < a.box.bottom - 4).map((b) => [a.text, b.text]));
            return [...pairs, ...outside.map(({ text }) => ["outside", text])];
        })"""
    )
    assert not overlaps, overlaps


def an_open_loop_tells_its_dropped_starts_and_where_latency_begins(page, options):
    section = page.locator("#run-3")
    assert "from the intended start" in text(section)
    assert "Of 210 planned starts 6 were dropped" in text(section)
    tile = section.locator(".tile", has_text="dropped starts")
    assert text(tile.locator(".value")) == "6"


def names_from_outside_stay_text(page, options):
    assert page.locator("th", has_text=HOSTILE_URL).count() == 1
    assert "hacked" not in page.title()


@with_context(color_scheme="dark")
def dark_is_dark(page, options):
    def background(selector):
        return page.locator(selector).first.evaluate("(e) => getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number)")

    assert max(background("body")) < 80 and max(background("section.run")) < 80
    line = page.locator("path.line").first.evaluate("(e) => getComputedStyle(e).stroke.match(/\\d+/g).map(Number)")
    assert max(line) > 120, line
    every_chart_is_drawn_described_and_has_a_table_beside_it(page, options)


@with_context(color_scheme="dark")
def paper_is_light_and_holds_every_chart(page, options):
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text')").strip() == "#1b2729"
    # The width of A4 without its margins, at 96 pixels an inch.
    page.set_viewport_size({"width": 700, "height": 990})
    cut_off = page.evaluate(
        "[...document.querySelectorAll('figure, .wide')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)"
    )
    assert not cut_off, cut_off
    assert page.pdf(format="A4").startswith(b"%PDF")


@with_context(viewport={"width": 360, "height": 740})
def a_narrow_phone_needs_no_sideways_scrolling_of_the_page(page, options):
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    for width in (320, 360, 390):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@with_context(viewport={"width": 390, "height": 844})
def what_is_wider_than_a_phone_shows_that_it_scrolls(page, options):
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    hidden = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && !e.matches(".wide"))
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert not hidden, hidden
    scrolling = page.locator(".wide")
    assert page.get_by_role("region").and_(scrolling).count() == scrolling.count() > 1, "each has a name"
    names = [region.get_attribute("aria-label") for region in scrolling.all()]
    assert len(set(names)) == len(names), names
    wider = [region for region in scrolling.all() if region.evaluate("e => e.scrollWidth > e.clientWidth")]
    assert wider, "something is wider than a phone"
    for region in wider:
        background = region.evaluate("e => getComputedStyle(e).backgroundAttachment + getComputedStyle(e).backgroundImage")
        assert "local" in background and "gradient" in background, background
        region.evaluate("e => { window.scrolled = new Promise((done) => e.addEventListener('scroll', () => done(e.scrollLeft))) }")
        region.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("window.scrolled") > 0


@with_context(viewport={"width": 390, "height": 844})
def small_charts_are_whole_and_legible_on_a_phone(page, options):
    charts = page.locator(".pair svg")
    assert charts.count() > 0
    for chart in charts.all():
        assert chart.bounding_box()["width"] <= 390
        height = chart.locator("text").first.bounding_box()["height"]
        assert height > 11, height
    texts_of_charts_do_not_overlap(page, options)


if __name__ == "__main__":
    tests = [
        nothing_is_loaded_and_nothing_runs,
        a_bad_verdict_cannot_be_overlooked,
        every_chart_is_drawn_described_and_has_a_table_beside_it,
        texts_of_charts_do_not_overlap,
        an_open_loop_tells_its_dropped_starts_and_where_latency_begins,
        names_from_outside_stay_text,
        dark_is_dark,
        paper_is_light_and_holds_every_chart,
        a_narrow_phone_needs_no_sideways_scrolling_of_the_page,
        what_is_wider_than_a_phone_shows_that_it_scrolls,
        small_charts_are_whole_and_legible_on_a_phone,
    ]
    run_on_file(tests, written)
