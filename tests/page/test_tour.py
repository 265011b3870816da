"""Through every function of the page, on a phone and on a wide screen, light and dark. At each station a picture
is kept (build/page/tour-LOOK-NN-STATION.png, to be looked at) and accessible.js must find nothing; nor axe-core, where
AXE names it (make check-axe)."""
import os
import pathlib
import subprocess

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import samples
from browser import SHOTS, wait_for

CHECKERS = [(pathlib.Path(__file__).parent / "accessible.js").read_text()]
if "AXE" in os.environ:                              # make check-axe: all of its rules, of good practice too
    CHECKERS.append(pathlib.Path(os.environ["AXE"]).read_text() + """;
        axe.run(document, {iframes: false, resultTypes: ['violations']}).then(({violations, passes}) => passes.length < 9 ? ['axe found nothing to judge'] : violations.flatMap(({id, help, nodes}) =>
            nodes.map(({target, failureSummary}) => `axe ${id}: ${help}: ${target.join(' ')}: ${failureSummary.split('\\n').slice(1).join('; ')}`)))""")
LOOKS = {"wide-light": (1440, 900, False), "wide-dark": (1440, 900, True), "phone-light": (360, 740, False), "phone-dark": (360, 740, True)}


class Tour:
    def __init__(self, browser, name):
        self.browser, self.name, self.number, self.found = browser, name, 0, []
        for old in SHOTS.glob(f"tour-{name}-*.png"):
            old.unlink()

    def see(self, station):
        self.browser.js("return Promise.allSettled(document.getAnimations().map(one => one.finished)).then(() => new Promise(requestAnimationFrame))")
        self.number += 1
        self.browser.shot(f"tour-{self.name}-{self.number:02}-{station}")
        for checker in CHECKERS:
            barriers = self.browser.cdp("Runtime.evaluate", expression=checker, returnByValue=True, awaitPromise=True)
            assert "exceptionDetails" not in barriers, barriers
            self.found += [f"{station}: {one}" for one in barriers["result"]["value"]]


@pytest.mark.parametrize("look", [pytest.param(look, marks=pytest.mark.check if look in ("wide-dark", "phone-light") else ()) for look in LOOKS])
def test_tour(server, browser, account, desk, failing, look):
    width, height, dark = LOOKS[look]
    phone = width < 600
    browser.look(width, height, dark, touch=phone)
    tour = Tour(browser, look)
    samples.odd_names(make(account.root / "odd"))
    make(account.root / "void")
    make(account.root / "many")
    for n in range(900):
        (account.root / "many" / f"picture {n}.jpg").touch()
    signing_in(tour, server, account)
    the_list(tour, phone)
    acting(tour, account, phone)
    previews(tour, phone)
    finding(tour, phone)
    uploading(tour, account, desk, failing)
    account_pages(tour, phone)
    own_account(tour, server, account)
    special(tour, server, failing)
    plain_pages(tour, server, account)
    links(tour, server)
    assert not tour.found, "\n" + "\n".join(dict.fromkeys(tour.found))


def make(folder):
    folder.mkdir()
    return folder


def signing_in(tour, server, account):
    browser = tour.browser
    browser.driver.get(server.base + "/")
    browser.one("#sign-in")
    tour.see("sign-in")
    browser.keys(Keys.ENTER)
    tour.see("sign-in-missing")
    browser.keys(account.name, Keys.TAB, "wrong", Keys.ENTER)
    browser.one("#wrong", "not right")
    browser.one(".lost summary").click()
    tour.see("sign-in-wrong")
    browser.sign_in(server, account)


def select(tour, phone, name):
    browser = tour.browser
    if browser.selected():
        browser.one("#commands [data-action=clear]").click()
    if phone:
        browser.touch(browser.row(name), 0.7)
    else:
        browser.row(name).click()
    wait_for(lambda: name in browser.selected())


def the_list(tour, phone):
    browser = tour.browser
    tour.see("list")
    browser.one(".head .size button").click()
    wait_for(lambda: browser.one(".head .size").get_attribute("aria-sort") == "descending")
    tour.see("sorted-by-size")
    browser.one(".head .name button").click()
    wait_for(lambda: browser.names()[0] == "archive")
    browser.open(None, "#/odd")
    browser.has("a&b#c?d%e+f;g.txt")
    tour.see("odd-names")
    browser.open(None, "#/void")
    browser.one("#notice", "empty")
    tour.see("empty-folder")
    browser.open(None, "#/archive/2024/january")
    browser.has("log.txt")
    tour.see("deep-folder")
    browser.open(None, "#/")
    browser.has("notes.txt")


def acting(tour, account, phone):
    browser = tour.browser
    select(tour, phone, "notes.txt")
    tour.see("selected")
    row = browser.row("budget.csv")
    if phone:
        browser.touch(row)
    else:
        browser.keys((Keys.SHIFT, Keys.ARROW_DOWN))
    wait_for(lambda: len(browser.selected()) == 2)
    tour.see("two-selected")
    browser.one("#commands [data-action=clear]").click()
    browser.js("arguments[0].querySelector('.more button').click()", browser.row("source.py"))
    browser.one(".menu")
    tour.see("row-menu")
    browser.one(".menu button", "Rename").click()
    browser.one(".edit input")
    tour.see("renaming")
    browser.type_over("budget.csv")
    browser.keys(Keys.ENTER)
    browser.one(".hint", "exists")
    tour.see("renaming-refused")
    browser.type_over("program.py")
    browser.keys(Keys.ENTER)
    wait_for(lambda: (account.root / "program.py").exists())
    browser.one("#commands [data-action=clear]").click()
    browser.command("newFolder")
    browser.one(".edit input")
    tour.see("new-folder")
    browser.keys("Charts", Keys.ENTER)
    wait_for(lambda: (account.root / "Charts").is_dir())
    browser.one("#commands [data-action=clear]").click()
    browser.menu("scan.tiff", "Delete")
    browser.one(".toast", "deleted")
    tour.see("deleted")
    browser.one(".toast button", "Undo").click()
    browser.has("scan.tiff")
    browser.menu("notes.txt", "Cut")
    tour.see("cut")
    browser.open(None, "#/music")
    browser.has("tide.wav")
    browser.one("#commands", "Move")
    tour.see("paste-here")
    browser.command("paste")
    browser.has("notes.txt")
    browser.one(".toast", "moved")
    tour.see("moved")
    browser.js("document.querySelector('.toast button')?.click()")


def previews(tour, phone):
    browser = tour.browser
    browser.open(None, "#/photos?show=harbour%202.png")
    wait_for(lambda: browser.js("return document.querySelector('#preview img')?.naturalWidth") == 480)
    tour.see("preview-picture")
    browser.one("#preview summary").click()
    browser.one("#preview code")
    tour.see("preview-checksums")
    browser.one("#preview summary").click()
    browser.open(None, "#/music?show=notes.txt")
    browser.one("#preview pre", "ferry")
    tour.see("preview-text")
    browser.open(None, "#/music?show=tide.wav")
    browser.one("#preview audio")
    tour.see("preview-sound")
    browser.open(None, "#/?show=report%202.pdf")
    browser.one("#preview iframe")
    browser.js("return new Promise(done => setTimeout(done, 1200))")               # the browser's viewer draws when it likes
    tour.see("preview-pdf")
    browser.open(None, "#/?show=backup.tar.gz")
    browser.one("#preview .look", "no preview")
    tour.see("preview-none")
    browser.open(None, "#/")


def finding(tour, phone):
    browser = tour.browser
    browser.one("#search-field").send_keys("log")
    wait_for(lambda: browser.names() == ["log.txt", "log.txt"])
    tour.see("search")
    browser.one("#search-field").send_keys("zzz")
    browser.one("#notice", "Nothing")
    tour.see("search-nothing")
    browser.one("#search button").click()
    browser.has("scan.tiff")


def uploading(tour, account, desk, failing):
    browser = tour.browser
    for name in ("a picture of the ferry.bin", "b.bin", "c.bin"):
        (desk / name).write_bytes(bytes(8 << 20))
    for name in ("budget.csv", "empty.txt"):
        (desk / name).write_text("new")
    failing.mode(rate=1 << 20)
    browser.choose("upload", [desk / "a picture of the ferry.bin", desk / "b.bin", desk / "c.bin"])
    wait_for(lambda: "left" in browser.text("#panel .sum"))
    if not browser.one("#panel").find_element(By.CSS_SELECTOR, ".box").is_displayed():
        tour.see("upload-folded")
        browser.one("#panel [aria-expanded]").click()
    browser.one(".transfer")
    tour.see("upload-running")
    browser.one("#panel button[aria-label='Pause all']").click()
    wait_for(lambda: {state for _, state in browser.uploads()} == {"paused"})
    tour.see("upload-paused")
    failing.mode()
    browser.one("#panel button[aria-label='Go on with all']").click()
    browser.uploaded(3)
    tour.see("upload-done")
    browser.one("#panel button[aria-label=Close]").click()
    browser.choose("upload", [desk / "budget.csv", desk / "empty.txt"])
    browser.one("dialog")
    tour.see("upload-exists")
    browser.one("dialog label").click()
    browser.one("dialog button", "Replace").click()
    browser.uploaded(2)
    browser.one("#panel button[aria-label=Close]").click()
    failing.mode(fail={"POST /api/uploads": [507, "no_space", "The disk is full."]})
    browser.choose("upload", [desk / "c.bin"])
    wait_for(lambda: "failed" in str(browser.uploads()) or "not uploaded" in browser.text("#panel h2"))
    tour.see("upload-failed")
    failing.mode()
    browser.one("#panel button[aria-label=Close]").click()
    where = {"x": browser.width // 2, "y": browser.height // 2}
    data = {"items": [], "files": [str(desk / "b.bin")], "dragOperationsMask": 1}
    browser.cdp("Input.dispatchDragEvent", type="dragEnter", data=data, **where)
    browser.one("#drop", "Drop to upload")
    tour.see("dropping")
    browser.cdp("Input.dispatchDragEvent", type="dragCancel", data=data, **where)
    browser.js("dispatchEvent(new DragEvent('dragleave', {dataTransfer: (() => { const d = new DataTransfer(); d.items.add(new File([], 'x')); return d; })()}))")
    browser.gone("#drop")


def account_pages(tour, phone):
    browser = tour.browser
    browser.one("#account-button").click()
    browser.one(".menu")
    tour.see("account-menu")
    browser.one(".menu button", "Keys").click()
    browser.one("dialog")
    tour.see("keys")
    browser.keys(Keys.ESCAPE)
    browser.gone("dialog")
    browser.one("#account-button").click()
    browser.one(".menu button", "How to connect").click()
    browser.one(".sheet")
    tour.see("connect")
    browser.js("document.getElementById('page').scrollTop = 100000")
    tour.see("connect-end")
    browser.driver.back()
    browser.has("scan.tiff")


def own_account(tour, server, account):
    browser = tour.browser
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "at the harbour", "-f", account.root / "tour-key"], check=True)
    server.server.add_key(account.name, account.root / "tour-key.pub")
    browser.js("location.hash = '#account/profile'")
    browser.one("#own-keys li", "at the harbour")
    tour.see("account")
    browser.one("#own-password button[type=submit]").click()
    browser.one("#own-password .wrong")
    browser.one("#own-password [name=new]").send_keys("password")
    browser.one("#own-password meter")
    tour.see("account-missing")
    browser.one("#own-keys textarea").send_keys("hello")
    browser.one("#own-keys button[type=submit]").click()
    browser.one("#own-keys .wrong-lines li")
    tour.see("account-keys")
    browser.one("#own-codes [name=current]").send_keys(account.password, Keys.ENTER)
    browser.one(".qr")
    tour.see("account-codes")
    browser.js("document.getElementById('page').scrollTop = 100000")
    tour.see("account-end")
    browser.one("#own-keys li > button").click()
    browser.one("dialog")
    tour.see("account-remove-key")
    browser.keys(Keys.ESCAPE)
    browser.gone("dialog")
    browser.open(server, "/")


def links(tour, server):
    browser = tour.browser
    server.count += 1
    name = f"user{server.count}"
    server.server.command("user", "add", name, "--invite", f"{name}@example.org")
    token = server.mailbox.wait_for(f"{name}@example.org", "invite").token
    browser.leave()
    browser.driver.get(server.base + "/link#" + token)
    browser.one("#link [name=password]").send_keys("password")
    browser.one("#link meter")
    tour.see("link")
    browser.leave()
    browser.driver.get(server.base + "/link#" + token[::-1])
    browser.one("#link [name=name]")
    tour.see("link-bad")
    browser.driver.get(server.base + "/login")
    browser.one(".lost summary").click()
    tour.see("sign-in-lost")
    browser.js("document.body.dataset.code = 'yes'; document.body.dataset.alone = 'true'")
    tour.see("sign-in-code")


def special(tour, server, failing):
    browser = tour.browser
    failing.mode(cut_answer={"GET /api/list": 40_000}, hold=True)
    browser.js("location.hash = '#/many'")
    wait_for(browser.names)
    tour.see("listing-begun")
    failing.mode()
    browser.one("#notice", "Not everything")
    tour.see("listing-broken")
    browser.open(None, "#/nowhere")
    browser.one("#notice", "not there")
    tour.see("not-there")
    browser.cdp("Network.clearBrowserCookies")
    browser.js("location.hash = '#/photos'")
    browser.one("dialog", "session has ended")
    tour.see("session-ended")


def plain_pages(tour, server, account):
    browser = tour.browser
    browser.leave()
    browser.sign_in(server, account, "/plain/")
    wait_for(lambda: browser.driver.find_elements(By.CSS_SELECTOR, ".without-scripts td a"))
    tour.see("plain")
