"""What is not served is refused with a reason, and the session that asked lives on where it can."""
import socket
import struct
import subprocess
import time
from pathlib import Path

import paramiko
import pytest

import clients
import sshlow
from server import SANITIZED, wait_for


def ssh(server, place, *arguments, timeout=30):
    client = clients.OpenSSH(server, place)
    return client.run("ssh", "-o", "BatchMode=no", *clients.ssh_options(server), *clients.PASSWORD_ONLY, "-p", server.port,
                      *arguments, check=False, timeout=timeout)


@pytest.mark.parametrize("command", [[], ["id"], ["scp", "-t", "/"], ["rsync", "--server"], ["/bin/sh"]], ids=lambda c: c[0] if c else "shell")
def test_shell_and_commands(shared, place, command):
    done = ssh(shared, place, "-T", "alice@127.0.0.1", *command)
    assert done.returncode != 0
    assert "files only" in done.stderr
    assert done.stdout == ""


def test_a_shell_with_a_terminal(shared, place):
    done = ssh(shared, place, "-tt", "alice@127.0.0.1")
    assert done.returncode != 0
    assert "files only" in done.stderr + done.stdout or "PTY allocation request failed" in done.stderr


@pytest.mark.parametrize("name", ["netconf", "SFTP", "sftp ", "", "shell", "x" * 1000], ids=lambda n: n[:10] or "empty")
def test_other_subsystems(shared, name):
    with sshlow.transport(shared) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        channel = t.open_session()
        with pytest.raises(paramiko.SSHException):
            channel.invoke_subsystem(name)
        assert paramiko.SFTPClient.from_transport(t).listdir("/") == []


def test_scp_in_its_old_protocol_says_what_to_do(shared, place, payload):
    client = clients.Scp(shared, place)
    done = client.run("scp", "-O", *clients.ssh_options(shared), *clients.PASSWORD_ONLY, "-P", shared.port, payload(10),
                      "alice@127.0.0.1:x", check=False)
    assert done.returncode != 0 and "SFTP" in done.stderr


def test_tcp_to_elsewhere(shared):
    with socket.socket() as target:
        target.bind(("127.0.0.1", 0))
        target.listen()
        with sshlow.transport(shared) as t:
            t.auth_password("alice", "correct horse", fallback=False)
            with pytest.raises(paramiko.ChannelException) as caught:
                t.open_channel("direct-tcpip", target.getsockname(), ("127.0.0.1", 1))
            assert caught.value.code in (1, 3)  # prohibited, or unknown channel type
            assert t.is_active()


@pytest.mark.parametrize("kind", ["x11", "forwarded-tcpip", "auth-agent@openssh.com", "direct-streamlocal@openssh.com", "tun@openssh.com", "no-such"])
def test_other_channels(shared, kind):
    with sshlow.transport(shared) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        with pytest.raises((paramiko.ChannelException, paramiko.SSHException)):
            t.open_channel(kind, ("127.0.0.1", 1), ("127.0.0.1", 2), timeout=10)
        assert t.is_active()


def test_listening_for_the_client(shared):
    with sshlow.transport(shared) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        with pytest.raises(paramiko.SSHException):
            t.request_port_forward("127.0.0.1", 0)
        assert t.is_active()


def test_environment_terminal_agent_and_x11(shared):
    """Requests on the channel that mean nothing here: refused or ignored, and sftp works after."""
    with sshlow.transport(shared) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        channel = t.open_session()
        for ask in (lambda: channel.set_environment_variable("A", "b"), channel.get_pty, lambda: channel.request_x11(handler=lambda *_: None)):
            try:
                ask()
            except paramiko.SSHException:
                pass
        other = paramiko.SFTPClient.from_transport(t)
        assert other.listdir("/") == []


def test_openssh_with_forwardings(shared, place):
    """ssh -L, -R, -D, -A, -X beside a transfer: the transfer works, the rest does not."""
    done = clients.OpenSSH(shared, place).batch("pwd", options=["-o", "ForwardAgent=yes", "-o", "ForwardX11=yes"])
    assert "/" in done.stdout
    done = ssh(shared, place, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "127.0.0.1:0:127.0.0.1:9", "alice@127.0.0.1")
    assert done.returncode != 0 and "forwarding failed" in done.stderr


def test_many_channels(shared):
    """Some sessions at a time on one connection; beyond a bound they are refused, not the connection."""
    with sshlow.transport(shared) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        opened = []
        try:
            for _ in range(100):
                opened.append(t.open_session(timeout=10))
        except paramiko.SSHException:
            pass
        assert opened and t.is_active()
        for channel in opened[1:]:
            channel.close()
        opened[0].invoke_subsystem("sftp")


@pytest.mark.slow
def test_packets_that_hold_no_byte(server):
    """libssh 0.10 would send empty packets for ever: the worker is ended then, the others go on. A newer
    one does not: the worker ends by itself, or waits."""

    def ticks(pid):
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(stat[11]) + int(stat[12])

    def settled():
        if "killed by signal 27" in server.log():
            return True
        mine = [s for s in server.sessions() if s["account"] == "alice"]
        if not mine:
            return True
        try:
            before = ticks(mine[0]["worker_pid"])
            time.sleep(1)
            return ticks(mine[0]["worker_pid"]) - before < 20
        except OSError:
            return False  # it ended meanwhile: how is in the log, a moment later

    with sshlow.transport(server) as t:
        t._sanitize_packet_size = lambda size: size  # paramiko's own least is 4096
        t.auth_password("alice", "correct horse", fallback=False)
        channel = t.open_session(max_packet_size=10)
        channel.invoke_subsystem("sftp")
        channel.send(struct.pack(">IBI", 5, 1, 3))
        wait_for("the end of its circles", settled, 60)
    server.wait_no_sessions()
    server.expected_security = min(1, server.log().count("killed by signal 27"))  # on a busy machine after it looked settled
    sshlow.login(server).get_channel().get_transport().close()


def test_more_than_the_window(server):
    """It is ended, or what is too much is dropped (libssh from 0.11 on): kept it is not."""
    with sshlow.transport(server) as t:
        t.auth_password("alice", "correct horse", fallback=False)
        sftp = paramiko.SFTPClient.from_transport(t)
        channel = sftp.get_channel()
        realpath = struct.pack(">IBII", 11, 16, 1, 2) + b"/."
        channel.in_window_threshold = 1 << 40  # never give the server a byte of window again
        channel.out_window_size = 1 << 40  # and do not care for its own
        worker, = server.workers()
        try:
            for _ in range(2000):
                channel.send(realpath * 2000)
        except (OSError, EOFError):
            wait_for("the end of the session", lambda: not server.sessions(), 20)
        else:
            assert int(worker.status["VmData"].split()[0]) < 100 << 10 or SANITIZED
    server.wait_no_sessions()


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 300, b"SSH-1.5-old\r\n", b"SSH-2.0-" + b"x" * 1000 + b"\r\n", b"\r\n" * 2000], ids=["http", "zeros", "ssh1", "long", "newlines"])
def test_what_is_not_ssh(shared, place, greeting):
    with socket.create_connection(("127.0.0.1", shared.port), 20) as s:
        s.settimeout(20)
        s.sendall(greeting)
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            pass
    clients.OpenSSH(shared, place).batch("pwd")


def test_sftp_before_a_login(shared):
    """A channel before the login is nothing that a client may ask for."""
    with sshlow.transport(shared) as t:
        with pytest.raises((paramiko.SSHException, EOFError)):
            t.open_session(timeout=10)


def test_old_algorithms_are_not_there(shared):
    lists = sshlow.kexinit(shared)
    everything = " ".join(name for names in lists.values() for name in names)
    for bad in ("sha1", "cbc", "arcfour", "3des", "md5", "group1-", "group14-sha1", "ssh-rsa", "ssh-dss", "umac-64"):
        assert bad not in everything.replace("kex-strict", ""), bad
    assert lists["zip_in"] == ["none"] and lists["zip_out"] == ["none"]
    done = subprocess.run(["ssh", "-o", "KexAlgorithms=diffie-hellman-group14-sha1", *clients.ssh_options(shared, "INFO"), "-p", str(shared.port), "alice@127.0.0.1"],
                          capture_output=True, text=True, check=False)
    assert "no matching key exchange" in done.stderr
