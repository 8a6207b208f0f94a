#!/usr/bin/env python3
"""The page at / in headless Chromium, against a real server. See README.md."""

import base64
import csv
import io
import json
import os
import re
import subprocess
import time
from pathlib import Path

from browser import ROOT, arguments, run, with_context

LESION = ROOT / "samples/lesion-1.jpg"
PREDICT = re.compile(r"/predict(\?|$)")
HOSTILE_NAME = "<img src=x onerror=document.title='hacked'>.jpg"
# What a spreadsheet would calculate, or split; the last is harmless.
FORMULAS = ['=HYPERLINK("http://x","y").jpg', "+1.jpg", "-1;2.jpg", "@sum.jpg", " =1.jpg", "\uff1d1.jpg", 'a "b", c.jpg']


def real_lesion() -> Path:
    """A photograph where there are some: they may not be part of this repository."""
    directory = os.environ.get("SKINCLF_TEST_IMAGES")
    found = sorted(Path(directory).glob("*.jpg")) if directory else []
    return found[0] if found else LESION


# What the page asks for.
COVERAGE = ["--coverage", "0.9"]


def classify(options, image: Path) -> dict:
    command = [options.binary, "classify", "-q", "-f", "json", *COVERAGE, image]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0]


def choose(page, *files) -> None:
    page.get_by_label("Choose pictures").set_input_files(list(files))


def upload(name: str, path: Path = LESION) -> dict:
    return {"name": name, "mimeType": "image/jpeg", "buffer": path.read_bytes()}


def drop(page, name: str, mime: str, content: bytes, event: str = "drop") -> None:
    page.evaluate(
        """([name, mime, content, event]) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: mime }));
            const init = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(
                event === "paste"
                    ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
                    : new DragEvent("drop", { ...init, dataTransfer: transfer }));
        }""",
        [name, mime, base64.b64encode(content).decode(), event],
    )


def done(page, state: str = "done"):
    card = page.locator(f".card[data-state={state}]")
    card.first.wait_for()
    return card


def text(locator) -> str:
    return locator.inner_text().replace("\u00a0", " ")


def figure(shown: str) -> float:
    return float(shown.removeprefix("< ").removesuffix(" %"))


def is_predict(request) -> bool:
    return PREDICT.search(request.url) is not None


def answer_with(page, options, change) -> None:
    """The page gets the answer for the lesion, changed."""
    answer = classify(options, LESION)
    change(answer)
    page.route(PREDICT, lambda route: route.fulfill(json=answer))


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def a_lesion_gets_the_answer_of_the_command_line(page, options):
    image = real_lesion()
    wanted = classify(options, image)
    choose(page, image)
    card = done(page)
    assert text(card.locator(".name")) == image.name
    predicted = text(card.locator(".stat").nth(0))
    assert wanted["label"] in predicted and f"{100 * wanted['confidence']:.1f} %" in predicted, predicted
    malignant = text(card.locator(".stat").nth(1))
    assert f"{100 * wanted['malignant_probability']:.1f} %" in malignant, malignant

    rows = card.locator(".classes li").all()
    shown = {row.get_attribute("data-code"): figure(text(row.locator(".percent"))) for row in rows}
    assert shown.keys() == wanted["probabilities"].keys(), shown
    for code, probability in wanted["probabilities"].items():
        assert abs(shown[code] - 100 * probability) < 0.1, (code, shown[code], probability)
    assert list(shown.values()) == sorted(shown.values(), reverse=True), "most probable first"
    for row in rows:
        share = row.locator(".bar span").evaluate("e => e.offsetWidth / e.parentElement.offsetWidth")
        percent = shown[row.get_attribute("data-code")]
        assert abs(100 * share - percent) < 3, (percent, share)
        assert text(row.locator(".meaning")) and text(row.locator(".tag")) in ("benign", "malignant")

    assert "inference" in text(card.locator(".timings"))
    assert str(wanted["width"]) in text(card.locator("figcaption"))
    assert card.locator("img:not(.heat)").evaluate("e => e.complete && e.naturalWidth > 0"), "the picture is shown"
    assert wanted["label"] in text(page.get_by_role("log")), "told to screen readers"


def the_heatmap_is_laid_over_the_square_and_taken_away(page, options):
    choose(page, LESION)
    card = done(page)
    heat = card.locator("img.heat")
    button = card.get_by_role("button", name="Show heatmap")
    assert heat.is_hidden() and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert heat.is_visible() and button.get_attribute("aria-pressed") == "true"
    assert heat.evaluate("e => e.complete && e.naturalWidth") == 224
    shown, square = heat.bounding_box(), card.locator(".seen").bounding_box()
    for edge in ("x", "y", "width", "height"):
        assert abs(shown[edge] - square[edge]) < 1.5, (shown, square)
    assert "Coloured regions support" in text(card.locator("figcaption"))
    legend = card.get_by_role("img", name="Colour scale")
    assert legend.is_visible() and text(legend).split() == ["average", "most"]
    ramp = legend.locator(".ramp").evaluate("e => getComputedStyle(e).backgroundImage")
    assert "rgba(68, 1, 84, 0)" in ramp and "rgba(253, 231, 37, 0.5)" in ramp, ramp
    button.click()
    assert heat.is_hidden() and "Coloured" not in text(card.locator("figcaption")) and legend.is_hidden()


def a_picture_that_the_browser_cannot_show_has_its_heatmap_in_place(page, options):
    tiff = ROOT / "tests/goldens/inputs/deflate.tif"
    choose(page, {"name": "a.tif", "mimeType": "image/tiff", "buffer": tiff.read_bytes()})
    card = done(page)
    assert "No preview" in text(card.locator(".frame"))
    card.get_by_role("button", name="Show heatmap").click()
    assert card.locator("img.heat").bounding_box()["width"] > 100
    assert card.locator(".no-preview").is_hidden()


def what_is_not_usable_is_told_with_its_reasons(page, options):
    answer_with(page, options, lambda answer: answer.update(usable=False, reasons=["too_small", "not_dermoscopy"]))
    choose(page, LESION)
    card = done(page)
    words = "Not usable: too small, not a dermoscopic image of a lesion."
    assert words in text(card.locator(".unusable")), text(card)
    assert card.locator(".classes li").count() > 0, "the class is still there"
    assert "Not usable: too small" in text(page.get_by_role("log"))


def a_flagged_picture_is_marked(page, options):
    answer_with(page, options, lambda answer: answer.update(flagged=True))
    choose(page, LESION)
    stat = done(page).locator(".stat").nth(1)
    assert "flagged" in text(stat) and "malignant" in stat.get_attribute("class"), text(stat)
    assert "the threshold that catches 95 % of malignant lesions" in text(stat), text(stat)


def what_is_usable_and_not_flagged_is_not_marked(page, options):
    answer_with(page, options, lambda answer: answer.update(flagged=False, usable=True, reasons=[]))
    choose(page, LESION)
    card = done(page)
    assert card.locator(".unusable, .flag, .shares").count() == 0 and "flagged" not in text(card)


def rescaled_probabilities_are_told_with_their_class_shares(page, options):
    answer_with(page, options, lambda answer: answer.update(flagged=True, prior={"mel": 0.25, "nv": 0.75}))
    choose(page, LESION)
    card = done(page)
    shares = text(card.locator(".shares"))
    assert "Melanoma 25.0 %, Melanocytic nevus 75.0 %" in shares, shares
    assert "before rescaling, at least the threshold" in text(card.locator(".stat").nth(1))


def a_class_that_is_not_the_most_probable_is_explained(page, options):
    def rarest(answer):
        code, p = min(answer["probabilities"].items(), key=lambda item: item[1])
        answer.update(class_name=code, confidence=p)

    answer_with(page, options, rarest)
    choose(page, LESION)
    card = done(page)
    assert "Another class is more probable" in text(card), text(card)
    last = card.locator(".classes li").last
    assert "predicted" in last.get_attribute("class"), "least probable, and still the predicted one"


def other_classes_of_the_set_are_named_with_its_coverage(page, options):
    answer_with(page, options, lambda answer: answer.update(class_name="nv", prediction_set=["nv", "mel", "bkl"], coverage=0.9))
    choose(page, LESION)
    said = text(done(page).locator(".others"))
    assert said.startswith("Could also be: Melanoma, Benign keratosis (90 % coverage). For 90 % of lesions"), said


def a_set_of_one_class_has_its_coverage_and_one_without_is_not_shown(page, options):
    answer_with(page, options, lambda answer: answer.update(class_name="nv", prediction_set=["nv"], coverage=0.975))
    choose(page, LESION)
    assert text(done(page).locator(".others")) == "No other class is likely (97.5 % coverage)."
    page.get_by_role("button", name="Remove all").click()
    page.unroute(PREDICT)
    answer_with(page, options, lambda answer: answer.pop("coverage"))
    choose(page, LESION)
    assert done(page).locator(".others").count() == 0


def it_says_that_it_is_not_a_diagnosis(page, options):
    assert page.get_by_text("not a diagnosis").count() == 1
    version = subprocess.run([options.binary, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    footer = text(page.locator("footer"))
    assert version in footer and classify(options, LESION)["model"]["name"] in footer, footer
    assert "{{" not in page.content(), "a token was not filled in"
    page.get_by_text("Classes of the model").click()
    assert page.locator(".known li").count() == len(classify(options, LESION)["probabilities"])


def a_dropped_text_file_is_refused_in_words(page, options):
    drop(page, "notes.txt", "text/plain", b"no picture at all")
    card = done(page, "failed")
    assert "not a picture" in text(card), text(card)
    assert "not_an_image" in text(card) and "400" in text(card), text(card)
    assert "not a picture" in text(page.get_by_role("log"))


def a_truncated_picture_is_refused_in_words(page, options):
    choose(page, ROOT / "samples/broken/truncated.jpg")
    assert "ends before the image is complete" in text(done(page, "failed"))


def a_pasted_picture_is_classified(page, options):
    drop(page, "image.png", "image/png", (ROOT / "samples/alpha.png").read_bytes(), "paste")
    assert classify(options, ROOT / "samples/alpha.png")["label"] in text(done(page).locator(".stat").nth(0))


def several_files_keep_their_order_and_failures_stay_alone(page, options):
    names = ["lesion-1.jpg", "broken/truncated.jpg", "lesion-2.jpg", "gray.jpg", "lesion-8.webp"]
    in_flight, most = 0, 0

    def begun(request):
        nonlocal in_flight, most
        if is_predict(request):
            in_flight += 1
            most = max(most, in_flight)

    def ended(request):
        nonlocal in_flight
        in_flight -= is_predict(request)

    page.on("request", begun)
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    choose(page, *[ROOT / "samples" / name for name in names])
    done(page).nth(3).wait_for()
    done(page, "failed")
    assert [text(name) for name in page.locator(".name").all()] == [Path(name).name for name in names]
    for card, name in zip(page.locator(".card").all(), names):
        if card.get_attribute("data-state") == "done":
            assert classify(options, ROOT / "samples" / name)["label"] in text(card.locator(".stat").nth(0))
    assert most <= 2, f"{most} uploads at once"

    page.get_by_role("button", name="Remove gray.jpg").click()
    assert page.locator(".card").count() == 4
    page.get_by_role("button", name="Remove all").click()
    assert page.locator(".card").count() == 0 and page.locator("#results").is_hidden()


def names(page) -> list:
    return [text(name) for name in page.locator(".name:visible").all()]


def answer_by_name(page, options) -> None:
    """Answers what the name of the upload says: several of flagged, blurred and broken, or none."""
    answer = classify(options, LESION)
    answer.update(flagged=False, usable=True, reasons=[])

    def respond(route):
        name = re.search(rb'filename="([^"]*)"', route.request.post_data_buffer)[1].decode()
        if "broken" in name:
            route.fulfill(status=400, json={"code": "decode_failed", "detail": "the picture is damaged"})
            return
        reasons = ["blurred"] if "blurred" in name else []
        route.fulfill(json={**answer, "flagged": "flagged" in name, "usable": not reasons, "reasons": reasons})

    page.route(PREDICT, respond)


def twenty_pictures_have_an_overview_that_leads_to_each(page, options):
    wanted = [f"picture-{n}.jpg" for n in range(20)]
    answer_by_name(page, options)
    choose(page, upload("first.jpg"))
    done(page)
    assert page.locator("#overview").is_hidden(), "one picture needs none"
    page.get_by_role("button", name="Remove all").click()
    choose(page, *map(upload, wanted))
    done(page).nth(19).wait_for()
    overview = page.get_by_role("navigation", name="Overview")
    links = overview.get_by_role("link")
    label = classify(options, LESION)["label"]
    assert [link.get_attribute("aria-label") for link in links.all()] == [f"{name}: {label}" for name in wanted]
    for image in links.locator("img").all():
        assert image.evaluate("e => e.complete && e.naturalWidth > 0"), "a small picture"
    links.nth(14).focus()
    page.keyboard.press("Enter")
    card = page.locator(".card").nth(14)
    page.locator("article:focus").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == wanted[14]
    assert 0 <= card.bounding_box()["y"] < 100, "seen from its beginning"
    card.get_by_role("button", name="Remove picture-14.jpg").click()
    assert links.count() == 19
    # Those that come later stand above.
    choose(page, upload("late.jpg"))
    assert links.first.get_attribute("aria-label").startswith("late.jpg") and names(page)[0] == "late.jpg"


def the_overview_can_be_narrowed_to_what_matters(page, options):
    answer_by_name(page, options)
    wanted = ["plain.jpg", "flagged.jpg", "blurred.jpg", "flagged blurred.jpg", "broken.jpg"]
    failed = page.get_by_role("radio", name="Failed")
    choose(page, *map(upload, wanted[:4]))
    done(page).nth(3).wait_for()
    assert failed.is_hidden(), "nothing failed"
    page.get_by_role("button", name="Remove all").click()
    choose(page, *map(upload, wanted))
    done(page).nth(3).wait_for()
    done(page, "failed")
    links = page.get_by_role("navigation", name="Overview").get_by_role("link")

    def shown(choice):
        page.get_by_role("radio", name=choice, exact=True).check()
        titles = [link.get_attribute("title") for link in links.all()]
        assert titles == names(page), "both are narrowed alike"
        return titles

    assert shown("All 5") == wanted
    assert shown("Flagged 2") == ["flagged.jpg", "flagged blurred.jpg"]
    assert "2 of 5 pictures shown" in text(page.get_by_role("log"))
    assert shown("Not usable 2") == ["blurred.jpg", "flagged blurred.jpg"]
    assert links.last.get_attribute("aria-label").endswith(", flagged, not usable")
    assert text(links.last.locator(".marks")).split() == ["!", "?"], "not by colour alone"
    assert shown("Failed 1") == ["broken.jpg"]

    page.get_by_role("radio", name="Failed 1").focus()
    page.keyboard.press("ArrowUp")
    page.get_by_role("radio", name="Not usable 2", checked=True).wait_for()
    for name in ["blurred.jpg", "flagged blurred.jpg"]:
        assert names(page)[0] == name
        page.get_by_role("button", name=f"Remove {name}", exact=True).click()
    assert names(page) == [] and page.get_by_text("No picture matches this filter.").is_visible()
    # What is added is seen, whatever was asked for before.
    choose(page, upload("new.jpg"))
    assert names(page) == ["new.jpg", "plain.jpg", "flagged.jpg", "broken.jpg"]


def downloaded(page, button: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    assert download.value.suggested_filename == f"skinclf.{button.split()[-1].lower()}"
    return Path(download.value.path()).read_text(encoding="utf-8")


def results_are_saved_as_the_command_line_prints_them(page, options):
    files = ["lesion-1.jpg", "broken/truncated.jpg", "lesion-2.jpg", "gray.jpg"]
    choose(page, *[ROOT / "samples" / name for name in files])
    done(page).nth(2).wait_for()
    done(page, "failed")

    def printed(form):
        command = [options.binary, "classify", "-q", "-f", form, *COVERAGE, *files]
        return subprocess.run(command, cwd=ROOT / "samples", capture_output=True, text=True).stdout

    def number(value):
        try:
            return float(value)
        except ValueError:
            return value.removeprefix("broken/")

    ours, theirs = (list(csv.reader(io.StringIO(content))) for content in (downloaded(page, "Download CSV"), printed("csv")))
    assert [[number(cell) for cell in row] for row in ours] == [[number(cell) for cell in row] for row in theirs]

    def stable(result):
        times = {"inference_time", "timings_ms"}
        return list(result), {key: value for key, value in result.items() if key not in {*times, "path"}}

    ours, theirs = (json.loads(content) for content in (downloaded(page, "Download JSON"), printed("json")))
    assert [stable(result) for result in ours] == [stable(result) for result in theirs]
    assert [result["path"] for result in ours] == [Path(name).name for name in files]


def names_that_a_spreadsheet_would_run_are_harmless(page, options):
    answer_by_name(page, options)
    choose(page, *map(upload, FORMULAS))
    done(page).nth(len(FORMULAS) - 1).wait_for()
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "Download CSV"), newline="")))
    assert [row["path"] for row in rows] == [f"'{name}" for name in FORMULAS[:-1]] + FORMULAS[-1:]
    assert all(row["class_name"] and float(row["confidence"]) > 0 and row["error_message"] == "" for row in rows)
    assert [result["path"] for result in json.loads(downloaded(page, "Download JSON"))] == FORMULAS


def results_are_saved_when_all_are_there(page, options):
    held = []
    page.route(PREDICT, lambda route: held.append(route))
    save = page.get_by_role("button", name="Download CSV")
    choose(page, LESION)
    page.get_by_text("Being classified").wait_for()
    assert save.is_disabled(), "one of some would look like one of all"
    held[0].continue_()
    done(page)
    assert save.is_enabled()


def nothing_moves_when_answers_come(page, options):
    page.evaluate(
        """() => {
            window.moved = 0;
            new PerformanceObserver((list) => list.getEntries().forEach((e) => (window.moved += e.value)))
                .observe({ type: "layout-shift" });
        }"""
    )
    held, holding = [], False

    def hold(route):
        if holding:
            held.append(route)
        else:
            route.continue_()

    page.route(PREDICT, hold)
    # What moved is known once it is painted.
    painted = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    for width, height in [(1280, 900), (390, 844)]:
        page.set_viewport_size({"width": width, "height": height})
        holding = True
        choose(page, *[upload(f"{n}.jpg") for n in range(6)])
        page.evaluate("() => Promise.all([...document.images].map((image) => image.decode()))")
        done(page, "sending").nth(1).wait_for()
        page.evaluate(painted)
        page.evaluate("window.moved = 0")
        holding = False
        while held:
            held.pop(0).continue_()
        done(page).nth(5).wait_for()
        page.evaluate(painted)
        moved = page.evaluate("window.moved")
        assert moved < 0.01, (width, moved)
        page.get_by_role("button", name="Remove all").click()


def a_hostile_file_name_is_only_text(page, options):
    choose(page, upload(HOSTILE_NAME))
    card = done(page)
    assert text(card.locator(".name")) == HOSTILE_NAME
    assert card.locator("img:not(.heat)").count() == 1, "the picture only"
    assert page.title() != "hacked"


def a_busy_server_is_asked_again_after_its_time(page, options):
    asked = []

    def busy_once(route):
        asked.append(time.monotonic())
        if len(asked) > 1:
            route.continue_()
            return
        body = json.dumps({"detail": "too many requests are waiting", "code": "queue_full"})
        route.fulfill(status=503, headers={"Retry-After": "1"}, content_type="application/json", body=body)

    page.route(PREDICT, busy_once)
    choose(page, LESION)
    page.get_by_text("Trying again in 1 s").wait_for()
    done(page)
    assert len(asked) == 2 and asked[1] - asked[0] >= 1, asked


def a_server_that_cannot_be_reached_is_told_and_tried_again(page, options):
    page.route(PREDICT, lambda route: route.abort("connectionrefused"))
    choose(page, LESION)
    assert "could not be reached" in text(done(page, "failed"))
    page.unroute(PREDICT)
    page.get_by_role("button", name="Try again").click()
    done(page)


def a_key_is_asked_for_and_sent(page, options):
    sent = []

    def guarded(route):
        sent.append(route.request.headers.get("authorization"))
        if sent[-1] == "Bearer open-sesame":
            route.continue_()
            return
        body = json.dumps({"detail": "send the API key", "code": "unauthorized"})
        route.fulfill(status=401, content_type="application/json", body=body)

    page.route(PREDICT, guarded)
    choose(page, LESION)
    field = page.get_by_label("This server requires an API key")
    field.fill("wrong")
    field.press("Enter")
    page.locator("#key-hint", has_text="did not accept").wait_for()
    field.fill("open-sesame")
    page.get_by_role("button", name="Use this key").click()
    done(page)
    assert field.is_hidden()
    assert sent == [None, "Bearer wrong", "Bearer open-sesame"], sent
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def the_keyboard_alone_is_enough(page, options):
    def focused() -> str:
        return page.evaluate("document.activeElement.id || document.activeElement.className")

    # Chromium is told to hand over its dialog well before the key that opens it.
    page.on("filechooser", lambda chooser: chooser.set_files(LESION))
    for _ in range(10):
        page.keyboard.press("Tab")
        if focused() == "files":
            break
    assert focused() == "files", "Tab reaches the choice of files"
    ring = page.locator(".drop").evaluate("e => getComputedStyle(e).outlineStyle")
    assert ring != "none", "the focus is seen"
    page.keyboard.press("Enter")
    done(page)
    for _ in range(10):
        page.keyboard.press("Tab")
        if "remove" in focused():
            break
    page.keyboard.press("Enter")
    assert page.locator(".card").count() == 0
    assert focused() == "files", "the focus is not lost with the card"


@with_context(color_scheme="dark")
def dark_is_dark(page, options):
    choose(page, LESION)
    done(page)
    assert luminance(page, "background-color") < 0.05 < 0.6 < luminance(page, "color")


@with_context(color_scheme="light")
def light_is_light(page, options):
    assert luminance(page, "background-color") > 0.8 > 0.1 > luminance(page, "color")


def luminance(page, colour: str) -> float:
    shown = page.evaluate("name => getComputedStyle(document.body).getPropertyValue(name)", colour)
    red, green, blue = (int(part) / 255 for part in shown.strip("rgb()").split(",")[:3])
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2


@with_context(viewport={"width": 320, "height": 640})
def a_narrow_phone_needs_no_sideways_scrolling(page, options):
    assert fits(page)
    choose(page, upload("a_name_without_a_place_to_break_" * 4), upload("b", ROOT / "samples/broken/truncated.jpg"))
    done(page)
    done(page, "failed")
    page.get_by_text("Classes of the model").click()
    assert fits(page)
    choose(page, *[upload(f"{n}.jpg") for n in range(18)])
    done(page).nth(18).wait_for()
    page.get_by_role("button", name="Show heatmap").first.click()
    for width in (320, 390):
        page.set_viewport_size({"width": width, "height": 740})
        assert fits(page), width


@with_context(viewport={"width": 1000, "height": 800}, color_scheme="light")
def screenshot(page, options):
    # Drawn samples, whatever SKINCLF_TEST_IMAGES says: the picture is published.
    others = ["lesion-2.jpg", "lesion-3.jpg", "wide.jpg", "alpha.png", "gray.jpg", "broken/truncated.jpg"]
    choose(page, LESION, *[ROOT / "samples" / name for name in others])
    done(page).nth(len(others) - 1).wait_for()
    done(page, "failed")
    page.get_by_role("button", name="Show heatmap").first.click()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    first = page.locator(".card").first.bounding_box()
    height = first["y"] + first["height"] + 12
    page.screenshot(path=options.screenshot, full_page=True, clip={"x": 0, "y": 0, "width": 1000, "height": height})


if __name__ == "__main__":
    run(
        [
            a_lesion_gets_the_answer_of_the_command_line,
            the_heatmap_is_laid_over_the_square_and_taken_away,
            a_picture_that_the_browser_cannot_show_has_its_heatmap_in_place,
            what_is_not_usable_is_told_with_its_reasons,
            a_flagged_picture_is_marked,
            what_is_usable_and_not_flagged_is_not_marked,
            rescaled_probabilities_are_told_with_their_class_shares,
            a_class_that_is_not_the_most_probable_is_explained,
            other_classes_of_the_set_are_named_with_its_coverage,
            a_set_of_one_class_has_its_coverage_and_one_without_is_not_shown,
            it_says_that_it_is_not_a_diagnosis,
            a_dropped_text_file_is_refused_in_words,
            a_truncated_picture_is_refused_in_words,
            a_pasted_picture_is_classified,
            several_files_keep_their_order_and_failures_stay_alone,
            twenty_pictures_have_an_overview_that_leads_to_each,
            the_overview_can_be_narrowed_to_what_matters,
            results_are_saved_as_the_command_line_prints_them,
            names_that_a_spreadsheet_would_run_are_harmless,
            results_are_saved_when_all_are_there,
            nothing_moves_when_answers_come,
            a_hostile_file_name_is_only_text,
            a_busy_server_is_asked_again_after_its_time,
            a_server_that_cannot_be_reached_is_told_and_tried_again,
            a_key_is_asked_for_and_sent,
            the_keyboard_alone_is_enough,
            dark_is_dark,
            light_is_light,
            a_narrow_phone_needs_no_sideways_scrolling,
        ]
        + [screenshot] * bool(arguments().screenshot),
        "/",
    )
