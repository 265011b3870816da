"""One's own account in the page: address, password, keys, two-step login, sessions, and what mailed links open."""
import subprocess

import pytest
from selenium.webdriver.common.keys import Keys

from browser import wait_for
from serve import PASSWORD

FRESH = "otter lantern gravel quince"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\n-----END OPENSSH PRIVATE KEY-----\n"


def open_part(browser, label, part):
    browser.one("#account-button").click()
    browser.one(".menu button", label).click()
    browser.one(f"#own-{part}-title")
    wait_for(lambda: browser.focused().get_attribute("id") == f"own-{part}-title", why="its heading has the focus")


def type_into(browser, part, **values):
    """Into the fields of a part, by their names; in the place of what they hold."""
    for name, value in values.items():
        field = browser.one(f"{part} [name={name}]")
        field.clear()
        field.send_keys(value)


def submit(browser, part):
    browser.one(f"{part} button[type=submit]").click()


def wrong(browser, part, name):
    """What stands beside a field, once there is something."""
    field = browser.one(f"{part} [name={name}]")
    line = field.get_attribute("aria-describedby").split()[-1]
    return wait_for(lambda: browser.js("return document.getElementById(arguments[0]).textContent", line), why=f"what is wrong with {name}")


def sign_in_as(browser, server, name, password):
    browser.driver.get(server.base + "/login")
    type_into(browser, "#sign-in", user=name, password=password)
    submit(browser, "#sign-in")


def sign_out(browser):
    browser.one("#account-button").click()
    browser.one(".menu button", "Sign out").click()
    browser.one("#sign-in")


def open_link(browser, server, token):
    browser.driver.get(server.base + "/login")  # a page with the same address but for the # is not loaded anew
    browser.driver.get(server.base + "/link#" + token)
    browser.one("#link h1")
    assert browser.driver.current_url == server.base + "/link", "the token leaves the address line"


def give_address(browser, server, account):
    """By its owner, and confirmed. Returns it, and the link's token."""
    email = f"{account.name}@example.org"
    browser.sign_in(server, account)
    open_part(browser, "Edit profile", "profile")
    type_into(browser, "#own-profile", email=email, current=account.password)
    submit(browser, "#own-profile")
    assert email in browser.one(".toast").text
    browser.one("#own-profile dd", f"{email}, once")
    token = server.mailbox.wait_for(email, "address").token
    open_link(browser, server, token)
    browser.one("#link h1", "your address")
    submit(browser, "#link")
    browser.one("#link h1", f"{email} is confirmed")
    return email, token


@pytest.mark.check
def test_the_password_is_changed(server, browser, account):
    browser.sign_in(server, account)
    first = browser.driver.current_window_handle
    open_part(browser, "Change password", "password")
    submit(browser, "#own-password")
    assert wrong(browser, "#own-password", "current") and browser.focused().get_attribute("name") == "current"
    type_into(browser, "#own-password", current="wrong", new="password1234")
    assert "words" in wait_for(lambda: browser.text("#own-password [aria-live]"))
    type_into(browser, "#own-password", new=FRESH)
    wait_for(lambda: browser.text("#own-password [aria-live]") in ("Good.", "Strong."))
    submit(browser, "#own-password")
    assert "not the password" in wrong(browser, "#own-password", "current")
    type_into(browser, "#own-password", current=PASSWORD, new="password1234")
    submit(browser, "#own-password")
    assert "words" in wrong(browser, "#own-password", "new")
    type_into(browser, "#own-password", new=FRESH)
    submit(browser, "#own-password")
    browser.one(".toast", "password is changed")
    browser.shot("account-password")
    browser.driver.switch_to.window(first)
    browser.driver.get(server.base + "/#/")
    browser.ready()
    browser.command("newFolder")
    browser.keys("Charts", Keys.ENTER)
    wait_for(lambda: (account.root / "Charts").is_dir(), why="this browser goes on")
    sign_out(browser)
    sign_in_as(browser, server, account.name, PASSWORD)
    browser.one("#wrong", "not right")
    sign_in_as(browser, server, account.name, FRESH)
    browser.ready()


def test_an_address_and_a_lost_password(server, browser, account):
    email, token = give_address(browser, server, account)
    open_link(browser, server, token)
    browser.one("#link h1", "cannot be used")
    browser.one("#link p[role=alert]", "used already")
    browser.shot("link-used")
    browser.driver.get(server.base + "/login")
    browser.one(".lost summary").click()
    submit(browser, "#lost")
    assert "user name" in wrong(browser, "#lost", "name")
    type_into(browser, "#lost", name=account.name)
    submit(browser, "#lost")
    wait_for(lambda: "on its way" in browser.text("#sent"))
    told = browser.text("#sent")
    browser.shot("lost-sent")
    first = server.mailbox.wait_for(email, "lost").token
    type_into(browser, "#lost", name="nobody-of-this-name")
    browser.js("document.getElementById('sent').textContent = ''")
    submit(browser, "#lost")
    wait_for(lambda: browser.text("#sent") == told, why="nothing tells whether there is such an account")
    open_link(browser, server, first)
    type_into(browser, "#link", password="password1234")
    submit(browser, "#link")
    assert "words" in wrong(browser, "#link", "password")
    type_into(browser, "#link", password=FRESH)
    browser.shot("link-lost")
    submit(browser, "#link")
    browser.ready()
    assert browser.driver.current_url == server.base + "/"
    open_link(browser, server, first)
    browser.one("#link h1", "cannot be used")
    type_into(browser, "#link", name=email)
    submit(browser, "#link")
    browser.one("#link [role=status]", "on its way")
    again = server.mailbox.wait_for(email, "lost", count=2).token
    open_link(browser, server, again[:-3] + "AAA")
    browser.one("#link p[role=alert]", "not known")
    browser.driver.get(server.base + "/link")
    browser.one("#link h1", "not whole")


@pytest.mark.check
def test_an_invitation(server, browser):
    server.count += 1
    name = f"user{server.count}"
    server.server.command("user", "add", name, "--invite", f"{name}@example.org")
    open_link(browser, server, server.mailbox.wait_for(f"{name}@example.org", "invite").token)
    assert name in browser.text("#link")
    assert browser.focused().get_attribute("name") == "password"
    browser.keys(FRESH, Keys.ENTER)
    browser.ready()
    assert name in browser.text("#account-button")


@pytest.mark.check
def test_keys(server, browser, account, desk):
    browser.sign_in(server, account)
    open_part(browser, "Manage SSH keys", "keys")
    lines = []
    for kind in ("ed25519", "ecdsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"my {kind}", "-f", desk / kind], check=True)
        lines.append((desk / f"{kind}.pub").read_text().strip())
    before = len([one for one in server.requests() if "/api/keys" in one])
    for text in (PRIVATE, lines[0] + "\n" + (desk / "ed25519").read_text()):
        browser.js("document.querySelector('#own-keys textarea').value = arguments[0]", text)
        submit(browser, "#own-keys")
        assert "private key" in wrong(browser, "#own-keys", "text")
        assert browser.one("#own-keys textarea").get_attribute("value") == ""
        browser.keys("x")
    assert len([one for one in server.requests() if "/api/keys" in one]) == before, "a private key is not even sent"
    browser.js("document.querySelector('#own-keys textarea').value = arguments[0]", "\n".join([lines[0], "hello there"]))
    submit(browser, "#own-keys")
    browser.one("#own-keys .wrong-lines li", "Line 2: it is not a public key.")
    browser.one(".toast", "1 key added")
    browser.js("document.querySelector('#own-keys textarea').value = ''")
    browser.js("document.querySelector('#own-keys input[type=file]').hidden = false")
    browser.one("#own-keys input[type=file]").send_keys(str(desk / "ecdsa.pub"))
    wait_for(lambda: lines[1] in browser.one("#own-keys textarea").get_attribute("value"))
    submit(browser, "#own-keys")
    browser.one("#own-keys li", "my ecdsa")
    shown = browser.text("#own-keys")
    for kind in ("sha256", "md5"):
        assert subprocess.run(["ssh-keygen", "-l", "-E", kind, "-f", desk / "ed25519.pub"], check=True, capture_output=True, text=True).stdout.split()[1] in shown
    browser.shot("account-keys")
    browser.one("#own-keys li button[aria-label*='my ed25519']").click()
    browser.one("dialog button", "Remove").click()
    browser.gone("#own-keys li", "my ed25519")
    browser.one("#own-keys li", "my ecdsa")


def read_picture(browser, name):
    """What another program reads in the QR code on the screen."""
    browser.js("document.querySelector('.qr').scrollIntoView({block: 'center'})")
    browser.shot(name)
    from browser import SHOTS
    return subprocess.run(["zbarimg", "--raw", "-q", SHOTS / f"{name}.png"], check=True, capture_output=True, text=True).stdout.strip()


def enrol(browser, part, password):
    """Returns the recovery codes, which are on the screen."""
    from authenticator import totp
    type_into(browser, part, current=password)
    submit(browser, part)
    secret = browser.one(f"{part} .steps code").text.replace(" ", "")
    uri = browser.one(f"{part} .steps a").get_attribute("href")
    assert secret in uri
    assert read_picture(browser, "account-qr") == uri
    submit(browser, part)
    assert wrong(browser, part, "code")
    type_into(browser, part, code=f"{(int(totp(secret)) + 1) % 1000000:06}")
    submit(browser, part)
    assert "not right" in wrong(browser, part, "code")
    type_into(browser, part, code=totp(secret))
    submit(browser, part)
    browser.one(f"{part} h3", "Recovery codes")
    return browser.one(f"{part} .values code").text.split()


def test_two_steps(server, browser, account):
    browser.sign_in(server, account)
    open_part(browser, "Two-step login", "codes")
    codes = enrol(browser, "#own-codes", account.password)
    browser.shot("account-recovery")
    browser.one("#own-codes button", "Save as a file").click()
    kept = wait_for(lambda: [file for file in browser.downloads.iterdir() if file.suffix == ".txt"])
    assert kept[0].read_text().split()[-len(codes):] == codes and account.name in kept[0].read_text()
    browser.one("#own-codes button", "I have kept them").click()
    browser.one("#own-codes", f"{len(codes)} recovery codes are left")
    sign_out(browser)
    sign_in_as(browser, server, account.name, account.password)
    browser.one("#code")
    wait_for(lambda: browser.focused().get_attribute("id") == "code")
    assert not browser.one("#sign-in").find_elements("css selector", "#password:not([hidden])")[0].is_displayed()
    browser.shot("sign-in-code")
    browser.keys("000000", Keys.ENTER)
    assert "not right" in wait_for(lambda: browser.text("#code-wrong"))
    browser.keys(codes[0], Keys.ENTER)
    browser.ready()
    open_part(browser, "Change password", "password")
    type_into(browser, "#own-password", current=account.password, new=FRESH)
    submit(browser, "#own-password")
    browser.one("#own-password [name=code]")
    type_into(browser, "#own-password", code=codes[1])
    submit(browser, "#own-password")
    browser.one("dialog h2", "password is changed")
    browser.one("dialog button", "Sign in").click()
    type_into(browser, "#sign-in", user=account.name, password=FRESH)
    submit(browser, "#sign-in")
    browser.one("#code").send_keys(codes[2], Keys.ENTER)
    browser.ready()
    open_part(browser, "Two-step login", "codes")
    type_into(browser, "#own-codes", code=codes[3])
    submit(browser, "#own-codes")
    browser.one("#own-codes [name=current]")


@pytest.mark.check
def test_who_must_have_codes_is_led_to_them(server, browser, account):
    server.server.command("user", "set", account.name, "--require-codes", "yes")
    sign_in_as(browser, server, account.name, account.password)
    browser.one("#page h1", "Set up two-step login first")
    browser.shot("account-enrol")
    enrol(browser, "#page", account.password)
    browser.one("#page button", "I have kept them").click()
    browser.ready()
    browser.has("notes.txt")
    open_part(browser, "Two-step login", "codes")
    assert "required" in browser.text("#own-codes") and not browser.all("#own-codes [name=code]")


def test_sessions(server, browser, account):
    browser.sign_in(server, account)
    cookies = browser.cdp("Network.getCookies", urls=[server.base])["cookies"]
    browser.cdp("Network.clearBrowserCookies")
    browser.sign_in(server, account)
    open_part(browser, "Sessions", "sessions")
    rows = wait_for(lambda: (lambda found: found if len(found) == 2 else None)(browser.all("#own-sessions li")))
    assert [("this browser" in row.text, "End" in row.text) for row in rows] in ([(True, False), (False, True)], [(False, True), (True, False)])
    browser.shot("account-sessions")
    browser.one("#own-sessions li button").click()
    wait_for(lambda: len(browser.all("#own-sessions li")) == 1)
    browser.cdp("Network.clearBrowserCookies")
    for cookie in cookies:
        browser.cdp("Network.setCookie", name=cookie["name"], value=cookie["value"], url=server.base, path="/", secure=True, httpOnly=True, sameSite="Strict")
    browser.driver.get(server.base + "/plain/")
    browser.one("#sign-in")
