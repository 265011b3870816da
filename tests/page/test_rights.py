"""What an account may not do is not there: not in the bar, not in the menus, not by keys, not by dropping."""
import os
import subprocess

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

import samples
from browser import wait_for
from serve import ALL_RIGHTS, IS_ROOT


def signed_in(server, browser, rights):
    account = server.account(rights=rights)
    samples.furnish(account.root)
    browser.sign_in(server, account)
    return account


def offered(browser):
    return set(browser.js("return [...document.querySelectorAll('#commands [data-action]')].map(b => b.dataset.action)")) - {"tree", "clear", "more"}


def in_menu(browser, element):
    ActionChains(browser.driver).context_click(element).perform()
    labels = {b.get_property("textContent") for b in wait_for(lambda: browser.all(".menu button"))}
    browser.keys(Keys.ESCAPE)
    browser.gone(".menu")
    return labels


def test_all_rights(server, browser):
    signed_in(server, browser, ALL_RIGHTS)
    assert offered(browser) == {"upload", "uploadFolder", "newFolder"}
    browser.row("notes.txt").click()
    assert offered(browser) == {"preview", "download", "rename", "cut", "delete"}


@pytest.mark.check
def test_read_only(server, browser, tmp_path):
    account = signed_in(server, browser, ["list", "read"])
    assert offered(browser) == set()
    browser.row("notes.txt").click()
    assert offered(browser) == {"preview", "download"}
    assert in_menu(browser, browser.row("notes.txt")) == {"PreviewEnter", "Download"}
    before = browser.names()
    browser.row("notes.txt").click()
    browser.keys(Keys.F2, Keys.DELETE, (Keys.CONTROL, "x"), (Keys.CONTROL, "v"))
    assert browser.names() == before and not browser.all(".edit") and not browser.all(".toast")
    (tmp_path / "a.txt").write_text("a")
    assert not browser.drop([tmp_path / "a.txt"])
    assert not browser.one("main").find_elements("css selector", ".transfer")
    assert not (account.root / "a.txt").exists()
    browser.shot("rights-read-only")


def test_without_reading(server, browser):
    signed_in(server, browser, ["list", "write"])
    browser.row("notes.txt").click()
    assert offered(browser) == {"preview"}
    browser.keys(Keys.ENTER)
    browser.one("#preview dl")
    assert not browser.all("#preview pre, #preview details, #preview .preview-actions")


def test_without_deleting_and_renaming(server, browser):
    signed_in(server, browser, ["list", "read", "write"])
    assert offered(browser) == {"upload"}
    browser.row("notes.txt").click()
    assert offered(browser) == {"preview", "download"}
    assert browser.row("notes.txt").get_attribute("draggable") != "true"


@pytest.mark.check
def test_a_folder_set_has_rights_of_its_own(server, browser):
    """Fewer than the home has, and the home's again behind it."""
    account = server.account()
    samples.furnish(account.root)
    shared = server.server.place / f"set-of-{account.name}"
    server.server.command("folder", "add", account.name, shared)
    server.server.command("folder", "grant", account.name, account.name, "list,read")
    (shared / "read.txt").write_text("read me")
    browser.sign_in(server, account)
    ActionChains(browser.driver).double_click(browser.row(account.name)).perform()
    browser.row("read.txt").click()
    assert offered(browser) == {"preview", "download"}
    browser.driver.back()
    browser.row("notes.txt").click()
    assert offered(browser) == {"preview", "download", "rename", "cut", "delete"}


def test_without_overwriting_nothing_is_replaced(server, browser, tmp_path):
    account = signed_in(server, browser, ["list", "read", "write"])
    (tmp_path / "notes.txt").write_text("new")
    browser.drop([tmp_path / "notes.txt"])
    browser.one("dialog")
    assert {b.get_property("textContent") for b in browser.all("dialog button")} == {"Skip", "Keep both"}
    browser.one("dialog button", "Keep both").click()
    browser.uploaded(1)
    assert (account.root / "notes (2).txt").read_text() == "new"


def test_without_making_folders_only_files_are_taken(server, browser, tmp_path):
    account = signed_in(server, browser, ["list", "read", "write"])
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "in.txt").write_text("x")
    (tmp_path / "out.txt").write_text("y")
    browser.drop([tmp_path / "d", tmp_path / "out.txt"])
    browser.one(".toast", "may not make folders")
    browser.uploaded(1)
    assert (account.root / "out.txt").exists() and not (account.root / "d").exists()


@pytest.mark.parametrize("rights, says", [(["write"], True), (["write", "mkdir"], True), ([], False)])
def test_files_can_be_left_unseen(server, browser, rights, says, tmp_path):
    account = signed_in(server, browser, rights)
    assert "Leave files here" in browser.text("#notice h2")
    assert browser.names() == []
    assert bool(browser.all("#notice button")) == says
    if says:
        (tmp_path / "gift.txt").write_text("for you")
        browser.drop([tmp_path / "gift.txt"])
        browser.uploaded(1)
        assert (account.root / "gift.txt").read_text() == "for you"
        browser.shot("rights-leave-files")


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_the_room_is_told(server, browser):
    """A small disk, almost full."""
    account = server.account()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20000k,mode=0755", "none", account.root], check=True)
    try:
        (account.root / "large.bin").write_bytes(bytes(19_000_000))
        disk = os.statvfs(account.root)
        browser.sign_in(server, account)
        assert browser.text("#space") == f"{disk.f_bavail * disk.f_frsize / 1e6:.1f} MB free of 20.5 MB"
        assert "little" in browser.one("#space").get_attribute("class")
        browser.shot("space-little")
    finally:
        subprocess.run(["umount", "-l", account.root], check=True)
