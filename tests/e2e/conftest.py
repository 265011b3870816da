"""Fixtures of the end-to-end tests, and what every run of them has: a time limit a test, skips that
say why, and the command that repeats a failing test alone."""
import filecmp
import hashlib
import os
import shutil
import signal
import subprocess
import threading

import pytest

import server as server_module
from server import IS_ROOT, PATIENCE, SANITIZED, Server

LIMIT_SECONDS = 120


def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("needs_root") and not IS_ROOT:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """No test hangs: SIGALRM ends it (where it runs in the main thread, as it does)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(_number, _frame):
        raise TimeoutError(f"the test took more than {LIMIT_SECONDS * PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_SECONDS * PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pytest_terminal_summary(terminalreporter):
    bad = terminalreporter.stats.get("failed", []) + terminalreporter.stats.get("error", [])
    variant = server_module.BUILD.name
    for report in sorted({r.nodeid for r in bad}):
        terminalreporter.write_line(f"repeat: make e2e VARIANT={variant} T='tests/e2e/{report}'")


def pytest_sessionfinish():
    server_module.forget_programs()


@pytest.fixture
def make_server():
    """make_server(settings, uid=...): a server for this test alone; start=False leaves it unstarted."""
    made = []

    def make(settings=None, uid=None, start=True, own_keys=False):
        one = Server(settings, uid, own_keys)
        made.append(one)
        return one.start() if start else one

    yield make
    close_all(made)


@pytest.fixture(scope="module")
def make_shared():
    """The same for a whole module: for tests that leave the server as it was."""
    made = []

    def make(settings=None, start=True):
        one = Server(settings)
        made.append(one)
        return one.start() if start else one

    yield make
    close_all(made)


def close_all(made):
    first = None
    for one in reversed(made):
        try:
            one.close()
        except AssertionError as trouble:
            first = first or trouble
    if first:
        raise first


@pytest.fixture(scope="module")
def shared(make_shared, keys):
    """A server with one account, alice: a password and an Ed25519 key."""
    one = make_shared()
    one.add("alice", keys=[keys["ed25519"].with_suffix(".pub")])
    return one


@pytest.fixture(scope="module")
def ftps(make_shared):
    """The same, serving FTPS too, with the certificate that it made for itself."""
    one = make_shared(start=False).serve_ftps().start()
    one.add("alice")
    return one


@pytest.fixture(scope="module")
def https(make_shared):
    """The same, serving HTTPS too."""
    one = make_shared(start=False).serve_https().start()
    one.add("alice")
    return one


@pytest.fixture
def folder(request):
    """A folder of a test's own in alice's home, on the module's server: its name."""
    server = next(request.getfixturevalue(name) for name in ("ftps", "https") if name in request.fixturenames)
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    path = server.home() / name
    path.mkdir(mode=0o755)
    owner = server.home().stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    return name


@pytest.fixture
def server(make_server, keys):
    """The same, for one test."""
    one = make_server()
    one.add("alice", keys=[keys["ed25519"].with_suffix(".pub")])
    return one


@pytest.fixture
def mailbox():
    """A relay and all that comes to it (mail.py)."""
    mail = pytest.importorskip("mail", reason="no python3-aiosmtpd here")
    one = mail.Mailbox()
    yield one
    one.close()


class Keys(dict):
    """Key pairs by name, made when first asked for: keys["ed25519"] is the private key's path."""

    kinds = {
        "ed25519": ["-t", "ed25519"],
        "other": ["-t", "ed25519"],
        "rsa2048": ["-t", "rsa", "-b", "2048"],
        "rsa3072": ["-t", "rsa", "-b", "3072"],
        "ecdsa256": ["-t", "ecdsa", "-b", "256"],
        "ecdsa384": ["-t", "ecdsa", "-b", "384"],
        "ecdsa521": ["-t", "ecdsa", "-b", "521"],
    }

    def __init__(self, place):
        super().__init__()
        self.place = place

    def __missing__(self, name):
        path = self.place / name
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", f"{name} test", *self.kinds[name], "-f", str(path)], check=True)
        self[name] = path
        return path


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def place(tmp_path):
    """A folder of the client's side."""
    return tmp_path


@pytest.fixture(scope="session")
def payload(tmp_path_factory):
    """payload(size): a file of random bytes, made once a size."""
    folder = tmp_path_factory.mktemp("payload")

    def make(size):
        path = folder / str(size)
        if not path.exists():
            with open(path, "wb") as f:
                left = size
                while left > 0:
                    f.write(os.urandom(min(left, 1 << 20)))
                    left -= 1 << 20
                f.truncate(size)
        return path

    return make


def same(one, other):
    """Byte for byte."""
    return filecmp.cmp(one, other, shallow=False)


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")


__all__ = ["SANITIZED", "need", "same"]
