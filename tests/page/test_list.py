"""The list: order, sorting, selecting, opening, renaming, new folders, deleting and undoing, moving, searching."""
import os
import time

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

import samples
from browser import wait_for

FOLDERS = ["archive", "music", "photos"]
FILES = ["backup.tar.gz", "budget.csv", "crew list of the northern harbour, all shifts, final version.docx", "empty.txt", "notes.txt",
         "report 2.pdf", "report 10.pdf", "scan.tiff", "source.py"]


@pytest.fixture
def files(server, browser, account):
    browser.sign_in(server, account)
    return browser


def head(browser, column):
    browser.one(f".head .{column} button").click()


def sort_of(browser, column):
    return browser.one(f".head .{column}").get_attribute("aria-sort")


def test_order_is_natural_with_folders_first(files):
    assert files.names() == FOLDERS + FILES
    assert files.one(".grid").get_attribute("aria-rowcount") == str(len(FOLDERS + FILES) + 1)
    assert "12 items" in files.text("#count")


def test_sorting_by_each_column_both_ways(files, account):
    def by(key, reverse):
        return sorted(FILES, key=lambda name: key(account.root / name), reverse=reverse)
    head(files, "size")
    wait_for(lambda: files.names() == FOLDERS + by(lambda p: p.stat().st_size, True))
    assert sort_of(files, "size") == "descending" and sort_of(files, "name") == "none"
    head(files, "size")
    wait_for(lambda: files.names()[3] == "empty.txt")
    assert sort_of(files, "size") == "ascending"
    head(files, "changed")
    wait_for(lambda: files.names()[3:] == by(lambda p: p.stat().st_mtime, True))
    head(files, "name")
    wait_for(lambda: files.names() == FOLDERS + FILES)
    head(files, "name")
    wait_for(lambda: files.names() == FOLDERS[::-1] + FILES[::-1])


def test_selecting_with_the_mouse(files):
    files.row("budget.csv").click()
    assert files.selected() == ["budget.csv"]
    ActionChains(files.driver).key_down(Keys.SHIFT).click(files.row("notes.txt")).key_up(Keys.SHIFT).perform()
    assert files.selected() == FILES[1:5]
    ActionChains(files.driver).key_down(Keys.CONTROL).click(files.row("empty.txt")).click(files.row("source.py")).key_up(Keys.CONTROL).perform()
    assert files.selected() == [FILES[1], FILES[2], FILES[4], FILES[8]]
    assert "4 selected" in files.text("#commands")
    files.one("#commands [data-action=clear]").click()
    assert files.selected() == []


def test_a_click_beside_the_rows_clears(files):
    files.row("budget.csv").click()
    ActionChains(files.driver).move_to_element_with_offset(files.one(".grid"), 100, 250).click().perform()
    wait_for(lambda: files.selected() == [])


def test_opening_folders_and_going_back(files):
    ActionChains(files.driver).double_click(files.row("archive")).perform()
    files.has("2024", "2025")
    ActionChains(files.driver).double_click(files.row("2024")).perform()
    files.has("january")
    assert "2024" in files.driver.title
    files.driver.back()
    files.has("2025")
    files.one("#path a[aria-label=Files]").click()
    files.has("notes.txt")
    wait_for(lambda: files.selected() == ["archive"], why="the folder that one comes from")


def test_long_paths_fold_into_a_menu(server, browser, account):
    deep = account.root.joinpath(*[f"a rather long folder name {n}" for n in range(12)])
    deep.mkdir(parents=True)
    browser.sign_in(server, account)
    browser.open(server, "#/" + "/".join(f"a%20rather%20long%20folder%20name%20{n}" for n in range(12)))
    more = browser.one("#path button")
    assert "name 11" in browser.text("#path [aria-current]")
    more.click()
    browser.one(".menu button", "name 0").click()
    wait_for(lambda: "name 0" in browser.text("#path [aria-current]"))


def test_rename_in_place(files, account):
    files.row("notes.txt").click()
    files.command("rename")
    field = files.one(".edit input")
    assert files.js("return arguments[0].value.slice(arguments[0].selectionStart, arguments[0].selectionEnd)", field) == "notes"
    files.keys("memo", Keys.ENTER)
    files.has("memo.txt")
    files.lacks("notes.txt")
    wait_for(lambda: (account.root / "memo.txt").exists() and not (account.root / "notes.txt").exists())
    assert files.selected() == ["memo.txt"] and files.active() == "memo.txt"


@pytest.mark.parametrize("typed, told", [("budget.csv", "exists already"), ("a/b", "slash"), ("..", "folder itself"), ("é" * 128, "too long")])
def test_rename_refused_beside_the_field(files, account, typed, told):
    files.row("notes.txt").click()
    files.keys(Keys.F2)
    files.one(".edit input")
    files.type_over(typed)
    files.keys(Keys.ENTER)
    assert told in files.text(".hint")
    assert files.focused().get_attribute("value") == typed
    files.keys(Keys.ESCAPE)
    files.has("notes.txt")
    assert files.active() == "notes.txt"
    assert (account.root / "notes.txt").exists()


def test_rename_refused_by_the_server_comes_back(files, account, failing):
    failing.mode(fail={"POST /api/rename": [409, "exists", "This name exists already."]})
    files.row("notes.txt").click()
    files.keys(Keys.F2)
    files.type_over("memo.txt")
    files.keys(Keys.ENTER)
    assert "exists already" in files.text(".hint")
    assert files.focused().get_attribute("value") == "memo.txt"
    failing.mode()
    files.type_over("other.txt")
    files.keys(Keys.ENTER)
    wait_for(lambda: (account.root / "other.txt").exists())


def test_new_folder_has_its_name_ready_to_type(files, account):
    files.command("newFolder")
    field = files.one(".edit input")
    assert field.get_attribute("value") == "New folder"
    files.keys("Charts", Keys.ENTER)
    files.has("Charts")
    wait_for(lambda: (account.root / "Charts").is_dir())
    assert files.names()[:4] == ["archive", "Charts", "music", "photos"]
    assert files.selected() == ["Charts"]
    assert "Charts" in files.text("#tree")


def test_new_folder_forgotten(files, account):
    files.command("newFolder")
    files.keys(Keys.ESCAPE)
    assert files.names() == FOLDERS + FILES
    files.command("newFolder")
    files.keys("photos", Keys.ENTER)
    assert "exists already" in files.text(".hint")


def test_delete_can_be_undone(files, account):
    files.row("notes.txt").click()
    files.keys(Keys.DELETE)
    files.lacks("notes.txt")
    assert "deleted" in files.text(".toast")
    assert (account.root / "notes.txt").exists()
    files.one(".toast button", "Undo").click()
    files.has("notes.txt")
    files.gone(".toast")
    files.row("budget.csv").click()
    files.keys(Keys.DELETE)
    files.lacks("budget.csv")
    files.keys((Keys.CONTROL, "z"))
    files.has("budget.csv")


def test_delete_is_sent_after_ten_seconds(files, account):
    for name in ("notes.txt", "photos"):
        files.row(name).click()
        files.keys(Keys.DELETE)
        files.lacks(name)
    begun = time.monotonic()
    wait_for(lambda: not (account.root / "notes.txt").exists() and not (account.root / "photos").exists(), 25)
    assert time.monotonic() - begun > 8
    files.gone(".toast")
    assert "photos" not in files.text("#tree")


@pytest.mark.check
def test_delete_is_sent_when_the_page_is_left(files, account):
    files.row("notes.txt").click()
    files.keys(Keys.DELETE)
    files.lacks("notes.txt")
    files.driver.get("about:blank")
    wait_for(lambda: not (account.root / "notes.txt").exists())


def test_what_cannot_be_deleted_comes_back(files, account):
    (account.root / "photos").chmod(0o555)              # what is in it stays
    files.keys((Keys.CONTROL, "a"), Keys.DELETE)
    files.gone(".row")
    assert "12 items deleted" in files.text(".toast")
    wait_for(lambda: not (account.root / "budget.csv").exists(), 25)
    files.has("photos")
    assert "could not be deleted" in files.text(".toast") and "photos" in files.text(".toast")
    assert files.names() == ["photos"]
    (account.root / "photos").chmod(0o755)


def test_a_held_name_can_be_used_at_once(files, account):
    files.row("photos").click()
    files.keys(Keys.DELETE)
    files.lacks("photos")
    files.command("newFolder")
    files.keys("photos", Keys.ENTER)
    wait_for(lambda: (account.root / "photos").is_dir() and not any((account.root / "photos").iterdir()))
    files.has("photos")


@pytest.mark.check
def test_move_by_cut_and_paste(files, account):
    files.row("notes.txt").click()
    ActionChains(files.driver).key_down(Keys.CONTROL).click(files.row("photos")).key_up(Keys.CONTROL).perform()
    files.command("cut")
    files.open(None, "#/archive")
    files.has("2024")
    files.one("#commands", "Move 2 items here")
    files.command("paste")
    files.has("notes.txt", "photos")
    assert (account.root / "archive" / "notes.txt").exists() and (account.root / "archive" / "photos" / "harbour 1.png").exists()
    assert not (account.root / "photos").exists()
    assert "2 items moved" in files.text(".toast")


def test_move_by_dragging(files, account):
    files.drag(files.row("notes.txt"), files.row("music"))
    files.lacks("notes.txt")
    wait_for(lambda: (account.root / "music" / "notes.txt").exists())
    files.drag(files.row("budget.csv"), files.one(".branch", "photos"))
    files.lacks("budget.csv")
    wait_for(lambda: (account.root / "photos" / "budget.csv").exists())
    files.open(None, "#/music")
    files.has("notes.txt")
    files.drag(files.row("notes.txt"), files.one("#path a[aria-label=Files]"))
    files.lacks("notes.txt")
    wait_for(lambda: (account.root / "notes.txt").exists())


def test_a_folder_does_not_move_into_itself(files, account):
    files.row("photos").click()
    files.keys((Keys.CONTROL, "x"))
    files.open(None, "#/photos")
    files.has("harbour 1.png")
    assert not files.all("#commands [data-action=paste]")


@pytest.mark.parametrize("answer, there, moved", [("Replace", b"new", False), ("Keep both", b"old", False), ("Skip", b"old", True)])
def test_moving_onto_a_name_that_exists(server, browser, account, answer, there, moved):
    (account.root / "music" / "log.txt").write_bytes(b"old")
    (account.root / "log.txt").write_bytes(b"new")
    browser.sign_in(server, account)
    browser.row("log.txt").click()
    browser.keys((Keys.CONTROL, "x"))
    browser.open(None, "#/music")
    browser.has("log.txt")
    browser.keys((Keys.CONTROL, "v"))
    assert "exists already" in browser.text("dialog h2")
    browser.one("dialog button", answer).click()
    browser.gone("dialog")
    wait_for(lambda: (account.root / "music" / "log.txt").read_bytes() == there)
    wait_for(lambda: (account.root / "log.txt").exists() == moved)
    if answer == "Keep both":
        browser.has("log (2).txt")
        assert (account.root / "music" / "log (2).txt").read_bytes() == b"new"


def test_search_below_the_folder(files):
    files.keys("/")
    assert files.focused().get_attribute("id") == "search-field"
    files.keys("LOG")
    files.has("log.txt")
    wait_for(lambda: files.names() == ["log.txt", "log.txt"])
    assert "2 results" in files.text("#count")
    assert "/archive/2024/january" in files.text(".grid")
    assert "find=LOG" in files.js("return location.hash")
    files.keys(Keys.ENTER)
    files.keys(Keys.HOME)
    files.command("show")
    wait_for(lambda: "january" in files.text("#path [aria-current]"))
    wait_for(lambda: files.selected() == ["log.txt"])
    files.driver.back()
    wait_for(lambda: len(files.names()) == 2)
    assert files.one("#search-field").get_attribute("value") == "LOG"
    files.one("#search button").click()
    files.has("notes.txt")


def test_search_results_can_be_deleted_and_moved(files, account):
    files.open(None, "#/?find=log")
    wait_for(lambda: len(files.names()) == 2)
    files.keys(Keys.END, Keys.DELETE)
    wait_for(lambda: len(files.names()) == 1)
    files.driver.get("about:blank")
    wait_for(lambda: len(list(account.root.rglob("log.txt"))) == 1)


def test_search_that_finds_nothing(files):
    files.open(None, "#/?find=zebra")
    assert "zebra" in files.text("#notice") and "Nothing" in files.text("#notice")


def test_downloads(files, account):
    files.menu("notes.txt", "Download")
    wait_for(lambda: (files.downloads / "notes.txt").exists())
    assert (files.downloads / "notes.txt").read_bytes() == (account.root / "notes.txt").read_bytes()


def test_several_come_as_a_zip(files, account):
    import zipfile
    files.row("photos").click()
    ActionChains(files.driver).key_down(Keys.CONTROL).click(files.row("notes.txt")).key_up(Keys.CONTROL).perform()
    files.command("download")
    found = wait_for(lambda: [p for p in files.downloads.glob("*.zip") if zipfile.is_zipfile(p)])
    with zipfile.ZipFile(found[0]) as archive:
        assert set(archive.namelist()) == {"notes.txt", "photos/", "photos/harbour 1.png", "photos/harbour 2.png", "photos/harbour 10.png"}
        assert archive.read("notes.txt") == (account.root / "notes.txt").read_bytes()


@pytest.mark.allows("frame-ancestors 'none'")        # the frame that nobody sees is refused the refusal's text
def test_a_download_that_is_refused_is_told(files, failing):
    failing.mode(fail={"HEAD /files": [404, "not_found", "There is no such file."]})
    files.menu("notes.txt", "Download")
    assert "could not be downloaded" in files.text(".toast")
    failing.mode(fail={"POST /api/zip": [503, "busy", "Later."]})
    files.menu("photos", "Download")
    files.one(".toast", "could not be started")


def test_empty_folders_say_what_to_do(server, browser, account):
    (account.root / "void").mkdir()
    browser.sign_in(server, account)
    browser.open(None, "#/void")
    assert "empty" in browser.text("#notice h2")
    browser.one("#notice button", "New folder").click()
    browser.keys("first", Keys.ENTER)
    browser.has("first")
    browser.gone("#notice")


def test_a_listing_that_breaks_off(server, browser, account, failing):
    (account.root / "many").mkdir()
    for n in range(900):
        (account.root / "many" / f"{n}.txt").touch()
    browser.sign_in(server, account)
    failing.mode(cut_answer={"GET /api/list": 40_000}, hold=True)
    browser.js("location.hash = '#/many'")
    wait_for(lambda: browser.names())
    failing.mode()
    browser.one("#notice", "Not everything")
    browser.one("#notice button", "Try again").click()
    wait_for(lambda: "900 items" in browser.text("#count"))
    browser.gone("#notice")


def test_a_folder_that_is_not_there(files):
    files.open(None, "#/nowhere")
    assert "not there" in files.text("#notice")


def test_the_tree_follows_hides_and_stays_hidden(files):
    def branches():
        return files.js("return [...document.querySelectorAll('.branch .label')].map(b => b.textContent)")
    files.open(None, "#/archive/2024")
    files.has("january")
    wait_for(lambda: branches() == ["Files", "archive", "2024", "january", "2025", "music", "photos"] or branches() == ["Files", "archive", "2024", "2025", "music", "photos"])
    files.one(".branch", "music").click()
    files.has("tide.wav")
    files.one("#commands [data-action=tree]").click()
    files.gone("#tree")
    files.driver.refresh()
    files.ready()
    assert not files.one("#files").find_elements("css selector", "#tree") and not files.driver.find_element("id", "tree").is_displayed()
    files.js("localStorage.removeItem('tree')")


def test_rows_uploaded_elsewhere_come_by_reading_again(files, account):
    (account.root / "new.txt").write_text("x")
    ActionChains(files.driver).move_to_element_with_offset(files.one(".grid"), 100, 250).context_click().perform()
    files.one(".menu button", "Read again").click()
    files.has("new.txt")
    os.unlink(account.root / "new.txt")


def test_an_account_with_a_trash(server, browser):
    """What is deleted is found in the trash, and comes back from there."""
    account = server.account(trash=True)
    samples.furnish(account.root)
    browser.sign_in(server, account)
    browser.row("notes.txt").click()
    browser.keys(Keys.DELETE)
    browser.lacks("notes.txt")
    browser.driver.get("about:blank")
    kept = wait_for(lambda: list((account.root / ".trash").glob("*notes.txt")))[0]
    assert kept.read_text() == samples.NOTES and not (account.root / "notes.txt").exists()
    browser.driver.get(server.base + "/#/.trash")
    browser.ready()
    browser.row(kept.name).click()
    browser.keys((Keys.CONTROL, "x"))
    browser.open(None, "#/")
    browser.has("music")
    browser.keys((Keys.CONTROL, "v"))
    wait_for(lambda: (account.root / kept.name).exists())
    browser.has(kept.name)
