"""FTPS as its clients see it: explicit and implicit, TLS 1.2 and 1.3, IPv4 and IPv6; what goes there
comes back byte for byte; and what a client without TLS is told."""
import ftplib
import os
import socket
import ssl

import pytest

import ftps_clients
from conftest import same
from ftps_clients import client_of
from server import IS_ROOT, Process, has_ipv6, wait_for

VERBS = ("put", "get", "names", "rename", "delete", "resume_put", "resume_get")
MATRIX = [(name, verb) for name, client in ftps_clients.ALL.items() for verb in VERBS if client.can(verb)]
WAYS = [(implicit, tls) for implicit in (False, True) for tls in ("1.2", "1.3")]
SIZE = 3_000_001


@pytest.mark.parametrize("name, verb", MATRIX)
def test_verb(ftps, place, payload, folder, name, verb):
    client, home = client_of(name, ftps, place), ftps.home() / folder
    if verb == "put":
        client.put(payload(SIZE), f"/{folder}/there")
        assert same(payload(SIZE), home / "there")
    elif verb == "get":
        ftps.put_file(f"{folder}/there", payload(SIZE).read_bytes())
        client.get(f"/{folder}/there", place / "back")
        assert same(payload(SIZE), place / "back")
    elif verb == "names":
        for one in ("one", "two.txt", "drei-äöü"):
            ftps.put_file(f"{folder}/{one}", b"x")
        assert client.names(f"/{folder}") == {"one", "two.txt", "drei-äöü"}
    elif verb == "rename":
        ftps.put_file(f"{folder}/old", b"the same")
        client.rename(f"/{folder}/old", f"/{folder}/new")
        assert os.listdir(home) == ["new"] and (home / "new").read_bytes() == b"the same"
    elif verb == "delete":
        ftps.put_file(f"{folder}/gone", b"x")
        ftps.put_file(f"{folder}/stays", b"y")
        client.delete(f"/{folder}/gone")
        assert os.listdir(home) == ["stays"]
    elif verb == "resume_put":
        ftps.put_file(f"{folder}/half", payload(SIZE).read_bytes()[:1_234_567])
        client.resume_put(payload(SIZE), f"/{folder}/half")
        assert same(payload(SIZE), home / "half")
    else:
        ftps.put_file(f"{folder}/there", payload(SIZE).read_bytes())
        (place / "back").write_bytes(payload(SIZE).read_bytes()[:1_234_567])
        client.resume_get(f"/{folder}/there", place / "back")
        assert same(payload(SIZE), place / "back")


@pytest.mark.slow
@pytest.mark.parametrize("implicit, tls", WAYS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["lftp", "curl", "ftplib"])
def test_every_way(ftps, place, payload, folder, name, implicit, tls, host):
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    client = client_of(name, ftps, place, implicit=implicit, tls=tls, host=host)
    ftps.put_file(f"{folder}/x", b"x")
    client.put(payload(100_000), f"/{folder}/there")
    client.get(f"/{folder}/there", place / "back")
    assert same(payload(100_000), place / "back")
    assert client.names(f"/{folder}") == {"there", "x"}


@pytest.mark.parametrize("implicit", [False, True])
def test_filezilla(ftps, place, payload, folder, implicit):
    """Its whole queue in one run: several files each way, two at a time, and one resumed each way."""
    if not ftps_clients.FileZilla.available():
        pytest.skip("no filezilla, Xvfb or xdotool here")
    whole, half = payload(SIZE), payload(SIZE).read_bytes()[:1_234_567]
    ftps.put_file(f"{folder}/up-half", half)
    ftps.put_file(f"{folder}/there", whole.read_bytes())
    (place / "down-half").write_bytes(half)
    transfers = [(False, True, whole, f"/{folder}/up-half"), (True, True, place / "down-half", f"/{folder}/there")]
    for i in range(5):
        transfers += [(False, False, payload(100_000), f"/{folder}/up-{i}"), (True, False, place / f"down-{i}", f"/{folder}/there")]
    client = ftps_clients.FileZilla(ftps, place, implicit=implicit)
    client.transfer(*transfers)
    for _download, _resume, local, remote in transfers:
        assert same(local, ftps.home() / remote.lstrip("/"))
    assert client.log().count(f"Command: REST {len(half)}") == 2


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.slow
def test_a_thousand_transfers_on_one_connection(ftps, folder, tls):
    """Each data connection resumes the session of the control connection, up and down alike."""
    with ftps_clients.session(ftps, tls=tls) as ftp:
        for i in range(500):
            with ftp.transfercmd(f"STOR /{folder}/{i}") as data:
                data.sendall(b"%d" % i)
                assert data.session_reused
                data.unwrap()
            assert ftp.voidresp().startswith("226")
            with ftp.transfercmd(f"RETR /{folder}/{i}") as data:
                assert data.session_reused
                assert data.recv(100) == b"%d" % i
                assert data.recv(100) == b""  # close_notify, not just the end of the connection
            assert ftp.voidresp().startswith("226")
    assert len(os.listdir(ftps.home() / folder)) == 500


def test_a_session_of_its_own_is_refused(ftps, folder):
    with ftps_clients.Talk(ftps, ftps_clients.Talk.OPEN) as talk:
        data = talk.dial()
        talk.expect(f"NLST /{folder}", "^150 ")
        with talk.context.wrap_socket(data, server_hostname="127.0.0.1"):
            assert talk.reply().startswith("522")
        talk.expect("NOOP", "^200 ")


def test_a_session_of_its_own_where_the_account_may(ftps, folder):
    ftps.add("fresh", data_fresh=True)
    with ftps_clients.session(ftps, user="fresh", resume=False) as ftp:
        assert ftp.nlst("/") == []


@pytest.mark.parametrize("lax", [False, True])
def test_an_upload_cut_short(make_server, lax):
    """Without close_notify it is not taken for whole; an atomic upload is not published then."""
    one = make_server(start=False).serve_ftps().start()
    one.add("alice", atomic=True, **({"lax_close": True} if lax else {}))
    with ftps_clients.session(one) as ftp:
        data = ftp.transfercmd("STOR /there")
        data.sendall(b"not all of it")
        socket.socket.shutdown(data, socket.SHUT_WR)
        if lax:
            assert ftp.voidresp().startswith("226")
        else:
            with pytest.raises(ftplib.error_temp, match="426.*close_notify"):
                ftp.voidresp()
        data.close()
    assert (one.home() / "there").exists() == lax


# ---- without TLS -------------------------------------------------------------------------------
def test_a_login_in_the_clear_is_refused_with_what_to_do(ftps):
    with ftps_clients.Talk(ftps) as talk:
        reply = talk.say("USER alice")
        assert reply.startswith("5") and "TLS" in reply
        assert talk.say("PASS correct horse").startswith("5")
        assert talk.say("PASV").startswith("5")
        assert talk.say("QUIT").startswith("221")


@pytest.mark.parametrize("program", ["tnftp", "ncftpls"])
def test_clients_without_tls(ftps, place, program):
    if not ftps_clients.available(program):
        pytest.skip(f"no {program} here")
    client = ftps_clients.Lftp(ftps, place)
    if program == "tnftp":
        done = client.run("tnftp", "-n", "-p", "127.0.0.1", str(ftps.ftps_port), stdin="user alice correct\nls\nbye\n", check=False)
    else:
        done = client.run("ncftpls", "-r", "1", "-d", "stdout", "-u", "alice", "-p", "correct horse", "-P", str(ftps.ftps_port), "ftp://127.0.0.1/", check=False)
    assert "TLS" in done.stdout + done.stderr


def test_what_follows_auth_tls_in_the_clear_is_not_heard(ftps):
    """STARTTLS injection: a command that was sent along with AUTH TLS must not run inside it."""
    context = ssl.create_default_context(cafile=str(ftps.place / "keys" / "tls.crt"))
    with ftps_clients.Talk(ftps) as talk:
        talk.send(b"AUTH TLS\r\nUSER mallory\r\nPASS x\r\n")
        assert talk.reply().startswith("234")
        try:
            with context.wrap_socket(talk.socket, server_hostname="127.0.0.1") as tls:
                tls.settimeout(20)
                stream = tls.makefile("rwb", buffering=0)
                stream.write(b"NOOP\r\n")
                assert stream.readline().startswith(b"200")
        except (ssl.SSLError, OSError):
            pass  # ended: as good


# ---- what stands in the audit log ----------------------------------------------------------------
def test_audit(ftps, folder):
    with ftps_clients.session(ftps) as ftp:
        with ftp.transfercmd(f"STOR /{folder}/audited") as data:
            data.sendall(b"12345")
            data.unwrap()
        ftp.voidresp()
        ftp.delete(f"/{folder}/audited")
    upload, = wait_for("the upload's line", lambda: ftps.audit(event="upload", path=f"/{folder}/audited"))
    assert upload["account"] == "alice" and upload["protocol"] == "ftps" and upload["size"] == 5
    assert wait_for("the removal's line", lambda: ftps.audit(event="remove", path=f"/{folder}/audited"))


@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_the_worker_is_locked_in(ftps):
    with ftps_clients.session(ftps) as ftp:
        ftp.voidcmd("NOOP")
        session, = [s for s in ftps.sessions() if s["protocol"] == "ftps"]
        status = Process(session["worker_pid"]).status
        uid, = set(status["Uid"].split())
        assert 40000 <= int(uid) <= 44999 and status["Groups"].strip() == ""
        assert status["CapEff"].strip("0 \n") == "" and status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
        assert os.readlink(f"/proc/{session['worker_pid']}/root") == str(ftps.place / "run" / "empty")
