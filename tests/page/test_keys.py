"""Everything by keyboard alone."""
import pytest
from selenium.webdriver.common.keys import Keys

from browser import wait_for


@pytest.fixture
def files(server, browser, account):
    browser.driver.get(server.base + "/")
    browser.one("#user")
    browser.keys(account.name, Keys.TAB, account.password, Keys.ENTER)
    browser.ready()
    return browser


def test_moving_and_selecting(files):
    files.keys(Keys.ARROW_DOWN)
    assert files.active() == "archive" and files.selected() == ["archive"]
    files.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, (Keys.SHIFT, Keys.ARROW_DOWN))
    assert files.selected() == ["photos", "backup.tar.gz"]
    files.keys((Keys.CONTROL, Keys.ARROW_DOWN), (Keys.CONTROL, Keys.ARROW_DOWN), (Keys.CONTROL, " "))
    assert len(files.selected()) == 3 and files.active() == files.selected()[-1]
    files.keys(Keys.END)
    assert files.active() == "source.py"
    files.keys((Keys.SHIFT, Keys.HOME))
    assert len(files.selected()) == 12
    files.keys(Keys.ESCAPE)
    assert files.selected() == []
    files.keys((Keys.CONTROL, "a"))
    assert len(files.selected()) == 12


def test_typing_leads_to_names(files):
    files.keys("r", "e")
    assert files.active() == "report 2.pdf"
    files.keys("port 1")
    assert files.active() == "report 10.pdf"


def test_opening_and_going_up(files):
    files.keys(Keys.ARROW_DOWN, Keys.ENTER)
    files.has("2024")
    assert files.active() == "2024", "the focus stays in the list"
    files.keys(Keys.ENTER)
    files.has("january")
    files.keys(Keys.BACKSPACE)
    files.has("2025")
    assert files.active() == "2024"
    files.keys(Keys.BACKSPACE)
    files.has("notes.txt")
    assert files.active() == "archive"


def test_preview_follows_and_closes(files):
    files.keys("photos", Keys.ENTER)
    files.has("harbour 1.png")
    files.keys(Keys.ENTER)
    files.one("#preview img")
    files.keys(Keys.ARROW_DOWN)
    wait_for(lambda: "harbour 2.png" in files.text("#preview h2"))
    files.keys(Keys.ESCAPE)
    files.gone("#preview")
    assert files.active() == "harbour 2.png"
    for _ in range(5):  # while it still follows
        files.keys(Keys.ENTER)
        files.one("#preview img")
        files.keys(Keys.ARROW_UP)
        wait_for(lambda: "harbour 1.png" in files.text("#preview h2"))
        files.keys(Keys.ARROW_DOWN)
        wait_for(lambda: "harbour 2.png" in files.text("#preview h2"))
        files.keys(Keys.ESCAPE)
        files.gone("#preview")


@pytest.mark.check
def test_actions(files, account):
    files.keys("notes", Keys.F2)
    files.one(".edit input")
    files.keys("memo", Keys.ENTER)
    files.has("memo.txt")
    files.keys((Keys.CONTROL, "x"), Keys.HOME, Keys.ENTER)
    files.has("2024")
    files.keys((Keys.CONTROL, "v"))
    files.has("memo.txt")
    wait_for(lambda: (account.root / "archive" / "memo.txt").exists())
    files.keys("memo", Keys.DELETE)
    files.lacks("memo.txt")
    files.keys((Keys.CONTROL, "z"))
    files.has("memo.txt")


def test_menu_of_a_row(files):
    files.keys("budget")
    files.keys((Keys.SHIFT, Keys.F10))
    files.one(".menu")
    first = files.focused().get_property("textContent")
    files.keys(Keys.ARROW_DOWN)
    assert files.focused().get_property("textContent") != first
    files.keys(Keys.END)
    assert "Delete" in files.focused().get_property("textContent")
    files.keys("r")
    assert "Rename" in files.focused().get_property("textContent")
    files.keys(Keys.ESCAPE)
    files.gone(".menu")
    assert files.active() == "budget.csv"
    files.keys((Keys.SHIFT, Keys.F10), "r", Keys.ENTER)
    assert files.one(".edit input").get_attribute("value") == "budget.csv"


def test_search_and_the_list_of_keys(files):
    files.keys("?")
    assert "Rename" in files.text("dialog") and "Search" in files.text("dialog")
    files.keys(Keys.ESCAPE)
    files.gone("dialog")
    files.keys("/", "log", Keys.ENTER)
    wait_for(lambda: files.names() == ["log.txt", "log.txt"])
    wait_for(lambda: files.active() == "log.txt")
    files.keys("/", Keys.ESCAPE)
    files.has("notes.txt")
    assert files.js("return document.activeElement.closest('.grid') !== null")


@pytest.mark.check
def test_tab_reaches_everything_in_order(files):
    """From the top: skip link, name, path, search, account, tree, bar, columns, list; and the focus is always seen."""
    reached = []
    files.js("document.activeElement.blur()")
    for _ in range(20):
        files.keys(Keys.TAB)
        told = files.js("""const e = document.activeElement; if (e === document.body) return null;
            const s = getComputedStyle(e), b = e.getBoundingClientRect();
            return [e.ariaLabel || e.textContent.trim(), s.outlineStyle, parseFloat(s.outlineWidth), b.top >= 0 && b.bottom <= innerHeight && b.width > 0, e.closest('.bar, .tree, .commands, .head, .canvas, .skip')?.className]""")
        if told is None:
            break
        assert told[1] != "none" and told[2] >= 2, f"no ring around {told[0]}"
        assert told[3], f"{told[0]} is out of sight"
        reached.append(told[4].split()[0])
    order = list(dict.fromkeys(reached))
    assert order == ["skip", "bar", "canvas", "commands", "head"] or order == ["skip", "bar", "tree", "commands", "head", "canvas"], order
    assert reached[-1] == "canvas"


def test_the_skip_link_leads_to_the_list(files):
    files.js("document.activeElement.blur()")
    files.keys(Keys.TAB)
    assert "Skip" in files.focused().get_property("textContent")
    files.shot("skip-link")
    files.keys(Keys.ENTER)
    assert files.active() == "archive"


def test_the_tree(files):
    files.js("document.querySelector('.branch[tabindex=\"0\"]').focus()")
    files.keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    wait_for(lambda: "2024" in files.text("#tree"))
    files.keys(Keys.ARROW_RIGHT, Keys.ENTER)
    files.has("january")
    assert files.js("return document.activeElement.closest('.branch') !== null")
    files.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    wait_for(lambda: "2024" not in files.text("#tree"))


def test_sorting_connecting_theme_signing_out(files, server):
    files.js("document.querySelector('.head .size button').focus()")
    files.keys(Keys.ENTER)
    wait_for(lambda: files.one(".head .size").get_attribute("aria-sort") == "descending")
    files.js("document.getElementById('account-button').focus()")
    files.keys(Keys.ENTER, "d", Keys.ENTER)
    wait_for(lambda: files.js("return document.documentElement.dataset.theme") == "dark")
    wait_for(lambda: files.focused().get_attribute("id") == "account-button")
    files.keys(Keys.ENTER, "h", Keys.ENTER)
    wait_for(lambda: files.focused().get_attribute("id") == "page-title")
    files.keys(Keys.TAB)
    assert "Copy" in files.focused().get_attribute("aria-label")
    files.js("document.getElementById('account-button').focus()")
    files.keys(Keys.ENTER, "s", Keys.ENTER)
    files.one("#sign-in")
    files.driver.get(server.base + "/")
    files.one("#sign-in")
    files.js("localStorage.clear()")


def test_uploads_by_keyboard(files, account, desk, failing):
    path = desk / "large.bin"
    path.write_bytes(bytes(6 << 20))
    failing.mode(rate=2 << 20)
    files.choose("upload", [path])
    wait_for(lambda: files.all("[data-action=pause]"))
    files.js("document.querySelector('[data-action=pause]').focus()")
    files.keys(Keys.ENTER)
    wait_for(lambda: files.uploads()[0][1] == "paused")
    assert files.focused().get_attribute("data-action") == "resume", "the focus stays where it was"
    failing.mode()
    files.keys(Keys.ENTER)
    files.uploaded(1)


def tab_to(browser, name):
    """Tab until what has this name has the focus."""
    for _ in range(60):
        browser.keys(Keys.TAB)
        if browser.js("const e = document.activeElement; return (e.ariaLabel || e.labels?.[0]?.textContent || e.textContent).trim()").startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_new_folders_downloads_and_zips(files, account):
    tab_to(files, "New folder")
    files.keys(Keys.ENTER, "Charts", Keys.ENTER)
    wait_for(lambda: (account.root / "Charts").is_dir())
    wait_for(lambda: files.active() == "Charts")
    files.keys("notes", (Keys.SHIFT, Keys.F10), "d", Keys.ENTER)
    wait_for(lambda: (files.downloads / "notes.txt").exists())
    files.keys((Keys.SHIFT, Keys.ARROW_DOWN))
    tab_to(files, "Download")
    files.keys(Keys.ENTER)
    wait_for(lambda: list(files.downloads.glob("*.zip")))


@pytest.mark.check
def test_uploads_and_questions(files, account, desk):
    for name in ("notes.txt", "budget.csv"):
        (desk / name).write_text("new " + name)
    files.choose(lambda: (tab_to(files, "Upload"), files.keys(Keys.ENTER)), [desk / "notes.txt", desk / "budget.csv"])
    files.one("dialog")
    tab_to(files, "Do the same")
    files.keys(" ")
    tab_to(files, "Keep both")
    files.keys(Keys.ENTER)
    files.uploaded(2)
    wait_for(lambda: (account.root / "notes (2).txt").read_text() == "new notes.txt" and (account.root / "budget (2).csv").exists())
    tab_to(files, "Close")
    files.keys(Keys.ENTER)
    files.gone("#panel")


def test_previews_and_checksums(files, account):
    files.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    files.keys("notes", Keys.ENTER)
    files.one("#preview pre", "ferry")
    tab_to(files, "Checksums")
    files.keys(Keys.ENTER)
    files.one("#preview code")
    tab_to(files, "Copy SHA-256")
    files.keys(Keys.ENTER)
    wait_for(lambda: "copied" in files.js("return document.getElementById('said').textContent"))
    tab_to(files, "Checksums")
    files.keys(Keys.ENTER, Keys.ESCAPE)
    files.gone("#preview")


def test_paths_and_what_failed(files, account, desk, failing):
    files.keys("archive", Keys.ENTER)
    files.has("2024")
    files.keys(Keys.ENTER)
    files.has("january")
    files.js("document.activeElement.blur()")
    tab_to(files, "archive")
    files.keys(Keys.ENTER)
    files.has("2025")
    tab_to(files, "Clear the selection")
    files.keys(Keys.ENTER)
    failing.mode(fail={"POST /api/uploads": [507, "no_space", "The disk is full."]})
    (desk / "a.txt").write_text("a")
    files.choose(lambda: (tab_to(files, "Upload"), files.keys(Keys.ENTER)), [desk / "a.txt"])
    files.one(".transfer", "space")
    failing.mode()
    tab_to(files, "Try \u2068a.txt")
    files.keys(Keys.ENTER)
    files.uploaded(1)
    assert (account.root / "archive" / "a.txt").exists()
