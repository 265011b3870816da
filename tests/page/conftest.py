"""Fixtures of the page's tests: a server (the mock, unless another class takes its place in serve.py), a
browser, an account with files of every kind. Not part of `make check` yet; all of them, or some, at low priority:

    nice -n 19 /usr/bin/python3 -m pytest tests/page
    nice -n 19 /usr/bin/python3 -m pytest tests/page/test_list.py -k sort

They need Debian's chromium, chromium-driver, python3-selenium and python3-pytest, and leave their screenshots
in build/page. A test fails, whatever else it finds, when the page logs an error or breaks its own policy.
"""
import pathlib
import shutil
import signal

import pytest

import samples
from browser import Browser
from serve import Mock

LIMIT_S = 300


def pytest_configure(config):
    config.addinivalue_line("markers", "allows(text): the page's trouble with this text in it is what the test provokes")
    config.addinivalue_line("markers", "long: takes a minute or more (2 GiB); -m 'not long' leaves it out")


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
        terminalreporter.write_line(f"repeat: nice -n 19 /usr/bin/python3 -m pytest '{node}'")


@pytest.fixture(scope="session")
def server():
    one = Mock()
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
    return one


@pytest.fixture
def failing(server):
    if not server.can_fail:
        pytest.skip("this server cannot be made to fail")
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
    pathlib.Path(__file__).resolve().parent.parent.parent.joinpath("build", "page").mkdir(parents=True, exist_ok=True)
