#!/usr/bin/env python3
"""The page that `skinclf classify --truth --report` writes, in headless Chromium. See README.md."""

import json
import subprocess
from pathlib import Path

from browser import ROOT, run_on_file, with_context
from test_report import (
    a_narrow_phone_needs_no_sideways_scrolling_of_the_page,
    paper_is_light_and_holds_every_chart,
    small_charts_are_whole_and_legible_on_a_phone,
    text,
    texts_of_charts_do_not_overlap,
    what_is_wider_than_a_phone_shows_that_it_scrolls,
)

SCORES = {}


def written(options, folder: Path) -> Path:
    page = folder / "scores.html"
    command = [options.binary, "classify", "-q", "-f", "json", "--truth", "samples/labels.csv", "--report", page, "samples"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    # A broken picture is among the samples.
    assert ran.returncode == 1, ran.stderr
    SCORES.update(json.loads(ran.stdout))
    return page


def nothing_is_loaded_and_nothing_runs(page, options):
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert page.locator("script, iframe, object, embed, img").count() == 0


def the_tables_hold_the_scores(page, options):
    row = page.locator("tr", has=page.locator("th:text-is('balanced accuracy')"))
    metric = SCORES["metrics"]["balanced_accuracy"]
    low, high = metric["ci95"]
    assert text(row) == f"balanced accuracy\t{metric['value']:.3f}\t{low:.3f}\u2013{high:.3f}", text(row)
    counts = [
        [int(text(cell).split("\n")[0]) for cell in row.locator("td").all()]
        for row in page.locator("table.confusion tbody tr").all()
    ]
    assert counts == SCORES["confusion"]


def every_chart_is_drawn_and_described(page, options):
    assert page.locator("svg").count() == 3
    for chart in page.locator("svg").all():
        assert chart.locator("> title").text_content() and chart.locator("> desc").text_content()
        assert chart.locator("path[d^=M]").count() > 1
        numbers = chart.evaluate("(svg) => [...svg.querySelectorAll('*')].map((e) => e.getAttribute('d') || '')")
        assert not [n for n in numbers if "NaN" in n or "inf" in n]
    # Of the classes that occur, and of all malignant ones.
    occurring = [code for code, scores in SCORES["per_class"].items() if scores["n"]]
    assert page.locator("ul.legend li").count() == len(occurring) + 1


@with_context(color_scheme="dark")
def dark_is_dark_and_shaded_counts_stay_legible(page, options):
    least = page.evaluate(
        """() => {
            const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
            const light = (colors) => {
                // Painted one above the other, as the cell is on its card.
                for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
                const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
                    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const card = getComputedStyle(document.querySelector("section")).backgroundColor;
            return Math.min(...[...document.querySelectorAll(".confusion td")].map((cell) => {
                const style = getComputedStyle(cell);
                const [a, b] = [light([card, style.backgroundColor]), light([style.color])].sort((x, y) => y - x);
                return (a + 0.05) / (b + 0.05);
            }));
        }"""
    )
    assert least > 4.5, least
    body = page.locator("body").evaluate("(e) => getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(body) < 80, body


if __name__ == "__main__":
    tests = [
        nothing_is_loaded_and_nothing_runs,
        the_tables_hold_the_scores,
        every_chart_is_drawn_and_described,
        texts_of_charts_do_not_overlap,
        dark_is_dark_and_shaded_counts_stay_legible,
        paper_is_light_and_holds_every_chart,
        a_narrow_phone_needs_no_sideways_scrolling_of_the_page,
        what_is_wider_than_a_phone_shows_that_it_scrolls,
        small_charts_are_whole_and_legible_on_a_phone,
    ]
    run_on_file(tests, written)
