"""A browser with hands for the page's tests: what a person does and sees, in the words of the tests.
What goes wrong in the page while it is used (errors, violations of its policy) is kept in `trouble`."""
import base64
import os
import time

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from serve import PATIENCE, TOP

SHOTS = TOP / "build" / "page"
PATIENCE_S = 30

WATCH = """
window.__trouble = [];
window.__tasks = [];
addEventListener('error', e => __trouble.push('error: ' + e.message + ' ' + (e.error?.stack ?? '')));
addEventListener('unhandledrejection', e => __trouble.push('rejection: ' + (e.reason?.stack ?? e.reason)));
addEventListener('securitypolicyviolation', e => __trouble.push('policy: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile + ':' + e.lineNumber + ' ' + e.sample));
try { new PerformanceObserver(list => { for (const t of list.getEntries()) __tasks.push([Math.round(t.startTime), Math.round(t.duration)]); }).observe({type: 'longtask', buffered: true}); } catch {}
"""


def wait_for(what, seconds=PATIENCE_S, why=""):
    """The first true value of what(); stale elements and missing ones mean not yet."""
    end = time.monotonic() + seconds * PATIENCE
    last = None
    while time.monotonic() < end:
        try:
            value = what()
            if value:
                return value
        except Exception as error:                  # the page is being changed under our eyes
            last = error
        time.sleep(0.03)
    raise AssertionError(f"never came true: {why or what} {last or ''}")


class Browser:
    def __init__(self):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--disable-gpu", "--hide-scrollbars=false", "--disable-dev-shm-usage", "--lang=en-GB", "--force-device-scale-factor=1",
                         "--disable-features=Translate,OptimizationHints,MediaRouter", "--no-first-run", "--disable-background-networking", "--autoplay-policy=no-user-gesture-required"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.accept_insecure_certs = True
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.downloads = SHOTS / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.trouble = []
        self.look(1440, 900)

    # ---- the machine ----

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def look(self, width, height, dark=False, touch=False, still=False):
        self.width, self.height, self.dark = width, height, dark
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, screenWidth=width, screenHeight=height, deviceScaleFactor=1, mobile=touch)
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                                                         {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}])

    def fresh(self):
        """As if nobody had used this browser before."""
        self.collect()
        self.trouble.clear()
        for handle in self.driver.window_handles[1:]:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(self.driver.window_handles[0])
        self.leave()
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        for file in self.downloads.iterdir():
            file.unlink()

    def leave(self):
        self.js("window.onbeforeunload = null")
        self.driver.get("about:blank")
        try:
            self.driver.switch_to.alert.accept()
        except Exception:
            pass

    def collect(self):
        """What went wrong since the last time, apart from answers that the tests themselves provoke."""
        try:
            self.trouble += self.js("const t = window.__trouble ?? []; window.__trouble = []; return t")
        except Exception:
            pass
        for entry in self.driver.get_log("browser"):
            if entry["source"] == "network" or entry["level"] in ("INFO", "DEBUG"):
                continue
            self.trouble.append(f"console: {entry['source']} {entry['level']} {entry['message']}")
        return self.trouble

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        data = self.cdp("Page.captureScreenshot", format="png")["data"]
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(data))

    def close(self):
        self.driver.quit()

    # ---- finding ----

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css, text=None):
        def found():
            for element in self.all(css):
                if element.is_displayed() and (text is None or text in element.get_property("textContent") or text == element.get_attribute("aria-label")):
                    return element
            return None
        return wait_for(found, why=f"{css} {text or ''}")

    def gone(self, css, text=None):
        wait_for(lambda: not any(e.is_displayed() and (text is None or text in e.get_property("textContent")) for e in self.all(css)), why=f"{css} {text or ''} gone")

    def text(self, css):
        return self.one(css).get_property("textContent")

    def focused(self):
        return self.driver.switch_to.active_element

    # ---- the page ----

    def sign_in(self, server, account, where="/"):
        server.own(account)
        self.driver.get(server.base + "/login" + ("?next=" + where if where != "/" else ""))
        self.one("#user").send_keys(account.name)
        self.one("#password").send_keys(account.password)
        self.one("button[type=submit]").click()
        if "/plain" not in where:
            self.ready()

    def open(self, server, hash_):
        self.js("location.hash = arguments[0]", hash_)
        self.ready()

    def ready(self):
        wait_for(lambda: self.js("return document.body.getAttribute('aria-busy') === null && document.querySelector('.grid')?.getAttribute('aria-busy') === 'false'"), why="the page is ready")

    def names(self):
        """The names of the rows in sight, in their order."""
        return self.js("return [...document.querySelectorAll('.row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map(r => r.querySelector('.name-of')?.textContent ?? '')")

    def row(self, name):
        def found():
            return self.js("return [...document.querySelectorAll('.row')].find(r => r.querySelector('.name-of')?.textContent === arguments[0])", name)
        return wait_for(found, why=f"row {name}")

    def has(self, *names):
        wait_for(lambda: set(names) <= set(self.names()), why=f"rows {names}, there are {self.names()}")

    def lacks(self, *names):
        wait_for(lambda: not set(names) & set(self.names()), why=f"no rows {names}")

    def selected(self):
        return self.js("return [...document.querySelectorAll('.row[aria-selected=true] .name-of')].map(n => n.textContent)")

    def active(self):
        return self.js("return document.activeElement.closest('.row')?.querySelector('.name-of')?.textContent ?? null")

    def command(self, action):
        """A button of the bar, or of the menu behind its last one."""
        for element in self.all(f"#commands [data-action={action}]"):
            if element.is_displayed():
                element.click()
                return
        self.one("#commands [data-action=more]").click()
        labels = {"rename": "Rename", "cut": "Cut", "preview": "Preview", "delete": "Delete", "download": "Download", "show": "Show in its folder"}
        self.one(".menu button", labels[action]).click()

    def menu(self, name, label):
        """The row's ... button, and an item of its menu."""
        row = self.row(name)
        self.js("arguments[0].querySelector('.more button').click()", row)
        self.one(".menu button", label).click()

    def keys(self, *keys):
        chain = ActionChains(self.driver)
        for key in keys:
            if isinstance(key, tuple):
                for modifier in key[:-1]:
                    chain.key_down(modifier)
                chain.send_keys(key[-1])
                for modifier in reversed(key[:-1]):
                    chain.key_up(modifier)
            else:
                chain.send_keys(key)
        chain.perform()

    def type_over(self, text):
        """Into the field that has the focus, in the place of what it holds."""
        self.keys((Keys.CONTROL, "a"), text)

    def drag(self, source, target):
        ActionChains(self.driver).click_and_hold(source).move_by_offset(8, 8).move_to_element(target).move_by_offset(3, 1).pause(0.3).release().perform()

    def touch(self, element, hold_s=0.0):
        box = self.js("const b = arguments[0].getBoundingClientRect(); return [b.x + Math.min(b.width / 2, 100), b.y + b.height / 2]", element)
        point = {"x": box[0], "y": box[1]}
        self.cdp("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        time.sleep(hold_s)
        self.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    # ---- uploads ----

    def choose(self, action, paths):
        """Presses an upload button and chooses files as the browser's dialog would."""
        self.js("window.showOpenFilePicker = undefined; HTMLInputElement.prototype.click = new Proxy(HTMLInputElement.prototype.click, {apply: (f, on, a) => on.type === 'file' ? undefined : Reflect.apply(f, on, a)})")
        if callable(action):
            action()
        else:
            self.command(action)
        picker = wait_for(lambda: self.all("#picker"), why="the file dialog")[-1]
        picker.send_keys("\n".join(str(path) for path in paths))

    def drop(self, paths, x=None, y=None):
        """Files and folders dropped from the desktop."""
        where = {"x": x or self.width // 2, "y": y or self.height // 2}
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        self.cdp("Input.dispatchDragEvent", type="dragEnter", data=data, **where)
        self.cdp("Input.dispatchDragEvent", type="dragOver", data=data, **where)
        yield_shot = self.js("return !document.getElementById('drop').hidden && document.getElementById('drop').textContent")
        self.cdp("Input.dispatchDragEvent", type="drop", data=data, **where)
        return yield_shot

    def uploads(self):
        return self.js("return [...document.querySelectorAll('.transfer')].map(t => [t.querySelector('.title').textContent, t.dataset.state])")

    def uploaded(self, count=None):
        def done():
            title = self.text("#panel h2")
            return "uploaded" in title and "not" not in title and (count is None or title.startswith(f"{count:,} "))
        wait_for(done, 120, "all uploaded")
