"""The pages in a browser: whole, silent, without a network, within the window, for the keyboard.

What is there to test is taken from each page itself, so that it holds for new sections too.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import adapted_model
import films
import made_up_finetuned
import pytest
from faults.browser import EXECUTABLE, Browser
from made_up_results import HOSTILE, made_up, write

from pipeline import engine, prediction_page
from pipeline.predictor import Prediction, Predictor
from pipeline.stages import finetune_report, report

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium here")
LARGEST = 10_000_000  # bytes of a page about 1,000 videos
REPORTS = {
    "plain": made_up(["run", "wave"]),
    "unlabelled": made_up(["run", "wave"], labelled=False),
    "no steps": made_up(["run", "wave"], epochs=1),
    "hostile": made_up(HOSTILE),
    "1,000 videos": made_up([f"class {k}" for k in range(12)], videos=1000, seeds=5, epochs=30),
}
PREDICTIONS = ("predictions", "1,000 predictions")
FINETUNED = ("fine-tuned", "fine-tuned without labels")
FOCUS = """(() => {
    const one = document.activeElement, all = [...document.querySelectorAll("*")];
    if (one === document.body) return null;
    const seen = one.getBoundingClientRect(), style = getComputedStyle(one);
    return [all.indexOf(one), one.tagName, one.getAttribute("href"),
            seen.bottom > 0 && seen.top < innerHeight && style.outlineStyle !== "none"];
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages by name."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, results in REPORTS.items():
            folder = tmp_path_factory.mktemp("report")
            write(results, folder)
            patch.chdir(folder)
            report.main()
            made[name] = folder / "results/report.html"
        for name in FINETUNED:
            folder = tmp_path_factory.mktemp("finetuned")
            made_up_finetuned.write(folder, HOSTILE, labelled=name == FINETUNED[0])
            patch.chdir(folder)
            finetune_report.main()
            made[name] = folder / "results/finetune.html"
        folder = tmp_path_factory.mktemp("predictions")
        patch.chdir(folder)
        adapted_model.write()
        predictor = Predictor.load()
        for name, count in zip(PREDICTIONS, (3, 1000), strict=True):
            made[name] = _predictions(folder / f"{count}.html", count, predictor)
    return made


def _predictions(page: Path, count: int, predictor: Predictor) -> Path:
    film = films.write(Path(f"{HOSTILE[1].replace('/', '')} {'x' * 150}.mp4"), 3)
    told = [
        Prediction(film, adapted_model.CLASSES, (k / count, 0.1, 0.1), 1.0) for k in range(count)
    ]
    failures = [engine.Failure(Path(f"{HOSTILE[0]} {'y' * 150}"), "<b>no video</b>")]
    prediction_page.write(page, told, failures, predictor, 5)
    return page


@pytest.mark.parametrize("name", [*REPORTS, *PREDICTIONS, *FINETUNED])
def test_it_is_silent_and_asks_for_nothing(
    name: str, pages: dict[str, Path], browser: Browser
) -> None:
    browser.open(pages[name])
    assert browser.complaints == []
    outside = [url for url in browser.requests if not url.startswith("data:")]
    assert outside == [pages[name].as_uri()]
    assert pages[name].stat().st_size < LARGEST


def test_the_browser_would_tell(tmp_path: Path, browser: Browser) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/a.png"><script>console.log("seen")</script>')
    browser.open(page)
    assert {event["method"] for event in browser.complaints} >= {"Runtime.consoleAPICalled"}
    assert "http://127.0.0.1:9/a.png" in browser.requests


@pytest.mark.parametrize("name", [*REPORTS, *PREDICTIONS, *FINETUNED])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_stays_within_the_window(
    width: int, name: str, pages: dict[str, Path], browser: Browser
) -> None:
    browser.open(pages[name], width)
    assert browser.ask("document.documentElement.scrollWidth") == width
    beyond = f"""[...document.querySelectorAll("body *")].filter(one =>
        one.getBoundingClientRect().right > {width} && !one.closest(".scroll, svg")
    ).map(one => one.outerHTML.slice(0, 200))"""
    assert browser.ask(beyond) == []


@pytest.mark.parametrize("name", [*REPORTS, *FINETUNED])
def test_the_navigation_names_every_section(
    name: str, pages: dict[str, Path], browser: Browser
) -> None:
    browser.open(pages[name])
    linked = browser.ask('[...document.querySelectorAll("nav a")].map(a => a.hash.slice(1))')
    there = browser.ask('[...document.querySelectorAll("section[id]")].map(one => one.id)')
    assert linked == there
    assert len(linked) > 2
    empty = """[...document.querySelectorAll("section[id]")].filter(one =>
        one.offsetHeight < 40 || !one.querySelector("h2")?.textContent.trim()).map(one => one.id)"""
    assert browser.ask(empty) == []


@pytest.mark.parametrize("name", ["hostile", "predictions", "fine-tuned"])
def test_hostile_names_stay_text(name: str, pages: dict[str, Path], browser: Browser) -> None:
    browser.open(pages[name])
    names = HOSTILE if name != "predictions" else [adapted_model.CLASSES[1], "<b>no video</b>"]
    for hostile in names:
        assert browser.ask(f"document.body.textContent.includes({json.dumps(hostile)})")
    assert browser.ask('document.querySelectorAll("script, iframe, object, body b").length') == 0
    acting = '[...document.querySelectorAll("*")].flatMap(one => one.getAttributeNames())'
    assert not [name for name in browser.ask(acting) if name.startswith("on")]


@pytest.mark.parametrize("name", [*REPORTS, *PREDICTIONS, *FINETUNED])
def test_pictures_say_what_they_show(name: str, pages: dict[str, Path], browser: Browser) -> None:
    browser.open(pages[name])
    silent = """[...document.querySelectorAll("svg")].filter(one =>
        one.getAttribute("role") !== "img" || !one.getAttribute("aria-label")?.trim()).length
        + [...document.images].filter(one => !one.alt.trim()).length"""
    assert browser.ask(silent) == 0
    assert browser.ask('document.querySelectorAll("svg, img").length') > 0
    broken = "[...document.images].filter(one => one.complete && !one.naturalWidth).length"
    assert browser.ask(broken) == 0


@pytest.mark.parametrize("name", ["plain", "unlabelled"])
def test_the_keyboard_reaches_all_of_it_in_order(
    name: str, pages: dict[str, Path], browser: Browser
) -> None:
    browser.open(pages[name])
    reachable = browser.ask('document.querySelectorAll("a[href], summary, [tabindex]").length')
    reached = []
    for _ in range(reachable):
        browser.press("Tab", 9)
        reached.append(browser.ask(FOCUS))
    assert None not in reached
    places = [place for place, *_ in reached]
    assert places == sorted(set(places))
    assert all(shown for *_, shown in reached), "focus that is not seen"
    links = browser.ask('document.querySelectorAll("nav a").length')
    assert [tag for _, tag, *_ in reached[:links]] == ["A"] * links, "the sections come first"


def test_enter_leads_to_a_section(pages: dict[str, Path], browser: Browser) -> None:
    browser.open(pages["plain"])
    for _ in range(4):
        browser.press("Tab", 9)
    *_, link, _ = browser.ask(FOCUS)
    browser.press("Enter", 13)
    assert browser.ask("location.hash") == link
    assert browser.ask(f"Math.abs(document.querySelector('{link}').getBoundingClientRect().y) < 40")
