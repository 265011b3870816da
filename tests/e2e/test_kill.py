"""kill -9 of each process in the middle of things: the others go on, and nothing that was
acknowledged is lost."""
import concurrent.futures
import contextlib
import ftplib
import io
import os
import re
import signal
import subprocess
import threading
import time

import paramiko
import pytest

import clients
import ftps_clients
import https_clients
import sshlow
from conftest import same
from https_clients import Wire, basic
from server import IS_ROOT, Process, Trouble, programs, wait_for

SLOW = 16_000_000  # bytes of a transfer that is slowed down to about two seconds


def slow_put(server, place, payload, name, user="alice"):
    """A transfer that takes a while, as a process; finish(process) waits for it."""
    client = clients.OpenSSH(server, place, user)
    process = subprocess.Popen(
        ["sftp", "-o", "BatchMode=no", "-b", "-", "-l", "64000", *clients.ssh_options(server), *client.auth,
         "-P", str(server.port), f"{user}@127.0.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=client.env, text=True)
    process.stdin.write(f"put {payload(SLOW)} {name}\n")
    process.stdin.close()
    return process


def finish(process, seconds=60):
    trouble = process.stderr.read()
    return process.wait(seconds), trouble


def growing(server, name, user="alice"):
    """Wait until the upload has begun."""
    path = server.home(user) / name
    wait_for(f"{name} to grow", lambda: path.exists() and path.stat().st_size > 200_000)


def session_of(server, account):
    def look():
        found = [s for s in server.sessions() if s["account"] == account and s["agent_pid"]]
        return found[0] if found else None

    return wait_for(f"the session of {account}", look)


@pytest.fixture
def two(make_server, place, payload):
    """A server with transfers of alice and bob under way."""
    server = make_server()
    server.add("alice")
    server.add("bob")
    a = slow_put(server, place, payload, "file", "alice")
    b = slow_put(server, place, payload, "file", "bob")
    growing(server, "file", "alice")
    growing(server, "file", "bob")
    yield server, a, b
    for process in (a, b):
        if process.poll() is None:
            process.kill()
        process.wait()


def bob_is_whole(server, b, payload):
    status, trouble = finish(b)
    assert status == 0, trouble
    assert same(payload(SLOW), server.home("bob") / "file")


def test_a_worker(two, payload):
    server, a, b = two
    server.expected_security = 1  # a worker that crashes is one
    Process(session_of(server, "alice")["worker_pid"]).kill()
    status, _ = finish(a, 10)
    assert status != 0
    bob_is_whole(server, b, payload)
    server.wait_log(r"security: the worker .*killed by signal 9")
    wait_for("the end of alice's session", lambda: not [s for s in server.sessions() if s["account"] == "alice"])
    assert not server.children("sallyport-files")


def test_an_agent(two, payload):
    server, a, b = two
    Process(session_of(server, "alice")["agent_pid"]).kill()
    status, _ = finish(a, 10)
    assert status != 0
    bob_is_whole(server, b, payload)
    wait_for("the end of alice's session", lambda: not [s for s in server.sessions() if s["account"] == "alice"])


def send_until_it_ends(data):
    with contextlib.closing(data), pytest.raises((OSError, EOFError, ftplib.Error)):
        while True:
            data.sendall(b"x" * 65536)


@pytest.mark.parametrize("which", ["worker_pid", "agent_pid"])
def test_an_ftps_session(make_server, place, payload, which):
    """Its worker, or its agent, in the middle of an upload: that session ends and no other, over FTPS or SFTP."""
    server = make_server(start=False).serve_ftps().start()
    for name in ("alice", "bob", "carol"):
        server.add(name)
    b = slow_put(server, place, payload, "file", "bob")
    other = ftps_clients.session(server, "carol")
    other.voidcmd("TYPE I")
    with contextlib.closing(ftps_clients.session(server, "alice")) as ftps:
        ftps.voidcmd("TYPE I")
        data = ftps.transfercmd("STOR file")
        data.sendall(b"x" * 300_000)
        growing(server, "file", "alice")
        growing(server, "file", "bob")
        session = session_of(server, "alice")
        assert session["protocol"] == "ftps"
        server.expected_security = int(which == "worker_pid")  # a worker that crashes is one
        Process(session[which]).kill()
        data.settimeout(20)
        # In a thread of its own: Python 3.13 keeps OpenSSL's error for the next connection of the same one.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            thread.submit(send_until_it_ends, data).result()
    wait_for("the end of alice's session", lambda: not [s for s in server.sessions() if s["account"] == "alice"])
    other.storbinary("STOR after", io.BytesIO(b"after"))
    other.close()
    assert (server.home("carol") / "after").read_bytes() == b"after"
    bob_is_whole(server, b, payload)


def pair(server):
    found = [s for s in server.sessions() if s["account"] == "alice" and s["agent_pid"]]
    return found if len(found) == 2 else None


@pytest.mark.parametrize("which", ["worker_pid", "agent_pid", "store", "session", "monitor"])
def test_an_https_session(make_server, which):
    """Transfers over HTTPS: that connection ends, or (the store) not even that; nobody takes a part for whole, and others go on."""
    server = make_server(start=False).serve_https().start()
    login = "Authorization: " + https_clients.basic()["Authorization"]
    for name in ("alice", "bob"):
        server.add(name, atomic=True)
        with open(server.put_file("large", b"", name), "wb") as f:
            f.truncate(50_000_000)
    with https_clients.Web(server, "bob", basic=True) as other, https_clients.Wire(server) as down, https_clients.Wire(server) as up:
        assert other.list("/").status == 200
        down.send(f"GET /files/large HTTP/1.1\r\nHost: x\r\n{login}\r\n\r\n")
        assert down.head()[0] == 200
        up.send(f"PUT /files/up HTTP/1.1\r\nHost: x\r\n{login}\r\nContent-Length: 1000000\r\n\r\n" + "x" * 500_000)
        sessions = wait_for("both sessions", lambda: pair(server))
        if which == "store":
            server.children("sallyport-store")[0].kill(signal.SIGKILL)
            assert down.exactly(50_000_000) == b"\0" * 50_000_000
            up.send("x" * 500_000)
            assert up.answer().status == 201 and (server.home() / "up").stat().st_size == 1_000_000
        elif which == "monitor":
            server.kill()
            with pytest.raises((Trouble, OSError)):
                down.exactly(50_000_000)
            assert up.ends()
            server.start()
            wait_for("the end of the upload", lambda: not (server.home() / "up").exists())
        else:
            for session in sessions:
                if which == "session":
                    server.command("session", "kill", session["number"])
                else:
                    Process(session[which]).kill()
            server.expected_security = 2 if which == "worker_pid" else 0
            with pytest.raises((Trouble, OSError)):
                down.exactly(50_000_000)
            wait_for("the end of alice's sessions", lambda: not [s for s in server.sessions() if s["account"] == "alice"])
            # What had come stays hidden for a while where nobody was left to drop it.
            hidden = {name for name in os.listdir(server.home()) if name.startswith(".sallyport-upload")}
            assert set(os.listdir(server.home())) - hidden == {"large"} and other.names("/") == {"large"}
            if which == "session":
                wait_for("the end of the upload", lambda: os.listdir(server.home()) == ["large"])
        assert other.list("/").status == 200 and other.put("/after", b"x").status == 201
    wait_for("the store", lambda: server.command("user", "list", check=False).returncode == 0)


def test_the_hashers(two, place, payload):
    """Logins go on, and one that was being hashed is answered."""
    server, _, b = two
    server.add("carol")
    for hasher in server.children("sallyport-hash"):
        hasher.kill()
    clients.OpenSSH(server, place, "carol").batch("pwd")
    for _ in range(5):
        for hasher in server.children("sallyport-hash"):
            hasher.kill()
        began = time.monotonic()
        with sshlow.transport(server) as t:
            try:
                t.auth_password("carol", "correct horse", fallback=False)
            except paramiko.SSHException:
                pass
        assert time.monotonic() - began < 20
    wait_for("two hashers", lambda: len(server.children("sallyport-hash")) == 2)
    clients.OpenSSH(server, place, "carol").batch("pwd")
    bob_is_whole(server, b, payload)


def test_the_store_during_transfers(two, place, payload):
    server, a, b = two
    for _ in range(3):
        [store] = wait_for("the store", lambda: server.children("sallyport-store"))
        store.kill()
        wait_for("another store", lambda: [p for p in server.children("sallyport-store") if p.pid != store.pid], 20)
    for process in (a, b):
        status, trouble = finish(process)
        assert status == 0, trouble
    assert same(payload(SLOW), server.home("alice") / "file")
    assert same(payload(SLOW), server.home("bob") / "file")
    wait_for("logins again", lambda: clients.OpenSSH(server, place).batch("pwd", check=False).returncode == 0, 20)
    wait_for("both uploads in the audit log", lambda: len(uploads(server)) == 2, 20)
    server.command("audit", "verify")


def uploads(server):
    return [line for line in server.audit(event="upload", path="/file") if line["size"] == SLOW]


def make_accounts(server, count, acknowledged, stop):
    for i in range(count):
        if stop.is_set():
            return
        done = server.command("user", "add", f"user{i:03}", "--password-stdin", "--weak", stdin=f"password {i}\n", check=False)
        if done.returncode == 0:
            acknowledged.append(f"user{i:03}")


def whole_accounts(server):
    """Every account that is there can be shown, has its password's hash and its id."""
    accounts = server.json("user", "list")
    for account in accounts:
        shown = server.json("user", "show", account["name"])
        assert shown["name"] == account["name"] and shown["uid"] and shown["home"]
    uids = [a["uid"] for a in accounts]
    if IS_ROOT:
        assert len(set(uids)) == len(uids)
    return {account["name"] for account in accounts}


def test_the_store_during_account_changes(server):
    acknowledged, stop = [], threading.Event()
    maker = threading.Thread(target=make_accounts, args=(server, 40, acknowledged, stop))
    maker.start()
    try:
        for _ in range(6):
            time.sleep(0.15)
            for store in server.children("sallyport-store"):
                store.kill()
    finally:
        maker.join(100)
    wait_for("the store", lambda: server.command("user", "list", check=False).returncode == 0, 20)
    assert acknowledged, "some were made in between"
    there = whole_accounts(server)
    assert set(acknowledged) <= there
    with sshlow.transport(server) as t:
        t.auth_password(acknowledged[-1], f"password {int(acknowledged[-1][4:])}", fallback=False)
    server.command("audit", "verify")


def test_the_monitor(two, place, payload):
    """All end; what was acknowledged is there after a restart."""
    server, a, b = two
    clients.OpenSSH(server, place).batch(f"put {payload(1_000_000)} done")
    server.add("carol")
    family = server.monitor.children()
    assert len(family) > 6
    server.kill()
    wait_for("the end of all children", lambda: not any(p.alive() for p in family), 5)
    for process in (a, b):
        assert finish(process, 20)[0] != 0
    server.start()
    assert {"alice", "bob", "carol"} <= whole_accounts(server)
    assert same(payload(1_000_000), server.home() / "done")
    clients.OpenSSH(server, place, "carol").batch("pwd")
    clients.OpenSSH(server, place).batch(f"reput {payload(SLOW)} file")  # the same host keys: known_hosts holds
    assert same(payload(SLOW), server.home() / "file")
    server.command("audit", "verify")


def test_the_monitor_during_account_changes(make_server):
    server = make_server()
    acknowledged = []
    for round_number in range(3):
        stop = threading.Event()
        names = []
        maker = threading.Thread(target=make_rounds, args=(server, round_number, names, stop))
        maker.start()
        time.sleep(0.6)
        server.kill()
        stop.set()
        maker.join(60)
        acknowledged += names
        server.start()
        assert set(acknowledged) <= whole_accounts(server)
    assert len(acknowledged) >= 3
    server.command("audit", "verify")


def make_rounds(server, round_number, names, stop):
    for i in range(200):
        if stop.is_set():
            return
        name = f"r{round_number}-{i:03}"
        done = server.command("user", "add", name, "--password-stdin", "--weak", stdin="password\n", check=False)
        if done.returncode == 0:
            names.append(name)


def test_a_server_that_was_killed_leaves_nothing_in_the_way(make_server):
    """Sockets and folders of the one before do not stop the next; a second one at the same time does."""
    server = make_server()
    second = subprocess.run([str(programs() / "sallyportd"), "-f", "-c", str(server.conf)], capture_output=True, text=True, timeout=30)
    assert second.returncode != 0
    assert re.search(r"runs already|in use", second.stderr), second.stderr
    server.command("status")
    server.kill()
    server.start()
    server.command("status")


def test_sigterm_lets_sessions_know(make_server, place, payload):
    server = make_server()
    server.add()
    process = slow_put(server, place, payload, "file")
    growing(server, "file")
    server.stop()
    status, trouble = finish(process, 10)
    assert status != 0
    server.start()
    lines = [line for line in server.audit() if line.get("path") == "/file"]
    assert lines, "the agent reported the upload that broke off"
    assert os.path.getsize(server.home() / "file") > 0
    assert trouble is not None


def test_a_worker_that_stops_stalls_nobody(two, payload):
    """SIGSTOP of one session's worker and agent: others go on, the operator ends it."""
    server, a, b = two
    session = session_of(server, "alice")
    for pid in (session["worker_pid"], session["agent_pid"]):
        os.kill(pid, signal.SIGSTOP)
    bob_is_whole(server, b, payload)
    server.command("session", "kill", session["number"])
    wait_for("the end of alice's session", lambda: not [s for s in server.sessions() if s["account"] == "alice"], 15)
    assert finish(a, 15)[0] != 0


@pytest.mark.slow
def test_a_store_that_stops_stalls_no_transfer(two, place, payload):
    server, a, b = two
    [store] = server.children("sallyport-store")
    store.kill(signal.SIGSTOP)
    try:
        for process in (a, b):
            status, trouble = finish(process)
            assert status == 0, trouble
        assert same(payload(SLOW), server.home("alice") / "file")
        began = time.monotonic()
        done = server.command("user", "add", "late", "--password-stdin", "--weak", stdin="x\n", check=False, timeout=60)
        assert done.returncode != 0 and done.stderr.strip(), "a clear refusal"
        assert time.monotonic() - began < 60
    finally:
        try:
            store.kill(signal.SIGCONT)
        except ProcessLookupError:
            pass
    wait_for("logins again", lambda: clients.OpenSSH(server, place).batch("pwd", check=False).returncode == 0, 40)


def test_a_worker_in_a_put(make_server):
    """What nobody can go on with does not stay, hidden, for days."""
    server = make_server(start=False).serve_https().start()
    home = server.add("alice")
    server.expected_security = 1
    with Wire(server) as wire:
        wire.send(f"PUT /files/half HTTP/1.1\r\nHost: {wire.host}\r\nAuthorization: {basic()['Authorization']}\r\nContent-Length: 1000000\r\n\r\n")
        wire.send(b"x" * 500000)
        wait_for("the half of it", lambda: any(os.path.exists(p) and os.path.getsize(p) >= 400000 for p in home.glob(".sallyport-upload.[!n]*")))
        Process(session_of(server, "alice")["worker_pid"]).kill()
        wait_for("its end in the log", lambda: server.audit(event="upload", path="/half", result="EPIPE"))
    assert list(home.iterdir()) == []
