"""A headless Chromium, the pages of runs in it, and what went wrong there."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import sync_playwright

LANESCOPE = os.environ["LANESCOPE"]
RUNS = Path(os.environ["LANESCOPE_RUNS"])

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def lanescope(*arguments, code=0):
    """Runs the command, which is to end with this code; its stdout as text."""
    done = subprocess.run([LANESCOPE, *map(str, arguments)], capture_output=True, check=False)
    if done.returncode != code:
        raise AssertionError(f"lanescope {arguments} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode()


def page_of(source, name):
    """Writes the page of a run below the folder of all runs."""
    path = RUNS / "pages" / f"{name}.html"
    path.parent.mkdir(exist_ok=True)
    lanescope("view", source, "--output", path)
    return path


class Browser:
    """One browser for all tests."""

    def __init__(self):
        self.driver = sync_playwright().start()
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        self.chromium = self.driver.chromium.launch(executable_path=path, args=FLAGS)

    def close(self):
        self.chromium.close()
        self.driver.stop()

    def open(self, path, dark=False, width=1440, height=900, prepare=None):
        """The page of a run, drawn once; see open_still."""
        page = self.open_still(path, dark, width, height, prepare)
        page.wait_for_function("window.lanescope && lanescope.frames.count > 0", timeout=120_000)
        return page

    def open_still(self, path, dark=False, width=1440, height=900, prepare=None):
        """A page of its own, with what it asked of the network and what it complained of."""
        scheme = "dark" if dark else "light"
        context = self.chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        if prepare:
            prepare(page)
        page.goto(path if "://" in str(path) else f"file://{path}")
        return page


def settle(page):
    """Waits until what was asked for is on the screen."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
