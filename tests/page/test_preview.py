"""The preview: pictures, text, PDF, sound, video; size, date, checksums to copy; and what cannot be shown."""
import base64
import hashlib

import pytest
from selenium.webdriver.common.keys import Keys

import samples
from browser import wait_for


@pytest.fixture
def files(server, browser, account):
    browser.sign_in(server, account)
    return browser


def look(browser, name):
    browser.row(name).click()
    browser.keys(Keys.ENTER)
    wait_for(lambda: name in browser.text("#preview h2"))


def test_pictures_follow_the_selection(files):
    files.open(None, "#/photos")
    look(files, "harbour 1.png")
    wait_for(lambda: files.js("return document.querySelector('#preview img').naturalWidth") == 320)
    files.row("harbour 2.png").click()
    wait_for(lambda: files.js("return document.querySelector('#preview img').naturalWidth") == 480)
    assert "show=harbour%202.png" in files.js("return location.hash")
    files.driver.refresh()
    files.ready()
    wait_for(lambda: "harbour 2.png" in files.text("#preview h2"))
    assert files.selected() == ["harbour 2.png"]


def test_text_is_text(files):
    look(files, "notes.txt")
    wait_for(lambda: files.text("#preview pre") == samples.NOTES)
    files.row("source.py").click()
    wait_for(lambda: "<b>not a page</b>" in files.text("#preview pre"))
    assert not files.all("#preview b")


def test_text_in_old_encodings_and_long_text(server, browser, account):
    (account.root / "old.txt").write_bytes("Grüße aus Köln".encode("latin-1"))
    (account.root / "long.txt").write_bytes(("ü" * 300_000).encode())
    (account.root / "page.html").write_text("<script>document.title='taken'</script>")
    browser.sign_in(server, account)
    look(browser, "old.txt")
    wait_for(lambda: browser.text("#preview pre") == "Grüße aus Köln")
    browser.row("long.txt").click()
    wait_for(lambda: "only the first" in browser.text("#preview .look").lower())
    assert set(browser.text("#preview pre")) == {"ü"}
    browser.row("page.html").click()
    wait_for(lambda: "<script>" in browser.text("#preview pre"))
    assert "taken" not in browser.driver.title


def test_pdf_is_shown_by_the_browser(files):
    look(files, "report 2.pdf")
    frame = files.one("#preview iframe")
    assert frame.get_attribute("src").endswith("/files/report%202.pdf?inline")
    files.driver.switch_to.frame(frame)
    wait_for(lambda: files.js("return document.querySelector('embed') !== null || document.contentType === 'application/pdf'"))
    files.driver.switch_to.default_content()
    files.shot("preview-pdf")


def test_sound(files):
    files.open(None, "#/music")
    look(files, "tide.wav")
    wait_for(lambda: files.js("return document.querySelector('#preview audio').duration") == 1)
    files.js("document.querySelector('#preview audio').play()")
    wait_for(lambda: files.js("return document.querySelector('#preview audio').currentTime") > 0)
    files.keys(Keys.ESCAPE)
    files.gone("#preview")
    assert not files.all("audio")


def test_video(server, browser, account):
    """A film that the browser makes itself: nothing here can."""
    browser.driver.get("about:blank")
    film = browser.driver.execute_async_script("""
        const done = arguments[0];
        const canvas = document.createElement('canvas');
        canvas.width = 160; canvas.height = 120;
        const pen = canvas.getContext('2d');
        const recorder = new MediaRecorder(canvas.captureStream(20), {mimeType: 'video/webm'});
        const parts = [];
        recorder.ondataavailable = e => parts.push(e.data);
        recorder.onstop = async () => {
            const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
            done(btoa(Array.from(bytes, b => String.fromCharCode(b)).join('')));
        };
        recorder.start();
        let n = 0;
        const timer = setInterval(() => {
            pen.fillStyle = `hsl(${n * 12} 60% 50%)`; pen.fillRect(0, 0, 160, 120);
            if (++n === 30) { clearInterval(timer); recorder.stop(); }
        }, 40);""")
    (account.root / "film.webm").write_bytes(base64.b64decode(film))
    browser.sign_in(server, account)
    look(browser, "film.webm")
    wait_for(lambda: browser.js("return document.querySelector('#preview video').videoWidth") == 160)
    browser.shot("preview-video")


def test_checksums_are_right_and_copied(files, account):
    files.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    look(files, "notes.txt")
    data = (account.root / "notes.txt").read_bytes()
    files.one("#preview summary").click()
    wait_for(lambda: files.js("return [...document.querySelectorAll('#preview code')].map(c => c.textContent)") == [hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()])
    files.one("#preview button[aria-label='Copy SHA-256']").click()
    wait_for(lambda: "copied" in files.js("return document.getElementById('said').textContent"))
    assert files.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == hashlib.sha256(data).hexdigest()
    files.row("budget.csv").click()
    other = hashlib.sha256((account.root / "budget.csv").read_bytes()).hexdigest()
    wait_for(lambda: other in files.text("#preview"), why="the next file's checksums come along")
    files.one("#preview summary").click()


def test_checksums_that_fail_are_told(files, failing):
    failing.mode(fail={"GET /api/digest": [503, "busy", "Later."]})
    look(files, "notes.txt")
    files.one("#preview summary").click()
    wait_for(lambda: "busy" in files.text("#preview .sums"))
    files.one("#preview summary").click()


@pytest.mark.parametrize("name, says", [("backup.tar.gz", "no preview"), ("empty.txt", "empty")])
def test_what_has_no_preview(files, name, says):
    look(files, name)
    wait_for(lambda: says in files.text("#preview .look"))
    assert files.one("#preview button", "Download")


def test_a_broken_picture_says_so(server, browser, account):
    (account.root / "broken.png").write_bytes(b"no picture")
    (account.root / "binary.txt").write_bytes(b"a\0b")
    browser.sign_in(server, account)
    look(browser, "broken.png")
    wait_for(lambda: "cannot show" in browser.text("#preview .look"))
    browser.row("binary.txt").click()
    wait_for(lambda: "no preview" in browser.text("#preview .look"))


def test_svg_with_a_script_in_it_is_a_picture(server, browser, account):
    (account.root / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><script>top.document.title="taken"</script><rect width="90" height="60" fill="teal"/></svg>')
    browser.sign_in(server, account)
    look(browser, "drawing.svg")
    wait_for(lambda: browser.js("return document.querySelector('#preview img').naturalWidth") == 90)
    assert "taken" not in browser.driver.title


def test_renaming_and_deleting_what_is_shown(files):
    look(files, "notes.txt")
    files.row("notes.txt").click()
    files.keys(Keys.F2)
    files.one(".edit input")
    files.keys("memo", Keys.ENTER)
    wait_for(lambda: "memo.txt" in files.text("#preview h2"))
    wait_for(lambda: "show=memo.txt" in files.js("return location.hash"))


def test_closing_goes_back(files):
    look(files, "notes.txt")
    files.one("#preview button[aria-label='Close the preview']").click()
    files.gone("#preview")
    assert files.js("return location.hash") in ("", "#/") and files.active() == "notes.txt"
    files.driver.forward()
    wait_for(lambda: "notes.txt" in files.text("#preview h2"), why="the preview was a step of the way")
