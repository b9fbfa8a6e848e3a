"""The page of the published run, and a real browser without a window that runs scripts in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from maestrata.cubes.io import open_cube
from maestrata.explorer.data import data_of
from maestrata.explorer.page import page
from maestrata.results import CubeSet

PUBLISHED = Path(__file__).parents[3] / "reference" / "default"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# What is thrown, logged as an error, or asked of a network is kept from the first script on.
WATCH = """<script>
const ERRORS = [];
addEventListener("error", event => ERRORS.push(String(event.message || event.target.outerHTML)), true);
addEventListener("unhandledrejection", event => ERRORS.push(String(event.reason)));
console.error = (...told) => ERRORS.push(told.join(" "));
</script>"""
ASK = """<script>
addEventListener("load", () => {
  let value = null;
  try { value = (() => { SCRIPT })(); } catch (error) { ERRORS.push(String(error)); }
  const asked = performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => !name.startsWith("data:"));
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify({ value, errors: ERRORS, asked });
  document.body.append(told);
});
</script>"""


@pytest.fixture(scope="session")
def cubes() -> CubeSet:
    return CubeSet(open_cube(PUBLISHED / f"{name}.nc") for name in ("regression", "limits", "verdicts"))


@pytest.fixture(scope="session")
def data(cubes: CubeSet) -> dict[str, Any]:
    return data_of(cubes, "default", "a <note>")


@pytest.fixture(scope="session")
def text(data: dict[str, Any]) -> str:
    return page(data)


@pytest.fixture
def ask(text: str, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that opens a page from a file, runs a script in it, and returns what that returns.

    Fails where the page has an error or asks for anything but itself.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser here: one of {', '.join(BROWSERS)}")

    def run(script: str, html: str = text) -> Any:
        path = tmp_path / "page.html"
        whole = html.replace("<head>", f"<head>{WATCH}", 1)
        path.write_text(whole.replace("</body>", ASK.replace("SCRIPT", script) + "</body>"), encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]
        flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000"]
        done = subprocess.run(
            [browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=300, check=True
        )
        match = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
        assert match, done.stdout[-2000:] + done.stderr[-2000:]
        told = json.loads(unescape(match[1]))
        assert told["errors"] == [] and told["asked"] == []
        return told["value"]

    return run
