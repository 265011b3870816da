"""A phone: fingers, 360 and 320 px; tap opens, long press selects, nothing scrolls sideways."""
import pytest
from selenium.webdriver.common.keys import Keys

from browser import wait_for


@pytest.fixture(params=[(360, 740), (320, 600)], ids=["360", "320"])
def phone(server, browser, account, request):
    browser.look(*request.param, touch=True)
    browser.sign_in(server, account)
    yield browser
    browser.look(1440, 900)


def fits(browser):
    return browser.js("return document.documentElement.scrollWidth <= innerWidth")


def test_tap_opens(phone):
    phone.touch(phone.row("photos"))
    phone.has("harbour 1.png")
    phone.touch(phone.row("harbour 1.png"))
    wait_for(lambda: phone.js("return document.querySelector('#preview img').naturalWidth") == 320)
    assert phone.js("return document.querySelector('main').inert")
    assert phone.focused().get_attribute("aria-label") == "Close the preview"
    phone.driver.back()
    phone.gone("#preview")
    assert not phone.js("return document.querySelector('main').inert")
    phone.has("harbour 1.png")
    phone.driver.back()
    phone.has("notes.txt")
    assert fits(phone)


def test_long_press_selects_and_taps_add(phone):
    phone.touch(phone.row("notes.txt"), 0.7)
    wait_for(lambda: phone.selected() == ["notes.txt"])
    phone.touch(phone.row("budget.csv"))
    wait_for(lambda: set(phone.selected()) == {"notes.txt", "budget.csv"})
    phone.touch(phone.row("budget.csv"))
    phone.touch(phone.row("notes.txt"))
    wait_for(lambda: phone.selected() == [])
    assert not phone.all(".menu")
    assert fits(phone)


def test_the_row_menu(phone, account):
    more = phone.js("return arguments[0].querySelector('.more button')", phone.row("notes.txt"))
    assert more.size["width"] >= 24 and more.size["height"] >= 24
    phone.touch(more)
    items = [b.get_property("textContent") for b in wait_for(lambda: phone.all(".menu button"))]
    assert any("Rename" in item for item in items) and any("Delete" in item for item in items)
    box = phone.js("const b = document.querySelector('.menu').getBoundingClientRect(); return [b.left >= 0, b.right <= innerWidth, b.top >= 0, b.bottom <= innerHeight]")
    assert all(box)
    phone.touch(phone.one(".menu button", "Rename"))
    phone.one(".edit input")
    phone.keys("memo", Keys.ENTER)
    wait_for(lambda: (account.root / "memo.txt").exists())
    phone.shot(f"phone-{phone.width}-list")


def test_moving_without_dragging(phone, account):
    phone.touch(phone.row("notes.txt"), 0.7)
    wait_for(lambda: phone.selected())
    phone.command("cut")
    phone.touch(phone.one("#commands [data-action=clear]"))
    phone.touch(phone.row("photos"))
    phone.has("harbour 1.png")
    phone.touch(phone.one("#commands [data-action=paste]"))
    wait_for(lambda: (account.root / "photos" / "notes.txt").exists())
    assert fits(phone)


def test_rows_are_of_one_height_and_names_are_not_lost(phone):
    heights = set(phone.js("return [...document.querySelectorAll('.row')].map(r => r.offsetHeight)"))
    assert heights == {40}
    assert phone.js("return [...document.querySelectorAll('.row .name-of')].every(n => n.getBoundingClientRect().width > 30)")


def test_uploading_folds_the_panel(phone, desk, failing):
    (desk / "a.bin").write_bytes(bytes(3 << 20))
    failing.mode(rate=1 << 20)
    phone.choose("upload", [desk / "a.bin"])
    phone.one("#panel h2")
    assert not phone.one("#panel").find_element("css selector", ".box").is_displayed()
    phone.touch(phone.one("#panel [aria-expanded]"))
    phone.one(".transfer")
    assert fits(phone)
    phone.shot(f"phone-{phone.width}-panel")
    failing.mode()
    phone.uploaded(1)
