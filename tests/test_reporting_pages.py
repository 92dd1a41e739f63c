"""The pages of a report in a real browser, opened from disk: what a person does there works."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_reports import ODD, make_photos, make_run

from captioner.reporting import Inside, write_report
from captioner.vocabulary import words_of

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHOTOS = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("no Chromium at hand; install one, or name it by CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Inside]:
    photos = make_photos(tmp_path_factory.mktemp("photos"), PHOTOS)
    return [make_run("first <b>", photos), make_run("second", photos, side=None, seed=1)]


@pytest.fixture(scope="module")
def report(runs: list[Inside], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "report"
    names = [str(photo.image_id) for photo in runs[0].evaluation.photos]
    assert write_report(folder, runs, names) == []
    return folder


@pytest.fixture(scope="module")
def alone(runs: list[Inside], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on one model without places and without photos."""
    folder = tmp_path_factory.mktemp("reports") / "alone"
    names = [str(photo.image_id) for photo in runs[1].evaluation.photos]
    write_report(folder, runs[1:], names, photos=False)
    return folder


@pytest.fixture(scope="module")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a model that sees the middle square of a photo alone."""
    photos = make_photos(tmp_path_factory.mktemp("cropped"), 6)
    folder = tmp_path_factory.mktemp("reports") / "cropped"
    write_report(folder, [make_run("middle", photos, fit="crop")], ["photo"] * 6)
    return folder


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """Opens a page; whatever the browser finds wrong with it fails the test."""
    wrong: list[str] = []
    contexts = []

    def open_page(folder: Path, address: str = "", wide: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": wide, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        # What Chromium says of the canvas is about how these tests read it.
        page.on("console", lambda said: "Canvas2D: " in said.text or wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:")) else wrong.append(request.url)
            ),
        )
        page.goto(f"{(folder / 'index.html').as_uri()}{address}")
        page.wait_for_selector("h1")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def listed(page: Any) -> list[int]:
    """Numbers of the photos that are shown."""
    links = page.eval_on_selector_all(".photos > li > a", "all => all.map(a => a.hash)")
    return [int(link.partition("=")[2]) for link in links]


def choose(page: Any, name: str, value: object) -> None:
    page.fill(f"[name={name}]", str(value))


def dark_pixels(page: Any) -> float:
    """Mean level of the heat map; 0 where there is none."""
    return page.evaluate(
        """() => { const c = document.querySelector(".heat");
             if (c.hidden) return 0;
             const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
             return d.reduce((a, b) => a + b, 0) / d.length; }"""
    )


def test_the_overview_has_scores_curves_and_charts(visit, report: Path, runs) -> None:
    page = visit(report)
    assert page.title() == "first <b> and second: scores"
    row = page.locator("table").first.locator("tbody tr").last.inner_text().split("\t")
    record = runs[0].evaluation.record
    assert row[:2] == ["CIDEr-D", f"{100 * record['metrics']['cider_d']:.1f}"]
    assert row[2] == " to ".join(f"{100 * end:.1f}" for end in record["intervals"]["cider_d"])
    charts = page.locator("figcaption").all_inner_texts()
    assert charts == [
        "training loss (nats per caption)", "validation CIDEr-D",
        "Score of each photo", "Length of captions", "Confidence",
    ]  # fmt: skip
    assert page.locator("svg circle").count() == 2 * 2 * 3
    page.locator("section", has_text="Words").locator("a", has_text="dog").first.click()
    page.wait_for_selector(".photos")
    said = page.locator(".photos .told.first strong").all_text_contents()
    assert page.input_value("[name=text]") == '"dog"'
    assert said
    assert [text for text in said if not re.search(r"\bdog\b", text)] == []


def test_captions_are_text_and_nothing_else(visit, report: Path) -> None:
    page = visit(report, "#photos?sort=file")
    said = page.locator(".photos .told.first strong").all_text_contents()
    assert said[: len(ODD)] == [*ODD[:3], "(nothing)"]
    assert page.title() == "Photos: first <b> and second"
    page.click(".photos a >> nth=0")
    page.wait_for_selector(".word")
    assert page.locator("h1").inner_text() == "a<b>&'c'.jpg"
    assert page.locator("main img").count() == 1


def test_sorting_and_filtering(visit, report: Path, runs) -> None:
    scores = [round(100 * s, 1) for s in runs[0].evaluation.each["cider_d"].tolist()]
    others = [round(100 * s, 1) for s in runs[1].evaluation.each["cider_d"].tolist()]
    sure = [100 * found[0].confidence for found in runs[0].evaluation.found]
    captions = [found[0].caption for found in runs[0].evaluation.found]
    page = visit(report)
    orders = {
        "Worst": lambda i: (scores[i], i),
        "Best": lambda i: (-scores[i], i),
        "Most changed": lambda i: (-round(abs(scores[i] - others[i]), 6), i),
        "All photos": lambda i: i,
    }
    for text, key in orders.items():
        page.click(f"nav >> text={text}")
        page.wait_for_selector(f"nav a[aria-current]:has-text('{text}')")
        assert listed(page) == sorted(range(PHOTOS), key=key)[:24], text
    page.select_option("[name=sort]", "unsure")
    assert listed(page) == sorted(range(PHOTOS), key=lambda i: round(sure[i], 1))[:24]
    page.select_option("[name=sort]", "loss")
    loss = sorted(range(PHOTOS), key=lambda i: (round(scores[i] - others[i], 6), i))
    assert listed(page) == loss[:24]
    page.select_option("[name=run]", label="second")
    page.select_option("[name=sort]", "worst")
    assert listed(page) == sorted(range(PHOTOS), key=lambda i: (others[i], i))[:24]

    page.click("text=Clear")
    page.wait_for_function("document.querySelector('[name=sort]').value === 'file'")
    choose(page, "scoreFrom", 20)
    choose(page, "scoreTo", 300)
    choose(page, "wordsFrom", 8)
    choose(page, "sureTo", 70)
    fit = [
        i for i in range(PHOTOS)
        if 20 <= scores[i] <= 300 and len(captions[i].split()) >= 8 and round(sure[i], 1) <= 70
    ]  # fmt: skip
    assert fit
    assert listed(page) == fit[:24]
    assert page.locator("[role=status]").inner_text().startswith(f"{len(fit)} of {PHOTOS} photos")
    page.reload()  # the address says it all
    page.wait_for_selector(".photos li")
    assert listed(page) == fit[:24]


def test_looking_for_words(visit, report: Path, runs) -> None:
    page = visit(report, "#photos?")
    said = [found[0].caption for found in runs[0].evaluation.found]
    people = [photo.captions for photo in runs[0].evaluation.photos]
    page.select_option("[name=where]", "model")
    for text, fits in {
        "bicyc": lambda words: "bicyc" in " ".join(words),
        '"man"': lambda words: "man" in words,
        '"two mans" grass': lambda words: "two mans" in " ".join(words) and "grass" in words,
        "zebra": lambda words: False,
    }.items():
        choose(page, "text", text)
        fit = [i for i, caption in enumerate(said) if fits(words_of(caption))]
        assert listed(page) == fit[:24], text
    assert page.locator("[role=status]").inner_text() == "No photo fits."
    page.select_option("[name=where]", "people")
    choose(page, "text", '"two dogs"')
    fit = [i for i, of in enumerate(people) if any("two dogs" in text for text in of)]
    assert listed(page) == fit[:24]
    choose(page, "text", "كلب")
    assert listed(page) == [2]


def test_pages_of_the_list_and_the_way_back(visit, report: Path) -> None:
    page = visit(report, "#photos?sort=best")
    first = listed(page)
    page.locator(".turns button", has_text="Next").first.click()
    second = listed(page)
    assert len(first) == len(second) == 24
    assert not set(first) & set(second)
    page.locator(".turns button", has_text="Last").first.click()
    assert len(listed(page)) == PHOTOS - 48
    page.go_back()
    page.wait_for_function("document.querySelector('.status').textContent.includes('25 to 48')")
    page.click(".photos a >> nth=1")
    page.wait_for_selector(".word")
    assert page.locator(".steps span").last.inner_text() == f"26 of {PHOTOS}"
    page.click(".steps >> text=Next")
    page.wait_for_function("document.querySelector('.steps').textContent.includes('27 of')")
    assert page.url.endswith(f"number={second[2]}")
    page.keyboard.press("Escape")
    page.wait_for_selector(".photos")
    assert listed(page) == second


def test_attention_shows_where_the_pointer_is(visit, report: Path, runs) -> None:
    page = visit(report, "#photo?number=7")
    page.wait_for_selector(".word")
    words = runs[0].words[7]
    buttons = page.locator(".run.first .word")
    assert buttons.count() == len(words)
    assert dark_pixels(page) == 0
    seen = []
    for number in (0, 2):
        buttons.nth(number).hover()
        assert dark_pixels(page) > 0
        lightest = page.evaluate(
            """() => { const c = document.querySelector(".heat");
                 const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
                 let best = 0; for (let i = 0; i < d.length; i += 4)
                   if (d[i] + d[i + 1] > d[best] + d[best + 1]) best = i;
                 return best / 4; }"""
        )
        assert lightest == int(words[number].attention.argmax())
        panel = page.locator(".run.first .panel")
        seen.append(panel.locator("li").all_inner_texts())
        told = [text.split("\n")[0] for text in seen[-1]]
        assert told == [word or "(end)" for word, _ in words[number].likeliest]
    assert seen[0] != seen[1]
    page.mouse.move(1, 1)
    assert dark_pixels(page) == 0
    buttons.nth(1).click()
    page.mouse.move(1, 1)
    assert dark_pixels(page) > 0  # it stays
    assert page.locator(".run.second .word").count() == len(runs[1].words[7])
    page.locator(".run.second .word").first.hover()
    assert page.locator(".run.second .panel .where").count() == 0


def test_the_heat_map_lies_on_what_was_seen(visit, report: Path, cropped: Path) -> None:
    for folder, share in ((report, 1.0), (cropped, 32 / 48)):
        page = visit(folder, "#photo?number=5")
        page.wait_for_selector(".word")
        page.locator(".word").first.hover()
        photo, heat = (page.locator(name).bounding_box() for name in (".photo img", ".heat"))
        assert heat["width"] == pytest.approx(share * photo["width"], abs=1)
        assert heat["height"] == pytest.approx(photo["height"], abs=1)
        middle = [box["x"] + box["width"] / 2 for box in (photo, heat)]
        assert middle[0] == pytest.approx(middle[1], abs=1)


def test_the_beam_stands_as_a_tree(visit, report: Path, runs) -> None:
    page = visit(report, "#photo?number=9")
    page.wait_for_selector(".tree")
    beam = runs[0].evaluation.found[9]
    tree = page.locator(".run.first .tree")
    ends = tree.locator(".end").all_inner_texts()
    assert sorted(ends) == [
        f"{i + 1}. −{i + 1}.00, {round(100 * c.confidence)} %" for i, c in enumerate(beam)
    ]
    said = " ".join(tree.locator(".chosen .phrase").all_inner_texts())
    assert said.removesuffix(" (end)") == beam[0].caption


def test_all_of_it_by_keyboard(visit, report: Path, runs) -> None:
    page = visit(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(page.url.partition("#")[0] + "#photos?sort=best")
    page.wait_for_selector(".photos")
    page.locator(".photos a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".word")
    number = int(page.url.partition("number=")[2])
    assert page.evaluate("document.activeElement.tagName") == "H1"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className").startswith("word"):
            break
    words = [word.word or "(end)" for word in runs[0].words[number]]

    def focused() -> str:
        return page.evaluate("document.activeElement.firstChild.textContent")

    assert focused() == words[0]
    assert dark_pixels(page) > 0
    assert page.locator(".panel").first.get_attribute("aria-live") == "polite"
    for key, place in (("ArrowRight", 1), ("End", -1), ("ArrowRight", -1), ("ArrowLeft", -2),
                       ("Home", 0)):  # fmt: skip
        page.keyboard.press(key)
        assert focused() == words[place]
        assert page.locator(".panel strong").first.inner_text() == words[place]
    assert page.locator(".run.first .word[tabindex='0']").count() == 1
    page.keyboard.press("Tab")  # one stop for the whole caption
    assert "word" not in page.evaluate("document.activeElement.className").split()


def test_every_control_has_a_name_and_every_photo_a_description(visit, report: Path) -> None:
    for address in ("", "#photos?", "#photo?number=5"):
        page = visit(report, address)
        nameless = page.eval_on_selector_all(
            "a, button, input, select, summary, [role=region], nav, svg[role=img]",
            """all => all.filter(e => !(e.getAttribute("aria-label") || e.textContent.trim()
                 || e.closest("label")?.textContent.trim())).map(e => e.outerHTML)""",
        )
        assert nameless == []
        assert page.locator("h1").count() == 1
    page.wait_for_selector(".photo img")
    assert page.locator(".photo img").get_attribute("alt").startswith("Photo: ")


def test_a_telephone_needs_no_scrolling_sideways(visit, report: Path) -> None:
    page = visit(report, wide=390, has_touch=True)
    for address in ("#overview", "#photos?sort=worst", "#photo?number=8"):
        page.goto(page.url.partition("#")[0] + address)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
    page.wait_for_selector(".word")
    page.locator(".word").nth(1).tap()
    page.wait_for_selector(".word:nth-child(2)[aria-pressed=true]")
    assert dark_pixels(page) > 0


def test_dark_and_light(visit, report: Path) -> None:
    grounds = {
        scheme: visit(report, color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 20, 26)"}


def test_one_model_without_places_and_without_photos(visit, alone: Path) -> None:
    page = visit(alone, "#photos?")
    assert len(listed(page)) == 24
    assert page.locator(".photos img").count() == 0
    page.click(".photos a >> nth=4")
    page.wait_for_selector(".word")
    assert "does not look at places" in page.locator(".panel").inner_text()
    page.locator(".word").first.hover()
    assert page.locator(".panel li").count() == 5
    assert dark_pixels(page) == 0
    assert not page.locator("nav a", has_text="Most changed").count()


def repeated(run: Inside, times: int) -> Inside:
    """The same with each photo so many times."""
    told = run.evaluation
    each = {name: np.concatenate([values] * times) for name, values in told.each.items()}
    many = replace(told, photos=[*told.photos] * times, found=told.found * times, each=each)
    return replace(run, evaluation=many, words=run.words * times)


@pytest.mark.slow
def test_it_stays_quick_with_five_thousand_photos(visit, runs, tmp_path: Path) -> None:
    """Script and layout of each act; the best of several, for the machine may be busy."""
    many = [repeated(run, 84) for run in runs]
    count = len(many[0].evaluation.photos)
    assert count > 5000
    write_report(tmp_path / "report", many, [f"{n}.jpg" for n in range(count)], photos=False)
    paints = []
    for _ in range(3):
        page = visit(tmp_path / "report")
        paints.append(
            page.evaluate(
                """() => new Promise(done => { const look = () => { const [paint] =
                     performance.getEntriesByName("first-contentful-paint");
                     paint ? done(paint.startTime) : setTimeout(look, 20); }; look(); })"""
            )
        )
    assert min(paints) < 1000
    page = visit(tmp_path / "report", "#photos?")

    def milliseconds(name: str, value: str) -> float:
        return page.evaluate(
            """([name, value]) => { const input = document.querySelector(`[name=${name}]`);
                 const began = performance.now();
                 input.value = value;
                 input.dispatchEvent(new Event(input.tagName === "SELECT" ? "change" : "input"));
                 document.body.offsetHeight;
                 return performance.now() - began; }""",
            [name, value],
        )

    for name, values in {
        "sort": ("best", "worst", "random", "changed", "long"),
        "text": ("dog", '"two dogs"', "man gr", "zebra", ""),
        "scoreFrom": ("1", "10", "50", "0"),
    }.items():
        assert min(milliseconds(name, value) for value in values) < 100, name
