"""What is true of every page at any time: no fault in the console, nobody else asked, it fits."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
)
from playwright.sync_api import TimeoutError as WaitedInVain

PICTURES = Path(__file__).parents[2] / "artifacts" / "screenshots"  # not committed
PATIENCE_SECONDS = 120  # for whatever is to come: how quick it comes is measured elsewhere
ONCE_MORE_SECONDS = 40
WIDTHS = {1440: 900, 390: 844}
# A page that answers with one of these says so in the console, and that is all right.
EXPECTED_STATUS = re.compile(r"Failed to load resource.*status of (404|403|409|422)")
TOO_WIDE = """() => {
  const found = [], root = document.documentElement;
  if (Math.max(root.scrollWidth, document.body.scrollWidth) > root.clientWidth)
    found.push(`page ${Math.max(root.scrollWidth, document.body.scrollWidth)}`);
  for (const box of document.querySelectorAll("main *, .drawer.open *")) {
    const ways = getComputedStyle(box).overflowX;
    if (!["auto", "scroll"].includes(ways) || !box.checkVisibility()) continue;
    if (box.matches("textarea, .tabs, .steps, pre, .chart-table")) continue;
    if (box.scrollWidth > box.clientWidth + 1)
      found.push(`${box.tagName}.${box.className} ${box.scrollWidth} > ${box.clientWidth}`);
  }
  return found;
}"""

STILL = """() => !("busy" in document.documentElement.dataset)
  && !document.querySelector(".htmx-request")
  && document.getAnimations().every((one) => one.playState !== "running")
  && [...document.querySelectorAll(".chart")].every((one) => one.hidden || one.firstChild)"""


def too_wide(page: Page) -> list[str]:
    """What would have to be scrolled sideways to be read."""
    found: list[str] = page.evaluate(TOO_WIDE)
    return found


def leave_by(page: Page, control: Locator) -> None:
    """Press what sends a form, and be on the page that answers: a click alone only starts to go.

    Who sees nothing happen for long presses once more; what the first press came to is printed.
    """
    answers: list[str] = []

    def note(response: Response) -> None:
        answers.append(f"{response.request.method} {response.url} {response.status}")

    page.on("response", note)
    try:
        still(page)
        with page.expect_navigation(timeout=ONCE_MORE_SECONDS * 1000):
            control.click()
    except WaitedInVain:
        print(f"pressed in vain on {page.url}: {answers}")
        with page.expect_navigation():
            control.click()
    finally:
        page.remove_listener("response", note)


def still(page: Page) -> None:
    """Wait until nothing is being fetched, swapped, slid or drawn any more."""
    page.wait_for_load_state()
    page.evaluate("() => document.fonts.ready")
    page.wait_for_function(STILL)


def picture(page: Page, name: str) -> None:
    """Keep how the page looks on a desk and on a phone; it must fit both."""
    usual = page.viewport_size
    wide = []
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        still(page)
        picture_of(page, f"{name}-{width}")
        wide += [f"{width}: {one}" for one in too_wide(page)]
    if usual:
        page.set_viewport_size(usual)
    assert not wide, (page.url, wide)


def picture_of(page: Page, name: str) -> None:
    """Keep how the page looks now."""
    path = PICTURES / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)


class Watch:
    """Collects what must never happen in a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.faults: list[str] = []

    def over(self, context: BrowserContext) -> None:
        """Watch every page of this browser."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not EXPECTED_STATUS.match(message.text):
            self.faults.append(f"console: {message.text} at {message.page and message.page.url}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"asked another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.status}: {response.request.method} {response.url}")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Visit = Callable[..., Page]
