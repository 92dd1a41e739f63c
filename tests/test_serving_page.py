"""The page in a real browser: Chromium without a window, driven by Playwright."""

import base64
import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_export import make_model

from captioner.exporting import export_model
from captioner.runtime import OnnxCaptioner
from captioner.serving.desk import Service
from captioner.serving.worker import Batcher
from serving_clients import picture, running

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const below = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? below(element.parentElement) : colour;
  };
  return [...document.querySelectorAll("p, h1, h2, label, button, td, th, legend, small, a")]
    .filter((element) => element.offsetParent && element.innerText && !element.disabled)
    .map((element) => {
      const pair = [light(getComputedStyle(element).color), light(below(element))];
      return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), element.outerHTML];
    });
}"""
"""Contrast of each text with what is behind it, as WCAG 2.2 defines it."""
UNNAMED = """() => [...document.querySelectorAll("button, input, textarea, canvas, img, progress")]
  .filter((e) => !(e.innerText || e.ariaLabel || e.alt || e.labels?.[0]?.innerText || e.ariaHidden))
  .map((e) => e.outerHTML)"""
DROP = """([name, base64, type]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  const event = type === "drop"
    ? new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true })
    : new ClipboardEvent(type, { clipboardData: transfer, bubbles: true });
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def address(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    make_model(folder / "model", weights, maps="early+last", kind="attention")
    (folder / "photo.jpg").write_bytes(picture(0))
    export_model(folder / "model", folder / "onnx", "float32", [folder / "photo.jpg"])
    captioner = OnnxCaptioner.from_folder(folder / "onnx")
    with running(Service(Batcher(captioner), "small", allow_links=True)) as client:
        yield f"http://localhost:{client.port}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page; in the end nothing has failed, and nothing came from anywhere else."""
    contexts, problems = [], []

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: problems.append(request.url)
                if not request.url.startswith((address, f"blob:{address}")) else None)  # fmt: skip
        page.on("console", lambda said: problems.append(said.text)
                if said.type == "error" and "status of 4" not in said.text else None)  # fmt: skip
        page.goto(address)
        page.get_by_text("Model: small.").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def give(page: Any, *names: str) -> None:
    """Photos of different kinds, or of no kind, by their names."""
    kinds = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
    page.set_input_files("#files", [
        {"name": name, "mimeType": "image/jpeg",
         "buffer": picture(number, kinds[Path(name).suffix], (120, 80))
         if Path(name).suffix in kinds else b"no photo"}
        for number, name in enumerate(names)
    ])  # fmt: skip


def captioned(page: Any, status: str) -> Any:
    """The cards, once all is done."""
    page.locator("#status").get_by_text(status).wait_for()
    return page.locator(".card")


def saved(page: Any, name: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_words_tell_where_the_model_looked(open_page: Any) -> None:
    page = open_page()
    give(page, "sea.jpg", "broken.txt")
    cards = captioned(page, "1 photo captioned, 1 could not be captioned.")
    assert "not a picture that can be read" in cards.nth(1).inner_text()
    card = cards.nth(0)
    words = card.locator(".word")
    said = [word.inner_text() for word in words.all()][:-1]  # the last is the end
    assert card.locator("textarea").input_value() == " ".join(said)
    heat = card.locator("canvas")
    assert not heat.is_visible()
    pictures = []
    for number in (0, 1):
        words.nth(number).hover()
        assert heat.is_visible()
        pictures.append(heat.evaluate("canvas => canvas.toDataURL()"))
        table = card.locator(".word-info").inner_text()
        assert f"“{said[number]}” had a chance of" in table
        assert card.locator(".word-info tr").count() == 6
    assert pictures[0] != pictures[1]
    box, photo = heat.bounding_box(), card.locator("img").bounding_box()
    assert box == photo
    page.mouse.move(0, 0)
    assert not heat.is_visible()
    words.nth(1).click()  # stays when the mouse goes away
    page.mouse.move(0, 0)
    assert heat.is_visible()
    assert words.nth(1).get_attribute("aria-pressed") == "true"


def test_captions_are_corrected_and_saved(open_page: Any) -> None:
    page = open_page()
    give(page, "sea.jpg", "sea.jpg", 'say "it", please.png', "film.webp")
    cards = captioned(page, "4 photos captioned.")
    own = "The sea, at last <b>&"
    cards.nth(0).locator("textarea").fill(own)
    assert cards.nth(0).get_by_role("button", name="Undo my changes").is_visible()
    name, data = saved(page, "Save as JSON")
    records = json.loads(data)
    assert name == "captions.json"
    assert [r["image"] for r in records] == [
        "sea.jpg",
        "sea.jpg",
        'say "it", please.png',
        "film.webp",
    ]
    assert [r["edited"] for r in records] == [True, False, False, False]
    assert records[0]["caption"] == own
    assert records[1]["caption"] == records[1]["captions"][0]["caption"]
    name, data = saved(page, "Save as CSV")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert name == "captions.csv"
    assert [row["caption"] for row in rows] == [r["caption"] for r in records]
    assert rows[2]["image"] == 'say "it", please.png'
    assert [bool(row["log_prob"]) for row in rows] == [False, True, True, True]
    name, data = saved(page, "Save photos with captions")
    assert name == "captioned.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["sea.jpg", "sea (2).jpg", 'say "it", please.png']
        for file, record in zip(archive.namelist(), records, strict=False):
            image = Image.open(io.BytesIO(archive.read(file)))
            image.load()
            described = image.text["Description"] if "png" in file else image.getexif()[0x010E]
            assert described == record["caption"]
    assert "3 saved; 1 left out" in page.locator("#status").inner_text()
    with page.expect_download() as download:
        cards.nth(0).get_by_role("button", name="Save photo with caption").click()
    assert download.value.suggested_filename == "sea.jpg"
    with Image.open(download.value.path()) as image:
        assert image.getexif()[0x010E] == own
    cards.nth(0).get_by_role("button", name="Undo my changes").click()
    assert cards.nth(0).locator("textarea").input_value() == records[0]["captions"][0]["caption"]


def test_beams_and_lots(open_page: Any) -> None:
    page = open_page()
    page.locator("summary").click()
    page.get_by_label("Captions per photo").fill("3")
    page.get_by_label("Number of beams").fill("4")
    give(page, "sea.jpg")
    card = captioned(page, "1 photo captioned.").nth(0)
    found = card.get_by_role("radio")
    assert found.count() == 3
    first = card.locator("textarea").input_value()
    found.nth(2).check()
    other = card.locator("textarea").input_value()
    assert other != first
    assert card.locator(".word").nth(0).inner_text() == other.split()[0]
    page.get_by_label("By lot").check()
    assert not page.get_by_label("Number of beams").is_visible()
    page.get_by_label("Temperature").fill("3")
    page.evaluate("""() => {
      const append = FormData.prototype.append;
      window.sent = {};
      FormData.prototype.append = function (name, value) {
        window.sent[name] = String(value);
        append.call(this, name, value);
      };
    }""")
    page.get_by_role("button", name="Caption all again").click()
    page.wait_for_function("text => document.querySelector('textarea').value !== text", arg=other)
    captioned(page, "1 photo captioned.")
    sent = page.evaluate("window.sent")
    assert (sent["sample"], sent["temperature"], sent["num_captions"]) == ("true", "3", "3")
    assert "beam_size" not in sent
    assert card.locator("textarea").input_value() not in (first, other)


def test_many_photos_with_a_bar(open_page: Any) -> None:
    page = open_page()
    page.evaluate("""() => {
      window.told = [];
      new MutationObserver(() => window.told.push(document.getElementById("status").textContent))
        .observe(document.getElementById("status"), { childList: true });
    }""")
    give(page, *(f"{number}.jpg" for number in range(24)))
    cards = captioned(page, "24 photos captioned.")
    told = page.evaluate("window.told")
    assert "12 of 24 photos …" in told
    kept = page.evaluate("[...document.querySelectorAll('textarea')].map((text) => text.value)")
    assert len({*kept}) > 5
    assert not page.locator("#progress").is_visible()
    cards.nth(0).get_by_role("button", name="Remove").click()
    assert cards.count() == 23
    assert page.evaluate("document.activeElement.textContent") == "1.jpg"
    page.get_by_role("button", name="Remove all").click()
    assert cards.count() == 0
    assert not page.locator("#done").is_visible()


def test_photos_are_dropped_and_pasted(open_page: Any) -> None:
    page = open_page()
    data = base64.b64encode(picture(3, "PNG")).decode()
    page.evaluate(DROP, ["dropped.png", data, "drop"])
    page.evaluate(DROP, ["pasted.png", data, "paste"])
    cards = captioned(page, "2 photos captioned.")
    assert [card.locator("h2").inner_text() for card in cards.all()] == [
        "dropped.png",
        "pasted.png",
    ]


def test_links_into_the_network_are_not_followed(open_page: Any, address: str) -> None:
    page = open_page()
    page.get_by_label("Link to a photo").fill(f"{address}static/icon.svg")
    with page.expect_response("**/link") as answered:
        page.get_by_role("button", name="Add").click()
    assert answered.value.status == 422
    page.locator("#status").get_by_text("private networks are not followed").wait_for()


def test_names_and_captions_are_never_markup(open_page: Any) -> None:
    page = open_page()
    name = "<img src=x onerror=alert(1)>\"'.jpg"
    give(page, name)
    card = captioned(page, "1 photo captioned.").nth(0)
    assert card.locator("h2").inner_text() == name
    card.locator("textarea").fill("<script>alert(2)</script>")
    saved(page, "Save as JSON")
    assert page.locator("img").count() == 1
    assert page.locator("main script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_every_width_and_both_schemes(open_page: Any, width: int, scheme: str) -> None:
    phone = {"has_touch": True, "is_mobile": True} if width == 360 else {}
    page = open_page(viewport={"width": width, "height": 700}, color_scheme=scheme, **phone)
    page.locator("summary").click()
    page.get_by_label("Captions per photo").fill("2")
    give(page, f"{'a-very-long-name' * 8}.jpg", "broken.txt")
    card = captioned(page, "1 photo captioned, 1 could not").nth(0)
    word = card.locator(".word").nth(0)
    word.tap() if phone else word.click()
    assert card.locator("canvas").is_visible()
    card.locator("textarea").fill("word" * 60)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(UNNAMED) == []
    measured = page.evaluate(CONTRAST)
    assert len(measured) > 20
    assert min(measured)[0] >= 4.5, min(measured)
    card.get_by_role("button", name="Undo my changes").click()  # or else it asks before it leaves
    page.goto(page.url + "docs")
    page.get_by_text("POST /caption", exact=True).wait_for()
    assert page.get_by_text("num_captions", exact=True).first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_is_turned(open_page: Any) -> None:
    page = open_page(viewport={"width": 740, "height": 360}, has_touch=True, is_mobile=True)
    give(page, *(f"{number}.jpg" for number in range(12)))
    for card in captioned(page, "12 photos captioned").all():
        card.scroll_into_view_if_needed()
        page.wait_for_timeout(50)  # long enough to be drawn
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(200)
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_a_mouse(open_page: Any) -> None:
    page = open_page()
    keys = page.keyboard
    active = "document.activeElement.ariaLabel ?? document.activeElement.id"
    keys.press("Tab")
    assert page.evaluate(active) == "files"
    outline = "getComputedStyle(document.activeElement.closest('label')).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.expect_file_chooser() as chooser:
        keys.press("Space")
    chooser.value.set_files([{"name": "sea.jpg", "mimeType": "image/jpeg", "buffer": picture(0)}])
    card = captioned(page, "1 photo captioned.").nth(0)
    assert page.get_by_role("status").inner_text() == "1 photo captioned."
    words = [word.inner_text() for word in card.locator(".word").all()]
    for _ in range(20):
        keys.press("Tab")
        if page.evaluate("document.activeElement.className").startswith("word"):
            break
    assert page.evaluate(active).startswith(f"{words[0]}, ")
    assert "; others: " in page.evaluate(active)
    keys.press("ArrowRight")
    assert page.evaluate(active).startswith(f"{words[1]}, ")
    assert card.locator("canvas").is_visible()
    keys.press("End")
    assert page.evaluate(active).startswith("(the end), ")
    keys.press("Escape")
    assert not card.locator("canvas").is_visible()
    keys.press("Home")
    keys.press("Space")
    assert card.locator(".word").nth(0).get_attribute("aria-pressed") == "true"
    keys.press("Tab")  # one stop for all words
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    keys.type("!")
    with page.expect_download() as download:
        for _ in range(10):
            keys.press("Shift+Tab")
            if page.evaluate(active) == "save-json":
                break
        keys.press("Enter")
    assert json.loads(Path(download.value.path()).read_text())[0]["edited"] is True
