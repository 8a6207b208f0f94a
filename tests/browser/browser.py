"""What the browser tests share: a server, Chromium, and a runner with a clear ending."""

import argparse
import contextlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from server import serving  # noqa: E402

# Chromium calls home on its own, which would blur what the page itself asks for.
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", nargs="?", default=os.environ.get("SKINCLF_BIN", ROOT / "target/release/skinclf"))
    parser.add_argument("--url", help="test this running server instead of starting one")
    parser.add_argument("--chromium", default=os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    parser.add_argument("--screenshot", metavar="FILE", help="save a picture of the page with a result")
    parser.add_argument("--report", metavar="FILE", help="with --screenshot: a report to picture")
    parser.add_argument("--only", metavar="NAME", help="run the tests whose name contains NAME")
    return parser.parse_args()


def tested(options: argparse.Namespace) -> contextlib.AbstractContextManager[str]:
    """The URL of a server that lives as long as the block."""
    if options.url:
        return contextlib.nullcontext(options.url.rstrip("/"))
    return serving(options.binary)


class Tab:
    """A page that notes whatever it should not do."""

    def __init__(self, browser, url: str, **context):
        # Reduced motion: bars have their final width at once.
        self.context = browser.new_context(**{"reduced_motion": "reduce", **context})
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.foreign, self.errors = [], []
        self.page.on("request", lambda r: self.foreign.append(r.url) if self.leaves(r.url, url) else None)
        self.page.on("websocket", lambda socket: self.foreign.append(socket.url))
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("console", self.note)

    @staticmethod
    def leaves(url: str, page: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return url.partition("#")[0] != page
        return parts.scheme not in ("blob", "data") and parts.netloc != urlsplit(page).netloc

    def note(self, message) -> None:
        # Chromium reports each answer of 400 and above by itself; no page can prevent it.
        refusal = "Failed to load resource" in message.text and urlsplit(message.location["url"]).path.endswith("/predict")
        if message.type in ("error", "warning") and not refusal:
            self.errors.append(f"{message.text} ({message.location['url']})")

    def close(self) -> None:
        self.context.close()
        assert not self.foreign, f"requests to other hosts: {self.foreign}"
        assert not self.errors, f"errors on the console: {self.errors}"


def run(tests, page_path: str) -> None:
    """Runs each test in a fresh tab at a page of the server; exits 0 only if all passed."""
    options = arguments()
    with tested(options) as url:
        run_at(tests, url + page_path, options)


def run_at(tests, url: str, options: argparse.Namespace) -> None:
    """Runs each test in a fresh tab at the page; exits 0 only if all passed."""
    failed = 0
    chosen = [test for test in tests if not options.only or options.only in test.__name__]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=QUIET)
        for test in chosen:
            began = time.monotonic()
            tab = Tab(browser, url, **getattr(test, "context", {}))
            try:
                tab.page.goto(url)
                test(tab.page, options)
                tab.close()
            except Exception:
                failed += 1
                print(f"FAIL {test.__name__}\n{traceback.format_exc()}")
                if tab.errors:
                    print(f"on the console: {tab.errors}")
                tab.context.close()
            else:
                print(f"ok   {test.__name__} ({time.monotonic() - began:.1f} s)")
        browser.close()
    print(f"{len(chosen) - failed} of {len(chosen)} passed")
    sys.exit(1 if failed or not chosen else 0)


def run_on_file(tests, written) -> None:
    """Runs each test at the page that `written(options, folder)` makes, or with --report at that one."""
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(options.report).resolve() if options.report else written(options, Path(folder))
        run_at([save_screenshot] if options.screenshot else tests, page.as_uri(), options)


def save_screenshot(page, options):
    page.set_viewport_size({"width": 1000, "height": 900})
    page.screenshot(path=options.screenshot, full_page=True)


def with_context(**context):
    """Sets what the tab of a test is like."""

    def mark(test):
        test.context = context
        return test

    return mark
