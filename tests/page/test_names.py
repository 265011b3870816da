"""File names are text, whatever they hold: shown, not obeyed; and every action works with each of them, also
with names that are no UTF-8."""
import os

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

import samples
from browser import wait_for

RAW_SHOWN = samples.RAW.decode("utf-8", "replace")


@pytest.fixture
def odd(server, browser):
    account = server.account()
    samples.odd_names(account.root)
    browser.sign_in(server, account)
    browser.account = account
    return browser


def raw(account, *parts):
    return os.path.join(os.fsencode(account.root), *parts)


def seen(browser):
    return browser.js("return [...document.querySelectorAll('.row .name-of')].map(n => n.textContent)")


def test_what_is_hidden_is_seen(odd):
    names = seen(odd)
    assert len(names) == len(samples.ODD) + 1
    for shown in ("[U+202E]txt.exe", "tab[U+0009]here.txt", "line[U+000A]break.txt", "<img src=x onerror=alert(1)>.txt", "zero[U+200B]width.txt", RAW_SHOWN, "\ufffd real.txt", "שלום.txt", "😀 family 👩‍👩‍👧.png"):
        assert shown in names
    assert odd.js("return [...document.querySelectorAll('.mark-of')].length") == 4
    assert odd.js("return [...document.querySelectorAll('.row .name-of')].every(n => n.localName === 'bdi' && getComputedStyle(n).unicodeBidi === 'isolate')")
    assert not any(c in odd.js("return document.body.innerText + [...document.querySelectorAll('[title], [aria-label]')].map(e => e.title + e.ariaLabel).join()") for c in "\u202e\u200b\t")
    assert odd.js("return document.querySelectorAll('.grid img').length") == 0
    odd.shot("names")
    odd.look(1440, 900, dark=True)
    odd.shot("names-dark")


@pytest.mark.parametrize("number", range(len(samples.ODD)))
def test_each_can_be_previewed_renamed_moved_and_deleted(server, browser, number):
    account = server.account()
    name = samples.ODD[number]
    folder = "in " + name.replace("/", "")
    os.makedirs(raw(account, folder.encode()))
    open(raw(account, name.encode()), "w").write("content of it\n")
    browser.sign_in(server, account)
    go_through(browser, account, name.encode(), folder.encode())


@pytest.mark.check
def test_a_name_that_is_no_utf8(server, browser):
    account = server.account()
    os.makedirs(raw(account, b"dir \xfe"))
    open(raw(account, samples.RAW), "w").write("content of it\n")
    browser.sign_in(server, account)
    go_through(browser, account, samples.RAW, b"dir \xfe")


def go_through(browser, account, name, folder):
    """Preview with checksum, download, cut and paste into the folder, search, rename, delete."""
    browser.keys(Keys.END)
    if "exe" not in browser.text(".row[aria-selected=true]"):
        browser.keys(Keys.ENTER)
        if name.endswith(b".txt"):
            browser.one("#preview pre", "content of it")
        browser.one("#preview summary").click()
        browser.one("#preview code")
        browser.one("#preview button[aria-label='Close the preview']").click()
        browser.js("document.querySelector('#preview details')?.removeAttribute('open')")
    browser.command("download")
    wait_for(lambda: [p for p in browser.downloads.iterdir() if not p.name.endswith(".crdownload") and p.read_bytes() == b"content of it\n"])
    browser.command("cut")
    browser.keys(Keys.HOME, Keys.ENTER)
    browser.one("#notice", "empty")
    browser.keys((Keys.CONTROL, "v"))
    wait_for(lambda: os.path.exists(raw(account, folder, name)))
    wait_for(lambda: len(browser.names()) == 1)
    browser.driver.refresh()
    browser.ready()
    wait_for(lambda: len(browser.names()) == 1)
    browser.keys(Keys.HOME, Keys.F2)
    browser.type_over("plain.txt")
    browser.keys(Keys.ENTER)
    wait_for(lambda: os.path.exists(raw(account, folder, b"plain.txt")) and not os.path.exists(raw(account, folder, name)))
    os.rename(raw(account, folder, b"plain.txt"), raw(account, folder, name))
    browser.driver.refresh()
    browser.ready()
    wait_for(lambda: len(browser.names()) == 1)
    browser.keys(Keys.HOME, Keys.DELETE)
    browser.one("#notice", "empty")
    browser.driver.get("about:blank")
    wait_for(lambda: not os.path.exists(raw(account, folder, name)))


@pytest.mark.check
def test_zip_of_raw_names(odd):
    import zipfile
    odd.keys((Keys.CONTROL, "a"))
    odd.command("download")
    found = wait_for(lambda: [p for p in odd.downloads.glob("*.zip") if zipfile.is_zipfile(p)])
    with zipfile.ZipFile(found[0]) as archive:
        assert len(archive.namelist()) == len(samples.ODD) + 1


def test_raw_folder_in_the_address_line_and_the_tree(server, browser):
    account = server.account()
    os.makedirs(raw(account, b"caf\xe9", b"inner \xff"))
    open(raw(account, b"caf\xe9", b"inner \xff", b"x.txt"), "w").write("deep")
    browser.sign_in(server, account)
    browser.keys(Keys.HOME, Keys.ENTER)
    browser.has("inner \ufffd")
    assert "%E9" in browser.js("return location.hash")
    ActionChains(browser.driver).double_click(browser.row("inner \ufffd")).perform()
    browser.has("x.txt")
    browser.driver.refresh()
    browser.ready()
    browser.has("x.txt")
    assert "caf\ufffd" in browser.text("#path") and "inner \ufffd" in browser.text("#tree")
    browser.command("newFolder")
    browser.keys("été", Keys.ENTER)
    wait_for(lambda: os.path.isdir(raw(account, b"caf\xe9", b"inner \xff", "été".encode())))


def test_script_in_a_folder_name_is_text(server, browser):
    account = server.account()
    name = "<script>document.title='taken'<"
    (account.root / name).mkdir()
    browser.sign_in(server, account)
    browser.keys(Keys.HOME, Keys.ENTER)
    wait_for(lambda: name in browser.text("#path"))
    assert name in browser.driver.title
