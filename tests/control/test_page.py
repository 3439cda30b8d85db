"""The control page of a real run in a real Chromium: faces, panic, people, a lost run, a phone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from live.output.web import free_port
from live.pixels.people import read_person

from .chromium import Chromium

pytestmark = pytest.mark.browser
SMALL = ("capture.width_px=480", "capture.height_px=270", "capture.fps=15", "keys.hotkeys=false")
START_S = 60.0


class Run:
    """The program as a user starts it, on one port."""

    def __init__(self, home: Path) -> None:
        self.port = free_port(23_000, 900)
        self.address = f"http://127.0.0.1:{self.port}/"
        self._home = home
        self.start()

    def start(self) -> None:
        sets = [word for pair in SMALL for word in ("--set", pair)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "live.cli", "--input", "demo", "--output", f"web:{self.port}", *sets],
            env={**os.environ, "LIVE_HOME": str(self._home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        self.until(lambda state: state["face"] and "swapped" in state["proof"], START_S)

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.address + "state", timeout=10) as answer:
            return json.loads(answer.read())

    def until(self, holds: Any, timeout_s: float = 15.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                if holds(self.state()):
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline_s
            assert self.process.poll() is None, "the run has ended"
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = Run(tmp_path_factory.mktemp("home"))
    yield run
    run.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def page(run: Run, browser: Chromium) -> Iterator[Chromium]:
    """The page, open and connected; at the end nothing may have gone wrong on it."""
    browser.looks(1280, 900)
    browser.open(run.address)
    browser.until("document.querySelector('#dot.on') && document.querySelectorAll('#faces button').length > 3")
    yield browser
    assert browser.wrong == []


def keep(page: Chromium, name: str) -> None:
    """Keep a picture of the page where LIVE_TEST_SHOTS names a folder."""
    folder = os.environ.get("LIVE_TEST_SHOTS")
    if folder:
        page.shot(Path(folder) / f"{name}.png")


def test_the_page_paints_within_a_second(run: Run, page: Chromium) -> None:
    page.open(run.address)
    page.until("performance.getEntriesByName('first-contentful-paint').length")
    painted_ms = page.value("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.until("document.getElementById('picture').naturalWidth === 480")
    page.until("document.getElementById('numbers').textContent.includes('fps')")
    keep(page, "desktop-light")
    assert painted_ms <= 1000


def test_a_click_on_a_face_puts_it_on(run: Run, page: Chromium) -> None:
    names = run.state()["faces"]
    page.click(f"#faces [data-face={names[2]}]")
    run.until(lambda state: state["face"] == names[2])
    page.until(f"document.querySelector('#faces [aria-pressed=true]').dataset.face === '{names[2]}'")
    page.press("n")
    run.until(lambda state: state["face"] == names[3])


def test_hide_everything_hides_and_brings_back_by_mouse_and_by_key(run: Run, page: Chromium) -> None:
    page.click("#panic")
    page.until("document.getElementById('panic').textContent === 'Show again'")
    assert run.state()["panic"]
    keep(page, "panic")
    page.click("#panic")
    page.until("document.getElementById('panic').textContent === 'Hide everything'")
    assert not run.state()["panic"]
    page.value("document.getElementById('pause').focus()")
    page.press("p")
    run.until(lambda state: state["panic"])
    page.press("p")
    run.until(lambda state: not state["panic"])


def test_a_photo_is_added_after_the_consent_question_and_put_on(run: Run, page: Chromium, tmp_path: Path) -> None:
    photo = tmp_path / "new face.png"
    Image.fromarray(read_person("ada").image[..., ::-1]).save(photo)
    page.choose_file("#file", photo)
    page.until("document.getElementById('adding').open")
    assert page.value("document.getElementById('adding-name').value") == "new face"
    page.click("#adding-yes")  # whose face it is has not been said
    assert page.value("document.getElementById('adding').open")
    page.click("#adding [value=other]")
    page.value("document.getElementById('adding-consent').focus()")
    page.write("yes")
    page.click("#adding-yes")
    page.until("document.getElementById('adding-error').textContent.includes('no statement of consent')")
    page.wrong.clear()  # the browser notes that the server said no
    page.value("document.getElementById('adding-consent').select()")
    page.write("Nobody: she is an average of many, made for this project")
    keep(page, "adding")
    page.click("#adding-yes")
    page.until("!document.getElementById('adding').open")
    page.until("document.querySelector('#faces [data-face=\"new face\"].ready')")
    page.until("document.querySelector('#faces [data-face=\"new face\"] img').naturalWidth > 0")
    page.click('#faces [data-face="new face"]')
    run.until(lambda state: state["face"] == "new face")
    keep(page, "added")


def test_nobody_is_shown_bare_without_being_asked(run: Run, page: Chromium) -> None:
    page.value("document.querySelector('#people button').dataset.test = 'only'")
    page.click("#people button")
    page.until("document.getElementById('asking').open")
    keep(page, "asking")
    page.press("Enter")  # the first choice keeps everyone hidden
    page.until("!document.getElementById('asking').open")
    assert run.state()["protect"] == "everyone"
    page.click("#people button")
    page.until("document.getElementById('asking').open")
    page.click("#asking [value=yes]")
    run.until(lambda state: state["whom"] == "locked")
    page.until("document.getElementById('warning').textContent.includes('BARE')")
    page.value(
        "(() => { const whom = document.getElementById('whom'); whom.value = 'everyone';"
        "whom.dispatchEvent(new Event('change')); })()"
    )
    run.until(lambda state: state["whom"] == "everyone")
    page.until("document.getElementById('warning').hidden")


def test_a_person_gets_a_face_of_his_own(run: Run, page: Chromium) -> None:
    page.value(
        "(() => { const choice = document.querySelector('#people select'); choice.value = 'chen';"
        "choice.dispatchEvent(new Event('change')); })()"
    )
    run.until(lambda state: state["people"] and state["people"][0]["face"] == "chen" and state["people"][0]["own"])
    page.until("document.querySelector('#boxes span').textContent.endsWith('chen')")
    page.value(
        "(() => { const choice = document.querySelector('#people select'); choice.value = 'auto';"
        "choice.dispatchEvent(new Event('change')); })()"
    )
    run.until(lambda state: state["people"] and not state["people"][0]["own"])


def test_sliders_and_switches_are_worked_by_the_keyboard(run: Run, page: Chromium) -> None:
    page.value("document.querySelector('[data-command=shape]').focus()")
    before = run.state()["shape"]
    page.press("ArrowRight")
    run.until(lambda state: state["shape"] > before)
    page.value("document.querySelector('[data-command=mirror]').focus()")
    page.press(" ")
    run.until(lambda state: state["mirror"])
    page.press(" ")
    run.until(lambda state: not state["mirror"])


def test_the_picture_as_captured_is_shown_only_when_asked_for(run: Run, page: Chromium) -> None:
    page.click("#before")
    page.until("document.getElementById('picture').src.includes('before.mjpg')")
    page.until("document.getElementById('picture').naturalWidth === 480")
    page.until("document.getElementById('warning').textContent.includes('real faces')")
    keep(page, "as-captured")
    page.click("#before")
    page.until("document.getElementById('picture').src.includes('stream.mjpg')")


def test_everything_can_be_reached_by_the_keyboard_and_has_a_name(page: Chromium) -> None:
    expected = page.value(
        "[...document.querySelectorAll('main button, main input, main select, #panic')].filter((one) =>"
        "one.checkVisibility() && !one.disabled).length"
    )
    page.value("document.body.focus()")
    reached = set()
    for _ in range(expected + 10):
        page.press("Tab")
        reached.add(
            page.value("(() => { const one = document.activeElement; one.id ||= Math.random(); return one.id; })()")
        )
    assert len(reached) >= expected
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "combobox", "slider", "checkbox")
    unnamed = [node for node in nodes if node.get("role", {}).get("value") in roles and not node["name"].get("value")]
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_and_panic_is_in_reach(page: Chromium, scheme: str) -> None:
    page.looks(390, 780, scheme, phone=True)
    page.until("innerWidth === 390")
    page.value("scrollTo(0, 0)")
    keep(page, f"phone-{scheme}")
    assert page.value("document.documentElement.scrollWidth") <= 390
    top, bottom, width = page.value(
        "(() => { const box = document.getElementById('panic').getBoundingClientRect();"
        "return [box.top, box.bottom, box.width]; })()"
    )
    assert 780 - 120 < top < bottom <= 780
    assert width > 300
    page.value("scrollTo(0, 600)")
    keep(page, f"phone-{scheme}-below")
    dark = page.value("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(18, 22, 28)") is (scheme == "dark")


def test_a_run_that_ends_and_comes_back_is_told_and_found_again(run: Run, page: Chromium) -> None:
    run.stop()
    page.until("document.getElementById('proof').textContent === 'not connected'")
    page.click("#panic")
    page.until("document.getElementById('said').textContent.includes('did not arrive')")
    keep(page, "not-connected")
    run.start()
    page.until("document.querySelector('#dot.on')")
    page.until("document.getElementById('picture').naturalWidth === 480")
    page.wrong.clear()  # the browser notes each try to connect
