"""Every sort of page in a real browser: what it loads, says, shows, and how it is for keyboards and screen readers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import axe_core_python
import pytest

from tests.report.browser import Browser, chromium
from tests.report.site.samples import write

PROGRAM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="there is no chromium: apt-get install chromium")

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
VIOLATIONS = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(one => one.impact === "serious" || one.impact === "critical")
    .map(one => [one.id, one.nodes.length, one.nodes[0].html]))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(PROGRAM, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write(folder)
    return folder


PAGES = pytest.mark.parametrize(
    "name",
    [
        *("index.html", "tiny-chat.html", "hardware/hardware.html", "compare/a--b.html", "hostile.html"),
        "items/tiny-chat/tiny-choice-1.html",
    ],
)


@PAGES
def test_a_page_loads_nothing_complains_of_nothing_and_fits_a_phone(browser: Browser, site: Path, name: str) -> None:
    for width in (1200, 360):
        browser.open(site / name, width=width)
        assert browser.requests == []
        assert browser.complaints == []
        assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.title.length") > 5


@PAGES
def test_a_page_is_accessible_in_light_and_dark(browser: Browser, site: Path, name: str) -> None:
    for dark in (False, True):
        browser.open(site / name, dark=dark)
        browser.run("document.querySelectorAll('details').forEach((one, at) => { one.open = at < 20; })")
        browser.run(AXE.read_text())
        assert browser.run(VIOLATIONS) == []


def test_the_browser_and_axe_see_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    script = "fetch('http://evil.test/x').catch(() => 0); console.error('said'); nothing()"
    page.write_text(f"<p style='color:#eee;width:2000px'>pale</p><img src=x.png><script>{script}</script>")
    browser.open(page, width=360)
    assert len(browser.requests) == 2 and len(browser.complaints) >= 2
    assert browser.run("document.documentElement.scrollWidth") > 360
    browser.run(AXE.read_text())
    assert {"image-alt", "html-has-lang"} <= {one[0] for one in browser.run(VIOLATIONS)}


def test_all_links_lead_to_files_and_places_that_are_there(browser: Browser, site: Path) -> None:
    pages, seen = [site / "index.html"], set[Path]()
    while pages:
        page = pages.pop()
        seen.add(page)
        browser.open(page)
        broken = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.getAttribute('href')))"
        assert browser.run(f"{broken}.length") == 0
        for href in browser.run(
            "[...document.querySelectorAll('a:not([href^=\"#\"])')].map(a => a.getAttribute('href'))"
        ):
            assert "://" not in href and not href.startswith("/")
            target = (page.parent / href).resolve()
            assert target.is_file(), f"{page.name} links to {href}"
            if target not in seen and target not in pages:
                pages.append(target)
    assert len(seen) == 7  # all but the hostile one, to which nothing leads


def test_charts_are_drawn_and_say_what_they_show(browser: Browser, site: Path) -> None:
    titles = "[...document.querySelectorAll('figure')].map(f => f.querySelector('figcaption b').textContent)"
    for name, wanted in {
        "index.html": {"tiny-choice.acc against decode speed and size"},
        "hardware/hardware.html": {"Roofline"},
        "tiny-chat.html": {
            *("Roofline", "total_tok_s as users become more", "decode_tok_s as the context fills"),
            *("bench.decode_tok_s@tg32", "decode_tok_s, tok/s"),
        },
    }.items():
        browser.open(site / name)
        assert wanted <= set(browser.run(titles))
        assert browser.run("[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().height > 50)")
        assert browser.run("[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label').length > 15)")


def test_tables_are_sorted_by_the_keyboard_and_complete_without(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    names = "[...document.querySelectorAll('.catalog tbody th')].map(cell => cell.textContent)"
    heads = "[...document.querySelectorAll('.catalog thead th')]"
    assert browser.run(names) == ["tiny-chat", "tiny-q4", "zoo", "old"]
    browser.run(f"{heads}.find(head => head.textContent === 'Size').querySelector('button').focus()")
    browser.press("Enter", 13)
    assert browser.run(names) == ["old", "tiny-q4", "tiny-chat", "zoo"]
    assert browser.run(f"{heads}.map(head => head.getAttribute('aria-sort')).filter(Boolean)") == ["ascending"]
    browser.press("Enter", 13)
    assert browser.run(names) == ["tiny-chat", "tiny-q4", "old", "zoo"]
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(site / "index.html")
        assert browser.complaints == []
        text = (site / "index.html").read_text()
        assert text.index(">tiny-chat<") < text.index(">tiny-q4<") < text.index(">old<")
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_the_first_tab_skips_to_the_content_and_paper_has_no_navigation(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.getAttribute('href')") == "#content"
    browser.open(site / "index.html", media="print")
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_the_catalog_breaks_no_name_and_no_number(browser: Browser, site: Path) -> None:
    tall = "[...document.querySelectorAll('%s')].map(one => [one.getClientRects().length, one.textContent])"
    browser.open(site / "index.html", width=1200)
    assert {lines for lines, _ in browser.run(tall % ".catalog th a")} == {1}
    assert browser.run("document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth")
    browser.open(site / "index.html", width=360)
    inside = (
        "[...document.querySelectorAll('.catalog td > div')].every(one => one.getBoundingClientRect().right <= 360)"
    )
    assert browser.run(inside) and browser.run("document.querySelectorAll('.catalog td > div').length") > 1
    browser.open(site / "index.html", width=760, media="print")
    assert browser.run("document.documentElement.scrollWidth") <= 760
