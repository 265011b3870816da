"""Fixtures of the page's tests: the real server behind a proxy that can make it fail, one browser for all tests, an
account with files of every kind. `make check-page` runs all of them, `make check` those that are marked so.

    make check-page T=tests/page/test_list.py

They need Debian's chromium, chromium-driver, python3-selenium and python3-pytest, and leave their screenshots
in build/page. A test fails, whatever else it finds, when the page logs an error or breaks its own policy.
"""
import shutil
import signal

import pytest

import samples
from browser import SHOTS, Browser
from serve import PATIENCE, Real, e2e

LIMIT_S = 300 * PATIENCE


def pytest_configure(config):
    config.addinivalue_line("markers", "allows(text): the page's trouble with this text in it is what the test provokes")
    config.addinivalue_line("markers", "long: takes a minute or more (2 GiB); -m 'not long' leaves it out")
    config.addinivalue_line("markers", "check: what make check runs of the page, a minute in all")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    def late(_number, _frame):
        raise TimeoutError(f"the test took more than {LIMIT_S} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pytest_terminal_summary(terminalreporter):
    bad = terminalreporter.stats.get("failed", []) + terminalreporter.stats.get("error", [])
    for node in sorted({report.nodeid for report in bad}):
        terminalreporter.write_line(f"repeat: make check-page VARIANT={e2e.BUILD.name} T='{node}'")


@pytest.fixture(scope="session")
def server():
    one = Real()
    yield one
    one.close()


@pytest.fixture(scope="session")
def chromium():
    one = Browser()
    yield one
    one.close()


@pytest.fixture
def browser(chromium, server, request):
    """The browser, fresh, in a wide light window; after the test the page must have had no trouble."""
    chromium.look(1440, 900)
    chromium.fresh()
    server.begin()
    yield chromium
    trouble = list(chromium.collect())
    failed = getattr(request.node, "failed_call", False)
    if failed:
        chromium.shot("failed-" + "".join(c if c.isalnum() else "-" for c in request.node.name))
    allowed = [mark.args[0] for mark in request.node.iter_markers("allows")]
    assert not [one for one in trouble if not any(text in one for text in allowed)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed_call = outcome.get_result().failed


@pytest.fixture
def account(server):
    """An account with all rights and a small, lifelike home."""
    one = server.account()
    samples.furnish(one.root)
    server.own(one)
    return one


@pytest.fixture
def failing(server):
    """The server, when it is to be slow or to fail."""
    yield server
    server.mode()


@pytest.fixture
def desk(tmp_path):
    """A folder of the person's own machine, to upload from."""
    folder = tmp_path / "desk"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def pytest_sessionstart():
    SHOTS.mkdir(parents=True, exist_ok=True)


def pytest_sessionfinish():
    e2e.forget_programs()
