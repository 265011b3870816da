"""Uploads: files and folders, by buttons and by dropping; cut off and going on; names that exist; byte by byte."""
import hashlib
import os
import time

import pytest
from selenium.webdriver.common.keys import Keys

from browser import wait_for

MB = 1 << 20


@pytest.fixture
def files(server, browser, account):
    browser.sign_in(server, account)
    return browser


def big(desk, name, size, seed=b"x"):
    """A file of which no two pieces are alike."""
    path = desk / name
    with open(path, "wb") as out:
        for n in range(0, size, MB):
            block = hashlib.sha256(seed + n.to_bytes(8, "big")).digest() * (MB // 32)
            out.write(block[:min(MB, size - n)])
    return path


def same(a, b):
    def digest(path):
        sha = hashlib.sha256()
        with open(path, "rb") as source:
            while data := source.read(MB):
                sha.update(data)
        return sha.hexdigest()
    return digest(a) == digest(b)


def state_of(browser, name):
    return dict(browser.uploads()).get(name)


def until(browser, name, *states):
    return wait_for(lambda: state_of(browser, name) in states, 60, f"{name} {states}: {browser.uploads()}")


def test_files_by_the_button(files, account, desk, server):
    paths = [desk / "small.txt", desk / "nothing.txt", big(desk, "large.bin", 5 * MB + 17)]
    paths[0].write_text("small")
    paths[1].write_text("")
    os.utime(paths[0], (1_600_000_000, 1_600_000_000))
    files.choose("upload", paths)
    files.uploaded(3)
    for path in paths:
        assert same(path, account.root / path.name)
        files.has(path.name)
    assert int((account.root / "small.txt").stat().st_mtime) == 1_600_000_000
    assert len([line for line in server.requests() if line.startswith("PATCH /api/uploads")]) == 1, "the small ones came with their creation"
    files.one("#panel button[aria-label=Close]").click()
    files.gone("#panel")


def test_a_folder_by_the_button(files, account, desk):
    folder = desk / "trip"
    (folder / "day 1").mkdir(parents=True)
    (folder / "day 1" / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    files.choose("uploadFolder", [folder])
    files.uploaded(2)
    files.has("trip")
    assert (account.root / "trip" / "day 1" / "a.txt").read_text() == "a" and (account.root / "trip" / "b.txt").read_text() == "b"


@pytest.mark.check
def test_dropping_files_and_folders(files, account, desk):
    folder = desk / "box"
    (folder / "empty" / "inner").mkdir(parents=True)
    (folder / "full").mkdir()
    for n in range(130):                              # more than one reading of a directory gives
        (folder / "full" / f"{n}.txt").write_text(str(n))
    (desk / "single.txt").write_text("s")
    told = files.drop([folder, desk / "single.txt"])
    assert told and "Drop to upload" in told
    files.uploaded(131)
    files.gone("#drop")
    wait_for(lambda: (account.root / "box" / "empty" / "inner").is_dir())
    assert (account.root / "single.txt").read_text() == "s"
    for n in range(130):
        assert (account.root / "box" / "full" / f"{n}.txt").read_text() == str(n)
    files.has("box", "single.txt")


def test_what_is_dropped_goes_to_the_folder_that_was_open(files, account, desk, failing):
    failing.mode(delay={"POST /api/uploads": 1})
    files.open(None, "#/photos")
    (desk / "here.txt").write_text("x")
    assert "photos" in files.drop([desk / "here.txt"])
    files.open(None, "#/music")
    files.uploaded(1)
    assert (account.root / "photos" / "here.txt").exists()
    assert "here.txt" not in files.names()


def test_odd_names_arrive_as_they_are(files, account, desk):
    names = ["\u202etxt.exe", "a&b#c?d%e+f;g.txt", " spaces ", "percent%2Fslash.txt", "😀.txt", "שלום.txt", "quote\"'.txt"]
    for name in names:
        (desk / name).write_text(name)
    files.drop([desk / name for name in names])
    files.uploaded(len(names))
    for name in names:
        assert (account.root / name).read_text() == name


@pytest.mark.parametrize("answer, there, more", [("Replace", "new", None), ("Keep both", "old", "notes (2).txt"), ("Skip", "old", None)])
def test_a_name_that_exists(files, account, desk, answer, there, more):
    (account.root / "notes.txt").write_text("old")
    (desk / "notes.txt").write_text("new")
    files.choose("upload", [desk / "notes.txt"])
    assert "notes.txt" in files.text("dialog h2")
    files.one("dialog button", answer).click()
    files.gone("dialog")
    if answer == "Skip":
        files.gone("#panel")
    else:
        files.uploaded(1)
    assert (account.root / "notes.txt").read_text() == there
    if more:
        assert (account.root / more).read_text() == "new"
        files.has(more)


def test_the_same_for_all(files, account, desk):
    names = ["notes.txt", "budget.csv", "source.py", "empty.txt"]
    for name in names:
        (desk / name).write_text("new " + name)
    files.choose("upload", [desk / name for name in names])
    files.one("dialog label").click()
    files.one("dialog button", "Replace").click()
    files.uploaded(4)
    assert not files.all("dialog")
    for name in names:
        assert (account.root / name).read_text() == "new " + name


def test_a_file_does_not_replace_a_folder(files, account, desk):
    (desk / "photos").write_text("I am a file")
    files.choose("upload", [desk / "photos"])
    files.one("dialog")
    assert not [b for b in files.all("dialog button") if b.text == "Replace"]
    files.keys(Keys.ESCAPE)
    files.gone("dialog")
    assert (account.root / "photos").is_dir()


def test_pause_and_go_on(files, account, desk, failing):
    path = big(desk, "large.bin", 12 * MB)
    failing.mode(rate=3 * MB)
    files.choose("upload", [path])
    until(files, "large.bin", "running")
    files.one("[data-action=pause]").click()
    until(files, "large.bin", "paused")
    time.sleep(0.5)
    assert not (account.root / "large.bin").exists()
    failing.mode()
    files.one("[data-action=resume]").click()
    files.uploaded(1)
    assert same(path, account.root / "large.bin")


def test_all_at_once_can_be_paused(files, account, desk, failing):
    paths = [big(desk, f"{n}.bin", 3 * MB, str(n).encode()) for n in range(5)]
    failing.mode(rate=1 * MB)
    files.choose("upload", paths)
    until(files, "0.bin", "running")
    assert state_of(files, "4.bin") == "waiting"
    files.one("#panel button[aria-label='Pause all']").click()
    wait_for(lambda: {state for _, state in files.uploads()} == {"paused"})
    failing.mode()
    files.one("#panel button[aria-label='Go on with all']").click()
    files.uploaded(5)
    for path in paths:
        assert same(path, account.root / path.name)


def test_cancel_leaves_nothing(files, account, desk, failing):
    failing.mode(rate=2 * MB)
    files.choose("upload", [big(desk, "large.bin", 12 * MB)])
    until(files, "large.bin", "running")
    files.one("[data-action=cancel]").click()
    files.gone("#panel")
    wait_for(lambda: any(line.startswith("DELETE /api/uploads") for line in failing.requests()))
    assert not (account.root / "large.bin").exists()


def test_speed_and_time_left_are_told(files, desk, failing):
    failing.mode(rate=2 * MB)
    files.choose("upload", [big(desk, "large.bin", 16 * MB)])
    wait_for(lambda: "/s" in files.text("#panel .sum") and "left" in files.text("#panel .sum"))
    assert "of 16.8 MB" in files.text(".transfer .about")
    files.one("#panel button[aria-expanded=true]").click()
    assert not files.one("#panel").find_element("css selector", ".box").is_displayed()
    failing.mode()
    files.uploaded(1)


@pytest.mark.check
def test_the_server_dies_and_comes_back(files, account, desk, server, failing):
    """Killed in the middle of a piece, while the page waits: it goes on by itself where it was."""
    path = big(desk, "large.bin", 60 * MB)
    failing.mode(rate=20 * MB)
    files.choose("upload", [path])
    wait_for(lambda: files.js("return document.querySelector('.transfer progress').value") > 0.3, 60)
    server.kill()
    until(files, "large.bin", "offline")
    assert "connection" in files.text(".transfer .about")
    files.shot("upload-offline")
    failing.mode()
    server.start()
    files.uploaded(1)
    assert same(path, account.root / "large.bin")
    patches = [line for line in server.requests() if line.startswith("PATCH")]
    assert len(patches) <= 4, "it began anew"


def test_a_connection_that_is_cut_again_and_again(files, account, desk, failing):
    path = big(desk, "large.bin", 20 * MB)
    failing.mode(cut={"PATCH /": 7 * MB})
    files.choose("upload", [path])
    files.uploaded(1)
    assert same(path, account.root / "large.bin")


def test_offline_and_online_again(files, account, desk, failing):
    path = big(desk, "large.bin", 80 * MB)
    failing.mode(rate=20 * MB)
    files.choose("upload", [path])
    until(files, "large.bin", "running")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    files.cdp("Network.emulateNetworkConditions", offline=True, **offline)
    until(files, "large.bin", "offline")
    failing.mode()
    files.cdp("Network.emulateNetworkConditions", offline=False, **offline)
    files.uploaded(1)
    assert same(path, account.root / "large.bin")


def leave_page(browser):
    browser.driver.refresh()
    try:
        browser.driver.switch_to.alert.accept()
    except Exception:                                # headless browsers may not ask
        pass
    browser.ready()


def test_after_a_reload_the_same_file_is_asked_for(files, account, desk, failing):
    path = big(desk, "large.bin", 40 * MB)
    failing.mode(rate=10 * MB)
    files.choose("upload", [path])
    wait_for(lambda: files.js("return document.querySelector('.transfer progress').value") > 0.2, 60)
    leave_page(files)
    until(files, "large.bin", "missing")
    assert "cut off" in files.text("#panel .notice")
    files.shot("upload-cut-off")
    failing.mode()
    before = len(failing.requests())
    other = big(desk, "other.bin", 3 * MB)
    files.choose(lambda: files.one("#panel .notice button").click(), [other])
    assert state_of(files, "large.bin") == "missing"
    files.choose(lambda: files.one("#panel .notice button").click(), [path])
    files.uploaded(1)
    assert same(path, account.root / "large.bin")
    assert [line for line in failing.requests()[before:] if line.startswith("HEAD /api/uploads")]
    assert not [line for line in failing.requests()[before:] if line.startswith("POST /api/uploads")], "it began anew"


def test_after_a_reload_handles_go_on_by_themselves(files, account, failing):
    """A file of the origin's own file system: a handle that is kept and may be read without asking."""
    failing.mode(rate=8 * MB)
    files.driver.execute_async_script("""
        const done = arguments[0];
        (async () => {
            const root = await navigator.storage.getDirectory();
            const handle = await root.getFileHandle('kept.bin', {create: true});
            const out = await handle.createWritable();
            const block = new Uint8Array(1 << 20);
            for (let n = 0; n < 24; n++) { block.fill(n + 1); await out.write(block); }
            await out.close();
            window.showOpenFilePicker = async () => [handle];
            done();
        })();""")
    files.command("upload")
    wait_for(lambda: files.js("return document.querySelector('.transfer progress').value") > 0.2, 60)
    leave_page(files)
    failing.mode()
    files.uploaded(1)
    data = (account.root / "kept.bin").read_bytes()
    assert len(data) == 24 * MB and all(data[n * MB] == n + 1 and data[(n + 1) * MB - 1] == n + 1 for n in range(24))
    assert len([line for line in failing.requests() if line.startswith("POST /api/uploads")]) >= 1


def test_another_tab_does_not_take_what_is_under_way(files, account, desk, server, failing):
    path = big(desk, "large.bin", 30 * MB)
    failing.mode(rate=6 * MB)
    files.choose("upload", [path])
    until(files, "large.bin", "running")
    first = files.driver.current_window_handle
    files.driver.switch_to.new_window("tab")
    files.driver.get(server.base + "/")
    files.ready()
    time.sleep(0.5)
    assert files.uploads() == []
    files.driver.close()
    files.driver.switch_to.window(first)
    failing.mode()
    files.uploaded(1)
    assert same(path, account.root / "large.bin")


def test_leaving_while_something_runs_asks(files, desk, failing):
    failing.mode(rate=1 * MB)
    files.choose("upload", [big(desk, "large.bin", 12 * MB)])
    until(files, "large.bin", "running")
    assert files.js("const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented")
    files.one("[data-action=cancel]").click()
    files.gone("#panel")
    assert not files.js("const e = new Event('beforeunload', {cancelable: true}); dispatchEvent(e); return e.defaultPrevented")


@pytest.mark.check
def test_a_name_that_is_taken_while_it_comes(files, account, desk, failing):
    """The last piece is refused, and the question is asked then."""
    path = big(desk, "large.bin", 40 * MB)
    failing.mode(rate=16 * MB)
    files.choose("upload", [path])
    until(files, "large.bin", "running")
    (account.root / "large.bin").write_text("somebody else's")
    failing.mode()
    files.one("dialog")
    files.one("dialog button", "Keep both").click()
    files.uploaded(1)
    assert (account.root / "large.bin").read_text() == "somebody else's"
    assert same(path, account.root / "large (2).bin")
    assert not [name for name in os.listdir(account.root) if name.startswith(".sallyport")], "nothing is left of the first"


def test_what_the_server_refuses_is_told_and_can_be_tried_again(files, account, desk, failing):
    (desk / "a.txt").write_text("a")
    failing.mode(fail={"POST /api/uploads": [507, "no_space", "The disk is full."]})
    files.choose("upload", [desk / "a.txt"])
    until(files, "a.txt", "failed")
    assert "space" in files.text(".transfer .about")
    files.shot("upload-failed")
    failing.mode()
    files.one("[data-action=retry]").click()
    files.uploaded(1)
    assert (account.root / "a.txt").read_text() == "a"


def test_a_server_in_trouble_is_tried_again_by_itself(files, account, desk, failing):
    (desk / "a.txt").write_text("a")
    failing.mode(fail={"POST /api/uploads": [503, "busy", "Later."]})
    files.choose("upload", [desk / "a.txt"])
    until(files, "a.txt", "offline")
    failing.mode()
    files.uploaded(1)
    assert (account.root / "a.txt").exists()


def test_a_file_that_changed_under_our_hands_is_told(files, account, desk, failing):
    path = big(desk, "large.bin", 12 * MB)
    failing.mode(rate=2 * MB)
    files.choose("upload", [path])
    until(files, "large.bin", "running")
    files.one("[data-action=pause]").click()
    until(files, "large.bin", "paused")
    path.write_bytes(b"another")
    os.utime(path, (1, 1))
    failing.mode()
    files.one("[data-action=resume]").click()
    until(files, "large.bin", "failed")
    assert "changed" in files.text(".transfer .about")


def test_a_thousand_small_files(files, account, desk):
    folder = desk / "many"
    folder.mkdir()
    for n in range(1000):
        (folder / f"{n}.txt").write_text(str(n))
    files.drop([folder])
    files.uploaded(1000)
    assert all((account.root / "many" / f"{n}.txt").read_text() == str(n) for n in range(1000))
    assert len(files.all(".transfer")) < 40, "only rows in sight are in the page"


def part_of(browser):
    return browser.js("return document.querySelector('.transfer progress')?.value ?? 0")


@pytest.mark.long
def test_two_gigabytes_after_the_server_was_killed(browser, account, desk, server):
    """Straight to the server, which dies in the middle; then the page is loaded anew, and the file chosen again."""
    browser.sign_in(server.straight, account)
    path = big(desk, "huge.bin", 2048 * MB)
    browser.choose("upload", [path])
    wait_for(lambda: part_of(browser) > 0.4, 120)
    server.kill()
    until(browser, "huge.bin", "offline")
    assert 0.3 < part_of(browser) < 1 and not (account.root / "huge.bin").exists()
    server.start()
    wait_for(lambda: state_of(browser, "huge.bin") == "running" and part_of(browser) > 0.6, 120)
    leave_page(browser)
    until(browser, "huge.bin", "missing")
    browser.choose(lambda: browser.one("#panel .notice button").click(), [path])
    browser.uploaded(1)
    assert same(path, account.root / "huge.bin")
    assert (account.root / "huge.bin").stat().st_size == 2 << 30
