"""report.html as people meet it: in Chromium, on a phone and a desk, by day, by night and on paper."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.evaluations import PREPROCESSING, binary, whole

import evaluation  # isort: skip
import report  # isort: skip
import slices  # isort: skip
from predictions import Answers  # isort: skip

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="Chromium or its driver is not installed (Debian: apt-get install chromium chromium-driver)",
)
WIDTHS = {"phone": 360, "tablet": 820, "desk": 1440}
HOSTILE = "</script><img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
SETTINGS = {"max_candidates": 10, "model_approval_status": "PendingManualApproval"}
# Of text on what is behind it: https://www.w3.org/TR/WCAG22/#contrast-minimum
CONTRAST = """
const channel = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => { return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
const parts = (css) => css.match(/[\\d.]+/g).map(Number);
const behind = (node) => {
  const layers = [];
  for (; node; node = node.parentElement) layers.unshift(parts(getComputedStyle(node).backgroundColor));
  return layers.reduce((below, [r, g, b, alpha = 1]) => [r, g, b].map((value, index) => alpha * value + (1 - alpha) * below[index]), [255, 255, 255]);
};
return [...document.querySelectorAll("h1, h2, p, th, td, dt, dd, small, summary, li, strong, code, label")]
  .filter((node) => node.textContent.trim() && node.checkVisibility())
  .map((node) => { const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))]; return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.outerHTML.slice(0, 80)]; })
  .filter(([ratio]) => ratio < 4.5);
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


def document_of(kind: str) -> dict[str, Any]:
    generator = numpy.random.default_rng(0)
    if kind == "binary":
        return binary()
    if kind == "regression":
        truth = generator.normal(100, 20, 1000)
        predicted = truth + generator.normal(0, 5, 1000)
        predicted[3] = 1e7
        by = slices.of({"name": HOSTILE, "kind": "categorical", "categories": [HOSTILE, "b"]}, numpy.arange(1000) % 3)
        evaluated = evaluation.of_numbers(truth, predicted, champion=truth + 9, slices=[by])
        serving = {"version": 4, "model_name": "m", "endpoint_name": "e"}
        return whole(evaluated, [], 1000, champion=serving)
    labels = [f"{HOSTILE} number {number}" for number in range(8)]
    truth = generator.integers(0, 8, 400)
    probabilities = generator.dirichlet(numpy.ones(8), 400)
    probabilities[numpy.arange(400), truth] += 0.4
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    answers = Answers(probabilities.argmax(axis=1), probabilities.max(axis=1), probabilities)
    return whole(evaluation.of_classes(truth, answers, labels, 7), labels, 400)


def page(kind: str) -> str:
    return report.render(
        document_of(kind),
        target=HOSTILE if kind == "multiclass" else "churn",
        preprocessing=PREPROCESSING,
        settings=SETTINGS,
        stack="automl-pipeline",
        region="us-west-2",
    )


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / f"{request.param}.html"
    place.write_text(page(request.param), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def binary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "binary.html"
    place.write_text(page("binary"), encoding="utf-8")
    return place


def see(browser: Any, file: Path, width: int = 1440, scheme: str = "light", media: str = "") -> None:
    """Open the page on a screen of a width, in CSS pixels."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(file.as_uri())


def complaints(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def requests(browser: Any) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_page_fits_draws_every_chart_and_asks_for_nothing(browser: Any, file: Path, width: int) -> None:
    see(browser, file, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    charts = browser.execute_script(
        "return [...document.querySelectorAll('[data-chart]')].map((place) => {"
        " const canvas = place.querySelector('canvas');"
        " const inked = canvas && new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size;"
        " return [place.dataset.chart, inked, place.scrollWidth - place.clientWidth]; })"
    )
    assert len(charts) >= 2
    assert all(inked > 20 and beyond <= 0 for _, inked, beyond in charts), charts
    assert complaints(browser) == []
    assert requests(browser) == [file.as_uri()]
    assert browser.execute_script("return window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_by_day_and_by_night(browser: Any, file: Path, scheme: str) -> None:
    see(browser, file, scheme=scheme)
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert browser.execute_script(CONTRAST) == []


def test_charts_follow_when_the_night_comes(browser: Any, binary_file: Path) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    pixels = "return document.querySelector('[data-chart=roc] canvas').toDataURL()"
    see(browser, binary_file, scheme="light")
    by_day = browser.execute_script(pixels)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    # The page hears of it with the next frame.
    WebDriverWait(browser, 30).until(lambda _: browser.execute_script(pixels) != by_day)
    by_night = browser.execute_script(pixels)
    see(browser, binary_file, scheme="dark")
    assert by_night == browser.execute_script(pixels)


def test_slider_counts_as_the_evaluation_does(browser: Any, binary_file: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    see(browser, binary_file)
    curve = {point["threshold"]: point for point in document_of("binary")["threshold"]["curve"]}
    slider = browser.find_element(By.ID, "cut")
    for name, cost in (("cost-fp", "2.5"), ("cost-fn", "10")):
        field = browser.find_element(By.ID, name)
        field.clear()
        field.send_keys(cost)
    shown = {name: browser.find_element(By.ID, name) for name in ("at", "tp", "fp", "recall", "precision", "cost", "cost-note")}  # fmt: skip
    for key, threshold in ((Keys.ARROW_LEFT, 0.49), (Keys.HOME, 0.0), (Keys.END, 1.0)):
        slider.send_keys(key)
        point = curve[threshold]
        found, alarms, missed = (point[name] for name in ("true_positives", "false_positives", "false_negatives"))
        assert shown["at"].text == f"{threshold:.2f}"
        assert (shown["tp"].text, shown["fp"].text) == (str(found), str(alarms))
        assert shown["recall"].text == f"{found / (found + missed):.3f}"
        assert shown["precision"].text == (f"{found / (found + alarms):.3f}" if found + alarms else "–")
        assert float(shown["cost"].text.replace(",", "")) == 2.5 * alarms + 10 * missed
    least = min(curve.values(), key=lambda point: 2.5 * point["false_positives"] + 10 * point["false_negatives"])
    assert shown["cost-note"].text.endswith(f"at {least['threshold']:g}")
    assert complaints(browser) == []


def test_paper_is_white_and_nothing_is_cut_off(browser: Any, file: Path) -> None:
    see(browser, file, scheme="dark")
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.printed ="
        " [document.querySelectorAll('canvas').length, getComputedStyle(document.body).backgroundColor]; })"
    )
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF")
    charts, background = browser.execute_script("return window.printed")
    assert (charts >= 2, background) == (True, "rgb(255, 255, 255)")
    assert not browser.execute_script("return document.documentElement.classList.contains('paper')")
    see(browser, file, width=718, scheme="dark", media="print")  # A4 less the margins
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 718


def test_every_chart_has_a_name_and_its_numbers_in_a_table(browser: Any, file: Path) -> None:
    see(browser, file)
    figures = browser.execute_script(
        "return [...document.querySelectorAll('figure')].map((figure) => ["
        " figure.querySelector('[role=img]').ariaLabelledByElements?.[0]?.textContent ??"
        "   document.getElementById(figure.querySelector('[role=img]').getAttribute('aria-labelledby')).textContent,"
        " figure.querySelectorAll('details tbody tr').length, figure.querySelector('details summary').textContent])"
    )
    assert figures
    assert all(name and rows >= 2 and name in summary for name, rows, summary in figures), figures


def test_without_scripts_the_numbers_are_still_there(browser: Any, binary_file: Path, tmp_path: Path) -> None:
    page, removed = re.subn(r"<script.*?</script>", "", binary_file.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert removed
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    see(browser, file)
    visible = "return [...document.querySelectorAll(arguments[0])].filter((node) => node.checkVisibility()).length"
    assert browser.execute_script(visible, ".slider, .chart") == 0
    assert browser.execute_script(visible, ".metrics td") > 10


def test_foreign_script_does_not_run(browser: Any, tmp_path: Path) -> None:
    """Should a value ever slip through unescaped, the policy stops it."""
    place = tmp_path / "injected.html"
    injected = (
        "<script>window.hacked=1</script><img src=x onerror=window.hacked=1><img src='https://example.com/x.png'>"
    )
    place.write_text(page("binary").replace("<main>", f"<main>{injected}"), encoding="utf-8")
    see(browser, place)
    assert browser.execute_script("return window.hacked") is None
    assert len([message for message in complaints(browser) if "Content Security Policy" in message]) >= 3
