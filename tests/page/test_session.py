"""Signing in and out, sessions that end, and the pages without scripts."""
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import wait_for


@pytest.mark.check
def test_wrong_password_is_told_beside_the_field(server, browser, account):
    browser.driver.get(server.base + "/login")
    browser.keys(account.name, Keys.TAB, "wrong", Keys.ENTER)
    told = browser.text("#wrong")
    assert "not right" in told
    assert browser.one("#user").get_attribute("value") == account.name
    assert browser.focused().get_attribute("id") == "password"
    browser.shot("sign-in-wrong")
    browser.driver.get(server.base + "/login")
    browser.keys("nobody-of-this-name", Keys.TAB, "wrong", Keys.ENTER)
    assert browser.text("#wrong") == told, "nothing tells whether a name exists"


def test_what_is_missing_is_told(server, browser):
    browser.driver.get(server.base + "/login")
    browser.keys(Keys.ENTER)
    assert "user name" in browser.text("#user-wrong") and "password" in browser.text("#wrong")
    assert browser.focused().get_attribute("id") == "user"
    browser.keys("a")
    assert browser.js("return document.getElementById('user-wrong').textContent") == ""


def test_password_can_be_seen(server, browser):
    browser.driver.get(server.base + "/login")
    browser.one("#password").send_keys("secret")
    browser.one("#show").click()
    assert browser.one("#password").get_attribute("type") == "text" and browser.one("#show").get_attribute("aria-pressed") == "true"
    browser.one("#show").click()
    assert browser.one("#password").get_attribute("type") == "password"


def test_the_folder_of_the_address_line_is_kept(server, browser, account):
    browser.driver.get(server.base + "/#/photos")
    browser.one("#user")
    browser.keys(account.name, Keys.TAB, account.password, Keys.ENTER)
    browser.ready()
    browser.has("harbour 1.png")


def test_signing_out_sends_what_is_held(server, browser, account):
    browser.sign_in(server, account)
    browser.row("notes.txt").click()
    browser.keys(Keys.DELETE)
    browser.lacks("notes.txt")
    browser.one("#account-button").click()
    browser.shot("account-menu")
    browser.one(".menu button", "Sign out").click()
    browser.one("#sign-in")
    assert not (account.root / "notes.txt").exists()
    browser.driver.get(server.base + "/")
    browser.one("#sign-in")


@pytest.mark.check
def test_a_session_that_ended_goes_on_after_signing_in_again(server, browser, account):
    browser.sign_in(server, account)
    browser.cdp("Network.clearBrowserCookies")
    browser.command("newFolder")
    browser.keys("Charts", Keys.ENTER)
    assert "session has ended" in browser.text("dialog h2")
    browser.shot("session-ended")
    browser.keys(Keys.ESCAPE)
    assert browser.one("dialog")
    first = browser.driver.current_window_handle
    browser.one("dialog a", "Sign in").click()
    wait_for(lambda: len(browser.driver.window_handles) == 2)
    browser.driver.switch_to.window(browser.driver.window_handles[1])
    browser.one("#user").send_keys(account.name)
    browser.one("#password").send_keys(account.password, Keys.ENTER)
    browser.ready()
    browser.driver.close()
    browser.driver.switch_to.window(first)
    if browser.all("dialog"):
        browser.one("dialog button", "I have signed in").click()
    browser.gone("dialog")
    wait_for(lambda: (account.root / "Charts").is_dir())
    browser.has("Charts")


@pytest.mark.check
def test_another_account_without_signing_out(server, browser, account):
    """The connections that belong to the first are left, and nobody is told of it."""
    other = server.account()
    (other.root / "theirs.txt").write_text("x")
    browser.sign_in(server, account)
    browser.open(server, "#/photos")
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.sign_in(server, other)
    browser.has("theirs.txt")
    browser.driver.get(server.base + "/plain/")
    wait_for(lambda: browser.driver.find_elements(By.LINK_TEXT, "theirs.txt"))
    browser.driver.close()
    browser.driver.switch_to.window(first)
    browser.command("newFolder")
    browser.keys("Charts", Keys.ENTER)
    wait_for(lambda: other.name in browser.text("#account-button"))
    assert not (account.root / "photos" / "Charts").exists() and not (other.root / "photos").exists()


def test_theme_is_chosen_and_kept(server, browser, account):
    browser.sign_in(server, account)

    def ground():
        return browser.js("return getComputedStyle(document.body).backgroundColor")
    light = ground()
    browser.one("#account-button").click()
    browser.one(".menu button", "Dark").click()
    wait_for(lambda: ground() != light)
    dark = ground()
    browser.driver.refresh()
    browser.ready()
    assert ground() == dark
    browser.look(1440, 900, dark=True)
    browser.one("#account-button").click()
    browser.one(".menu button", "Light").click()
    wait_for(lambda: ground() == light)
    browser.one("#account-button").click()
    browser.one(".menu button", "Like the system").click()
    wait_for(lambda: ground() == dark)
    browser.js("localStorage.clear()")


def test_how_to_connect(server, browser, account):
    browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.sign_in(server, account)
    browser.one("#account-button").click()
    browser.one(".menu button", "How to connect").click()
    text, who, ports = browser.text("#page"), f"{account.name}@127.0.0.1", server.server
    for line in (f"sftp -P {ports.port} {who}", f"sftp://{who}:{ports.port}/", f"ftpes://{who}:{ports.ftps_port}/", f"ftps://{who}:{ports.implicit_port}/",
                 *server.fingerprints()):
        assert line in text, line
    browser.one("#page button[aria-label='Copy sftp']").click()
    wait_for(lambda: browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == f"sftp -P {ports.port} {who}")
    browser.driver.back()
    browser.has("notes.txt")


def test_the_server_cannot_be_reached(server, browser, account, failing):
    browser.sign_in(server, account)
    browser.cdp("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    browser.js("location.hash = '#/photos'")
    assert "cannot be reached" in browser.text("#notice")
    browser.cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    browser.one("#notice button").click()
    browser.has("harbour 1.png")


# ---- without scripts ----

@pytest.fixture
def scriptless(server, browser, account):
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    browser.driver.get(server.base + "/")
    yield browser
    browser.cdp("Emulation.setScriptExecutionDisabled", value=False)


def find(browser, css, text=None):
    return wait_for(lambda: [e for e in browser.driver.find_elements(By.CSS_SELECTOR, css) if text is None or text in e.text])[0]


@pytest.mark.check
def test_without_scripts_the_essentials_work(scriptless, account, desk):
    browser = scriptless
    find(browser, "#user").send_keys(account.name)
    find(browser, "#password").send_keys(account.password)
    browser.shot("plain-sign-in")
    find(browser, "form button[type=submit]").click()
    find(browser, "td a", "notes.txt")
    assert "/plain/" in browser.driver.current_url
    browser.shot("plain")
    find(browser, "td a", "notes.txt").click()
    wait_for(lambda: (browser.downloads / "notes.txt").exists())
    find(browser, "td a", "photos").click()
    find(browser, "td a", "harbour 1.png")
    (desk / "left.txt").write_text("plainly")
    find(browser, "#file").send_keys(str(desk / "left.txt"))
    find(browser, ".upload button").click()
    find(browser, "td a", "left.txt")
    assert (account.root / "photos" / "left.txt").read_text() == "plainly"
    find(browser, "#file").send_keys(str(desk / "left.txt"))
    find(browser, ".upload button").click()
    assert "there already" in find(browser, ".said").text
    browser.shot("plain-exists")
    find(browser, ".above a").click()
    find(browser, "td a", "notes.txt")
    find(browser, "header button").click()
    find(browser, "#user")


def test_plain_pages_show_odd_names(server, browser):
    import samples
    account = server.account()
    samples.odd_names(account.root)
    browser.sign_in(server, account, "/plain/")
    shown = [e.text for e in wait_for(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "td a"))]
    assert len(shown) == len(samples.ODD) + 1
    assert "\ufffdtxt.exe" in shown and "<img src=x onerror=alert(1)>.txt" in shown
    for link in browser.driver.find_elements(By.CSS_SELECTOR, "td a"):
        status = browser.driver.execute_async_script("fetch(arguments[0], {method: 'HEAD'}).then(a => arguments[1](a.status))", link.get_attribute("href"))
        assert status == 200, link.text
