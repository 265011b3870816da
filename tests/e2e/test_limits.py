"""Limits are exact, and who runs into one is told."""
import contextlib
import os
import re
import shutil
import socket
import threading
import time

import paramiko
import pytest

import clients
import sshlow
from server import PATIENCE, PROGRAMS, has_ipv6, make_place, programs, wait_for


def connect(server, host="127.0.0.1"):
    """A bare connection: (socket, greeting); an empty greeting when it was closed at once."""
    s = socket.create_connection((host, server.port), 20)
    s.settimeout(20)
    try:
        return s, s.recv(255)
    except ConnectionResetError:
        return s, b""


def closed_within(s, seconds):
    s.settimeout(seconds * PATIENCE)
    try:
        while s.recv(4096):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def wrong(t, user="alice"):
    with pytest.raises(paramiko.AuthenticationException):
        t.auth_password(user, "wrong", fallback=False)


def test_login_grace(make_server):
    server = make_server({"limits": {"login_grace": 2}})
    server.add()
    s, greeting = connect(server)
    assert greeting
    began = time.monotonic()
    assert closed_within(s, 6)
    assert time.monotonic() - began > 1
    s.close()
    with sshlow.transport(server) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        time.sleep(4)
        paramiko.SFTPClient.from_transport(t).listdir("/")  # who is logged in is not touched


def test_tries(make_server):
    server = make_server({"limits": {"tries": 3}})
    server.add()
    with sshlow.transport(server) as t:
        wrong(t)
        wrong(t)
        with pytest.raises((paramiko.SSHException, EOFError)):
            t.auth_password("alice", "wrong", fallback=False)
        wait_for("the end of the connection", lambda: not t.is_active())
    with sshlow.transport(server) as t:
        wrong(t)
        wrong(t)
        t.auth_password("alice", "correct horse", fallback=False)


def test_connections_per_address(make_server):
    server = make_server({"limits": {"connections_per_address": 3}})
    wait_for("the probe's end", lambda: server.json("status")["connections"] == 0)
    held = [connect(server) for _ in range(3)]
    assert all(greeting for _, greeting in held)
    fourth, greeting = connect(server)
    assert greeting == b""
    fourth.close()
    server.wait_log("too many connections from the address")
    if has_ipv6():
        other, greeting = connect(server, "::1")
        assert greeting
        other.close()
    held[0][0].close()
    wait_for("room for one more", lambda: try_connect(server))
    for s, _ in held:
        s.close()


def try_connect(server):
    s, greeting = connect(server)
    s.close()
    return bool(greeting)


def test_connections_in_all(make_server):
    server = make_server({"limits": {"connections": 2}})
    wait_for("the probe's end", lambda: server.json("status")["connections"] == 0)
    held = [connect(server) for _ in range(2)]
    assert all(greeting for _, greeting in held)
    s, greeting = connect(server)
    assert greeting == b""
    for s, _ in [*held, (s, b"")]:
        s.close()
    wait_for("room again", lambda: try_connect(server))


@pytest.mark.parametrize("settings,options,reason", [
    ({"limits": {"sessions_per_account": 2}}, {}, "too many sessions of this account"),
    ({}, {"max_sessions": 2}, "too many sessions of this account"),
    ({"limits": {"max_sessions": 2}}, {}, "too many sessions"),
    ({"sftp": {"max_sessions": 2}}, {}, "too many sessions of this protocol"),
], ids=["of-any-account", "of-the-account", "in-all", "of-sftp"])
def test_sessions(make_server, place, settings, options, reason):
    server = make_server(settings)
    server.add(**options)
    held = [sshlow.login(server) for _ in range(2)]
    with pytest.raises(paramiko.SSHException):
        sshlow.login(server)
    server.wait_log(reason)
    assert server.json("status")["sessions"] == 2
    held.pop().get_channel().get_transport().close()
    wait_for("one session", lambda: server.json("status")["sessions"] == 1)
    held.append(sshlow.login(server))
    for client in held:
        client.get_channel().get_transport().close()


def test_an_account_without_a_limit_is_not_limited_by_others(make_server):
    server = make_server({"limits": {"sessions_per_account": 1}})
    server.add("alice")
    server.add("bob")
    held = [sshlow.login(server, "alice"), sshlow.login(server, "bob")]
    for user in ("alice", "bob"):
        with pytest.raises(paramiko.SSHException):
            sshlow.login(server, user)
    for client in held:
        client.get_channel().get_transport().close()


def test_a_client_that_closes_all_at_once_leaves_no_session(server):
    """The channel's end, the connection's end: the worker's last words may find nobody any more."""
    for _ in range(5):
        with sshlow.transport(server) as t:
            t.auth_password("alice", "correct horse")
            with t.open_sftp_client() as sftp:
                sftp.listdir(".")
    server.wait_no_sessions()


def test_idle(make_server):
    server = make_server({"limits": {"idle": 2}})
    server.add()
    busy, quiet = sshlow.login(server), sshlow.login(server)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        busy.stat("/")
        time.sleep(0.3)
    wait_for("the end of the quiet one", lambda: not quiet.get_channel().get_transport().is_active(), 5)
    assert busy.listdir("/") == []
    for client in (busy, quiet):
        client.get_channel().get_transport().close()
    server.wait_log("idle")


@pytest.mark.parametrize("direction", ["put", "get"])
@pytest.mark.parametrize("whose", ["account", "server"])
def test_bandwidth(make_server, place, payload, direction, whose):
    server = make_server({"limits": {"bandwidth": "1M"}} if whose == "server" else {})
    server.add(**({"bandwidth": "1M"} if whose == "account" else {}))
    size = 4 << 20
    server.put_file("there", payload(size).read_bytes())
    began = time.monotonic()
    clients.OpenSSH(server, place).batch(f"put {payload(size)} file" if direction == "put" else f"get there {place}/back")
    seconds = time.monotonic() - began
    assert 2.5 < seconds < 8 * PATIENCE, seconds  # four seconds, less a burst of one


def test_penalties(make_server):
    server = make_server({"limits": {"penalty_exempt": "", "tries": 1, "penalty_failure": 60}})
    server.add()
    with sshlow.transport(server) as t, pytest.raises((paramiko.SSHException, EOFError)):
        t.auth_password("alice", "wrong", fallback=False)
    server.wait_log("no connections for")
    s, greeting = connect(server)
    assert greeting == b"", "refused before a word"
    s.close()
    if has_ipv6():
        s, greeting = connect(server, "::1")
        assert greeting, "another address is not touched"
        s.close()


def test_small_penalties_are_kept_but_not_enforced(make_server):
    server = make_server({"limits": {"penalty_exempt": "", "tries": 1, "penalty_failure": 10, "penalty_least": 15}})
    server.add()

    def fail():
        with sshlow.transport(server) as t, pytest.raises((paramiko.SSHException, EOFError)):
            t.auth_password("alice", "wrong", fallback=False)

    fail()
    fail()  # 20 seconds now
    server.wait_log("no connections for")
    s, greeting = connect(server)
    assert greeting == b""
    s.close()


def test_leaving_before_the_last_try_is_a_failure_too(make_server):
    server = make_server({"limits": {"penalty_exempt": "", "tries": 6, "penalty_failure": 60}})
    server.add()
    with sshlow.transport(server) as t:
        wrong(t)
    server.wait_log("no connections for")
    s, greeting = connect(server)
    assert greeting == b""
    s.close()


def test_no_penalty_for_too_many_sessions(make_server):
    server = make_server({"limits": {"penalty_exempt": "", "penalty_failure": 60, "sessions_per_account": 1}})
    server.add()
    held = sshlow.login(server)
    for _ in range(3):
        with pytest.raises(paramiko.SSHException):
            sshlow.login(server)
    assert held.listdir("/") == []
    held.get_channel().get_transport().close()
    wait_for("no session", lambda: server.json("status")["sessions"] == 0)
    sshlow.login(server).get_channel().get_transport().close()
    assert "no connections for" not in server.log()


def test_a_client_with_very_many_keys(make_server):
    """It is told and ended: a common mistake of agents, and no attack."""
    server = make_server()
    server.add()
    with sshlow.transport(server) as t, pytest.raises((paramiko.SSHException, EOFError)):
        for _ in range(70):
            m = paramiko.Message()
            m.add_byte(b"2")  # SSH_MSG_USERAUTH_REQUEST, without a signature
            for text in ("alice", "ssh-connection", "publickey"):
                m.add_string(text)
            m.add_boolean(False)
            key = sshlow.string(b"ssh-ed25519") + sshlow.string(os.urandom(32))
            m.add_string("ssh-ed25519")
            m.add_string(key)
            offer(t, m)
    server.wait_log("too many keys")


def offer(t, message):
    """Send it and wait for what the server says; EOFError at the end of the connection."""
    if t.auth_handler is None:
        with pytest.raises(paramiko.SSHException):
            t.auth_none("alice")
    t._send_message(message)
    if not t.is_active():
        raise EOFError
    time.sleep(0.02)


def test_a_bandwidth_below_a_byte_a_millisecond(make_server, place, payload):
    server = make_server({"limits": {"bandwidth": "500"}})
    server.add()
    clients.OpenSSH(server, place).batch(f"put {payload(3000)} file")
    assert (server.home() / "file").stat().st_size == 3000


def test_a_dead_spare_costs_no_client(make_server):
    server = make_server({"server": {"spare_workers": 4}})
    wait_for("spares", lambda: server.json("status")["spares"] == 4)
    spares = server.children("sallyport-sftp")
    for spare in spares:
        spare.kill()
    while any(spare.alive() for spare in spares):
        pass  # at once: the monitor may not have heard of it yet
    s, greeting = connect(server)
    s.close()
    assert greeting


def test_workers_that_cannot_start_are_not_started_in_a_hurry(make_server):
    place = make_place("broken")
    for name in PROGRAMS:
        shutil.copy2(programs() / name, place / name)
    server = make_server({"server": {"programs": place, "spare_workers": 2}})
    wait_for("spares", lambda: server.json("status")["spares"] == 2)
    (place / "sallyport-sftp").unlink()
    shutil.copy2("/bin/false", place / "sallyport-sftp")
    for spare in server.children("sallyport-sftp"):
        spare.kill()
    wait_for("their end", lambda: server.json("status")["spares"] == 0)
    waiting = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(100)]
    time.sleep(4)
    assert len(re.findall("a spare worker", server.log())) < 50
    (place / "sallyport-sftp").unlink()
    shutil.copy2(programs() / "sallyport-sftp", place / "sallyport-sftp")
    for s in waiting:
        s.settimeout(30 * PATIENCE)
        assert s.recv(8) == b"SSH-2.0-", "who waited is served"
        s.close()
    shutil.rmtree(place)


def test_a_penalty_for_never_logging_in(make_server):
    server = make_server({"limits": {"penalty_exempt": "", "penalty_grace": 60, "login_grace": 1}})
    s, greeting = connect(server)
    assert greeting
    assert closed_within(s, 6)
    s.close()
    server.wait_log("no connections for")
    s, greeting = connect(server)
    assert greeting == b""
    s.close()


def test_exempt_networks(make_server):
    server = make_server({"limits": {"penalty_exempt": "127.0.0.0/8", "tries": 1, "penalty_failure": 60}})
    server.add()
    for _ in range(3):
        with sshlow.transport(server) as t, pytest.raises((paramiko.SSHException, EOFError)):
            t.auth_password("alice", "wrong", fallback=False)


def test_a_burst_of_connections_is_served(make_server, place):
    """More at once than there are spares: all are greeted, none is lost."""
    server = make_server({"server": {"spare_workers": 1}})
    server.add()
    sockets = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(40)]
    for s in sockets:
        s.settimeout(40 * PATIENCE)
        assert s.recv(8) == b"SSH-2.0-"
    for s in sockets:
        s.close()
    clients.OpenSSH(server, place).batch("pwd")


def test_a_session_that_is_ended_amid_requests(server):
    """What still comes while the worker says goodbye is for nobody."""

    def ask(sftp):
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while True:
                sftp._async_request(type(None), paramiko.sftp.CMD_STAT, b"/")

    for _ in range(10):
        with sshlow.transport(server) as t:
            t.auth_password("alice", "correct horse")
            sftp = t.open_sftp_client()
            sftp.stat("/")
            asker = threading.Thread(target=ask, args=(sftp,))
            asker.start()
            time.sleep(0.05)  # some requests are under way; how many does not matter
            server.command("session", "kill", "--account", "alice")
            asker.join(60)
            assert not asker.is_alive()
    server.wait_no_sessions()
