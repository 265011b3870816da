"""Conversations with the FTPS server by hand, held against RFC 959, 2228, 2389, 2428, 3659, 4217 and
7151: what it answers to each verb in each state, to bad arguments, to what clients do in the middle of
a transfer, and to those who want to harm it."""
import os
import re
import socket

import pytest

from ftps_clients import Talk
from server import wait_for

CLEAR, SECURE, OPEN = Talk.CLEAR, Talk.SECURE, Talk.OPEN
CONTENT = bytes(range(256)) * 40
SHA256 = "[0-9a-f]{64}"


@pytest.fixture
def home(ftps):
    """alice's home with a file and a folder; what a test leaves there does not count."""
    ftps.put_file("file", CONTENT)
    ftps.put_file("folder/inner", b"x")
    owner = ftps.home().stat()
    os.chown(ftps.home() / "folder", owner.st_uid, owner.st_gid)
    return ftps.home()


# A state, and lines with what the whole reply must fit, one after the other on one connection.
CONVERSATIONS = {
    # ---- before TLS
    "what is said in the clear": (CLEAR, [
        ("FEAT", r"(?m)^211-.*\n(?s:.*)^ AUTH TLS$(?s:.*)^211 End$"), ("SYST", "^215 UNIX Type: L8"), ("NOOP", "^200 "),
        ("OPTS UTF8 ON", "^200 "), ("CLNT x", "^200 "), ("HELP", "^214-"), ("HELP STOR", "^214 STOR path"), ("STAT", "^211-")]),
    "what is not": (CLEAR, [
        *((line, "^530 .*TLS") for line in ("USER alice", "PASS x", "PWD", "LIST", "SITE HELP", "EPSV", "STAT /", "ACCT x")),
        ("PBSZ 0", "^503 "), ("PROT P", "^503 "), ("CCC", "^533 "), ("REIN", "^502 ")]),
    "mechanisms": (CLEAR, [("AUTH", "^501 "), ("AUTH GSSAPI", "^504 "), ("AUTH TLSX", "^504 "), ("AUTH TLS", "^234 ")]),
    # ---- TLS, no login
    "with TLS": (SECURE, [
        ("AUTH TLS", "^503 "), ("PROT P", "^503 "), ("PBSZ x", "^501 "), ("PBSZ 16384", "^200 PBSZ=0"), ("PBSZ 0", "^200 PBSZ=0$"),
        ("PROT C", "^534 "), ("PROT S", "^536 "), ("PROT E", "^536 "), ("PROT X", "^504 "), ("PROT", "^501 "), ("PROT P", "^200 "),
        ("CCC", "^534 "), ("PASS x", "^503 "), ("USER", "^501 "), ("PWD", "^530 Log in"), ("SITE HELP", "^530 "), ("STAT /", "^530 "),
        ("HOST localhost", "^220 "), ("HOST", "^501 ")]),
    "a login": (SECURE, [
        ("USER alice", "^331 "), ("HOST localhost", "^503 "), ("PASS wrong", "^530 "), ("PASS correct horse", "^503 "), ("USER alice", "^331 "),
        ("PASS correct horse", "^230 "), ("USER bob", "^503 "), ("PASS correct horse", "^503 ")]),
    "a login's answer is the same whatever the name": (SECURE, [("USER nobody-at-all", "^331 The password, please: PASS$"), ("PASS x", "^530 Login incorrect$")]),
    "quit": (SECURE, [("QUIT", "^221 ")]),
    # ---- logged in
    "features": (OPEN, [
        ("FEAT", r"(?m)^ MLST type\*;"), ("FEAT", r"(?m)^ REST STREAM$"), ("FEAT", r"(?m)^ UTF8$"), ("FEAT", r"(?m)^ TVFS$"),
        ("FEAT", r"(?m)^ HASH .*SHA-256\*;"), ("FEAT x", "^501 ")]),
    "options": (OPEN, [
        ("OPTS", "^501 "), ("OPTS NONE", "^501 "), ("OPTS UTF8 OFF", "^501 "), ("OPTS MLST size;modify;", "^200 MLST OPTS size;modify;$"),
        ("MLST file", r"(?m)^ size=10240;modify=\d{14}; /file$"), ("OPTS MLST nothing;", "^200 MLST OPTS$"), ("OPTS MLST", "^200 MLST OPTS$"),
        ("MLST file", "(?m)^  /file$"), ("OPTS HASH", "^200 SHA-256$"), ("OPTS HASH SHA-512", "^200 SHA-512$"), ("OPTS HASH CRC", "^501 "),
        ("HASH file", "^213 SHA-512 ")]),
    "help": (OPEN, [
        ("HELP", "(?m)^ .*RETR .*"), ("HELP nonsense", "^502 "), ("help retr", "^214 RETR path"), ("HELP XPWD", "^214 PWD"),
        ("SITE HELP", "(?m)^ SITE CHMOD"), ("HELP SITE", "(?m)^ SITE CHMOD"), ("SITE", "^501 "), ("SITE NONE", "^50[04] "), ("SITE HELP x", "^501 ")]),
    "types": (OPEN, [
        ("TYPE A", "^200 "), ("TYPE A N", "^200 "), ("TYPE L 8", "^200 "), ("TYPE I", "^200 "), ("TYPE E", "^504 "), ("TYPE L 7", "^504 "),
        ("TYPE", "^501 "), ("MODE S", "^200 "), ("MODE Z", "^504 "), ("STRU F", "^200 "), ("STRU R", "^504 "), ("ALLO 100", "^20[02] ")]),
    "where one is": (OPEN, [
        ("PWD", '^257 "/" '), ("CWD folder", "^250 "), ("XPWD", '^257 "/folder" '), ("CDUP", "^250 "), ("CDUP", "^250 "), ("PWD", '^257 "/" '),
        ("CWD file", "^550 "), ("CWD nowhere", "^550 "), ("CWD", "^501 "), ("PWD x", "^501 "), ("CWD ../../../etc", "^550 "), ("PWD  ", "^257 ")]),
    "quotes are doubled": (OPEN, [('MKD a"b', '^257 "/a""b" '), ('CWD a"b', "^250 "), ("PWD", '^257 "/a""b" '), ("CDUP", "^250 "), ('RMD a"b', "^250 ")]),
    "facts": (OPEN, [
        ("MLST", r"(?m)^ .*type=dir;.* /$"), ("MLST folder", "(?m)^ .*type=dir;.* /folder$"), ("MLST nothing", "^550 "),
        ("SIZE file", "^213 10240$"), ("SIZE folder", "^550 "), ("SIZE nothing", "^550 "), ("SIZE", "^501 "), ("TYPE A", "^200 "), ("SIZE file", "^550 "),
        ("MDTM file", r"^213 \d{14}"), ("MDTM nothing", "^550 "), ("MDTM", "^501 "), ("AVBL", r"^213 \d+$"), ("AVBL nothing", "^550 "),
        ("MFMT 20200102030405 file", "^213 Modify=20200102030405; /file$"), ("MDTM file", "^213 20200102030405$"),
        ("MFMT 2020 file", "^501 "), ("MFMT 20201302030405 file", "^501 "), ("MFMT 20200102030405", "^501 "), ("MFMT", "^501 "),
        ("MFF UNIX.mode=0640;modify=20210102030405; file", "^213 "), ("MLST file", r"(?m)^ .*UNIX\.mode=0640;"), ("MDTM file", "^213 20210102030405$"),
        ("MFF size=3; file", "^501 "), ("MFF file", "^501 "), ("SITE CHMOD 600 file", "^200 "), ("SITE CHMOD 9 file", "^501 "), ("SITE CHMOD 600", "^501 "),
        ("SITE UTIME 20200102030405 file", "^200 "), ("MDTM file", "^213 20200102030405$"), ("SITE UTIME never file", "^501 ")]),
    "digests": (OPEN, [
        ("HASH file", f"^213 SHA-256 0-10239 {SHA256} /?file$"), ("RANG 0 255", "^350 "), ("HASH file", f"^213 SHA-256 0-255 {SHA256} /?file$"),
        ("HASH folder", "^55[03] "), ("HASH nothing", "^550 "), ("HASH", "^501 ")]),
    "a status of a path": (OPEN, [("STAT file", r"(?m)^213-.*\n-.* 10240 .* file$\n213 "), ("STAT nothing", "^[45]50 "), ("STAT", r"(?m)^ Logged in as alice$")]),
    "names": (OPEN, [
        ("MKD made", '^257 "/made" '), ("MKD made", "^550 "), ("RNFR made", "^350 "), ("RNTO moved", "^250 "), ("RNTO again", "^503 "),
        ("RNFR moved", "^350 "), ("NOOP", "^200 "), ("RNTO again", "^503 "), ("DELE moved", "^550 "), ("RMD moved", "^250 "), ("RMD moved", "^550 "),
        ("RMD folder", "^550 "), ("RNFR nothing", "^550 "), ("DELE nothing", "^550 "), ("DELE", "^501 "), ("MKD", "^501 ")]),
    "offsets": (OPEN, [
        ("REST 5", "^350 "), ("REST 0", "^350 "), ("REST -1", "^501 "), ("REST x", "^501 "), ("REST", "^501 "), ("REST 9223372036854775808", "^501 "),
        ("RANG 1 0", "^350 "), ("RANG 5", "^501 "), ("RANG 5 4", "^501 "), ("RANG x y", "^501 "), ("RANG", "^501 ")]),
    "a transfer without a data connection": (OPEN, [(line, "^425 ") for line in ("RETR file", "STOR x", "APPE x", "STOU", "LIST", "NLST", "MLSD")]),
    "ports": (OPEN, [
        ("EPSV 1", r"^229 .*\(\|\|\|\d+\|\)$"), ("EPSV 2", r"^522 .*\(1\)$"), ("EPSV 3", "^52[12] |^501 "), ("EPSV x", "^501 "), ("PASV", r"^227 .*\(127,0,0,1,\d+,\d+\)"),
        ("PASV x", "^501 "), ("PORT 127,0,0,1,4,1", "^200 "), ("PORT 192,0,2,1,4,1", "^501 "), ("PORT 127,0,0,1,0,22", "^501 "), ("PORT 1,2,3", "^501 "),
        ("PORT 127,0,0,1,4,256", "^501 "), ("EPRT |1|127.0.0.1|5000|", "^200 "), ("EPRT |2|::1|5000|", "^5(01|22) "), ("EPRT |3|x|5000|", r"^522 .*\(1,2\)"),
        ("EPRT |1|127.0.0.1|", "^501 "), ("EPRT |1|127.0.0.1|99999|", "^501 ")]),
    "EPSV ALL": (OPEN, [("EPSV ALL", "^200 "), ("PASV", "^503 "), ("PORT 127,0,0,1,4,1", "^503 "), ("EPRT |1|127.0.0.1|5000|", "^503 "), ("EPSV", "^229 ")]),
    "nothing to break off": (OPEN, [("ABOR", "^22[56] "), ("ABOR x", "^501 ")]),
    "what is not served": (OPEN, [("REIN", "^502 "), ("SMNT x", "^502 "), ("CPSV", "^502 "), ("SSCN ON", "^502 "), ("CCC", "^534 "), ("ACCT x", "^202 ")]),
    "what is no verb": (OPEN, [
        ("", "^500 "), (" ", "^500 "), ("NONSENSE", "^500 "), ("RETRX file", "^500 "), ("NOOP\tx", "^500 "), ("X" * 300, "^500 "), (b"\xff\xfe\xfd\r\n", "^500 "),
        (b"N\0OOP\r\n", "^50[01] "), (b"NOOP\n", "^200 "), (b"\xff\xf4\xff\xf2NOOP\r\n", "^200 "), ("noop", "^200 "), ("XMKD xx", "^257 "), ("XRMD xx", "^250 ")]),
    "long lines": (OPEN, [
        ("NOOP " + "x" * 10_000, "^500 .*long"), ("NOOP", "^200 "), ("CWD " + "x" * 10_000, "^500 .*long"), ("MKD " + "x" * 300, "^55[03] "),
        ("CWD " + "a/" * 1000, "^55[03] "), ("NOOP", "^200 ")]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(ftps, home, name):
    state, lines = CONVERSATIONS[name]
    with Talk(ftps, state) as talk:
        for line, pattern in lines:
            talk.expect(line, pattern)


def test_implicit(ftps, home):
    """TLS before the greeting; data connections are private without being told so (but may be told)."""
    with Talk(ftps, implicit=True) as talk:
        assert talk.greeting.startswith("220 ")
        for line, pattern in (("AUTH TLS", "^503 "), ("USER alice", "^331 "), ("PASS correct horse", "^230 "), ("TYPE I", "^200 ")):
            talk.expect(line, pattern)
        assert talk.fetch("RETR file") == CONTENT


# ---- lines ------------------------------------------------------------------------------------
def test_commands_in_one_go(ftps, home):
    """Replies come in the order of the commands, each to its own."""
    with Talk(ftps, OPEN) as talk:
        talk.send(b"NOOP\r\nSIZE file\r\nNONSENSE\r\nPWD\r\nSYST\r\n" * 200)
        for _ in range(200):
            assert [talk.reply()[:3] for _ in range(5)] == ["200", "213", "500", "257", "215"]


def test_a_command_in_pieces(ftps):
    with Talk(ftps, OPEN) as talk:
        for byte in b"NOOP\r\n":
            talk.send(bytes([byte]))
        assert talk.reply().startswith("200")


def test_the_last_command_without_a_line_end_is_none(ftps, home):
    with Talk(ftps, OPEN) as talk:
        talk.send(b"DELE file")
        talk.socket.unwrap().close()
    ftps.wait_no_sessions()
    assert (home / "file").exists()


def test_a_client_that_never_reads(ftps):
    """It blocks itself: what is kept for it has a bound. Others do not notice."""
    with Talk(ftps, OPEN) as deaf:
        deaf.socket.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100_000_000:
                deaf.send(b"HELP\r\n" * 1000)
                sent += 6000
        worker, = ftps.workers()
        assert int(worker.status["VmRSS"].split()[0]) < 200_000  # KiB; 100 MB of replies would be more
        with Talk(ftps, OPEN) as other:
            other.expect("NOOP", "^200 ")
    ftps.wait_no_sessions()


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "EHLO x", "SSH-2.0-x"])
def test_other_protocols(ftps, line):
    with Talk(ftps) as talk:
        talk.expect(line, "^5")
        assert line.split()[0] not in talk.say("HELP " + line)  # nothing of it is echoed


# ---- transfers --------------------------------------------------------------------------------
@pytest.mark.parametrize("before, begin, end", [
    ("REST 100", 100, None), ("RANG 10 19", 10, 20), ("RANG 10000 99999", 10000, None), ("REST 10240", 10240, None), ("NOOP", 0, None)])
def test_a_part_of_a_file(ftps, home, before, begin, end):
    with Talk(ftps, OPEN) as talk:
        talk.say(before)
        assert talk.fetch("RETR file") == CONTENT[begin:end]
        assert talk.fetch("RETR file") == CONTENT  # it held for one command


@pytest.mark.parametrize("before, line, pattern", [
    ("REST 10241", "RETR file", "^554 "), ("REST 10241", "STOR file", "^554 "), ("REST 5", "APPE file", "^554 "), ("RANG 0 5", "STOR file", "^551 "),
    ("NOOP", "RETR nothing", "^550 "), ("NOOP", "RETR folder", "^550 "), ("NOOP", "STOR folder", "^55[03] "), ("NOOP", "MLSD file", "^501 "),
    ("NOOP", "MLSD nothing", "^550 "), ("NOOP", "STOR nowhere/x", "^55[03] "), ("REST 5", "STOR new", "^55[0-4] ")])
def test_transfers_that_cannot_begin(ftps, home, before, line, pattern):
    with Talk(ftps, OPEN) as talk:
        talk.say(before)
        with talk.dial() as data:
            talk.expect(line, pattern)
            assert data.recv(1) == b""
        assert (home / "file").read_bytes() == CONTENT and not (home / "new").exists()
        assert talk.fetch("RETR file") == CONTENT


def test_uploads(ftps, home):
    with Talk(ftps, OPEN) as talk:
        assert talk.give("STOR up", b"12345")[1].startswith("226")
        assert talk.give("APPE up", b"678")[1].startswith("226")
        assert (home / "up").read_bytes() == b"12345678"
        talk.expect("REST 2", "^350 ")
        assert talk.give("STOR up", b"xx")[1].startswith("226")
        assert (home / "up").read_bytes() == b"12xx"  # a file ends where an upload ends
        names = set()
        for line in ("STOU", "STOU wish", "STOU wish"):
            begun, ended = talk.give(line, b"unique")
            name = re.fullmatch("150 FILE: (.+)", begun).group(1)  # RFC 1123, 4.1.2.9
            assert name in ended and (home / name).read_bytes() == b"unique"
            names.add(name)
        assert len(names) == 3 and "wish" in names


def test_lines_as_text(ftps, home):
    with Talk(ftps, OPEN) as talk:
        talk.expect("TYPE A", "^200 ")
        assert talk.give("STOR text", b"one\r\ntwo\r\n")[1].startswith("226")
        assert (home / "text").read_bytes() == b"one\ntwo\n"
        assert talk.fetch("RETR text") == b"one\r\ntwo\r\n"
        with talk.dial():
            talk.expect("REST 3", "^350 ")
            talk.expect("RETR text", "^554 ")


def test_listings(ftps, home):
    with Talk(ftps, OPEN) as talk:
        assert re.search(rb"(?m)^-\S+ .* 10240 .* file\r$", talk.fetch("LIST"))
        assert b"file\r\n" in talk.fetch("NLST") and talk.fetch("NLST fil*") == b"file\r\n"
        assert re.search(rb"(?m)^type=file;.*size=10240;.* file\r$", talk.fetch("MLSD")) or b"size=10240" in talk.fetch("MLSD")
        assert all(line.endswith(b"\r\n") for line in talk.fetch("MLSD /folder").splitlines(keepends=True))
        assert talk.fetch("LIST -la folder").count(b"\r\n") == 3  # ".", "..", the file


def test_without_prot_p(ftps, home):
    with Talk(ftps, SECURE) as talk:
        for line in ("USER alice", "PASS correct horse"):
            talk.say(line)
        with talk.dial() as data:
            talk.expect("RETR file", "^52[12] .*PROT P")
            assert data.recv(1) == b""


# ---- in the middle of one ---------------------------------------------------------------------
BIG = 60_000_000


@pytest.fixture
def big(ftps, home):
    path = ftps.put_file("big", b"")
    with open(path, "r+b") as file:
        file.truncate(BIG)
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("line", ["ABOR", b"\xff\xf4\xff\xf2ABOR\r\n"])
def test_abor_of_a_download(ftps, big, line):
    with Talk(ftps, OPEN) as talk:
        data = talk.dial()
        talk.expect("RETR big", "^150 ")
        with talk.protect(data) as data:
            assert data.recv(1000)
            talk.expect(line, "^426 ")
            assert talk.reply().startswith("226")
        assert talk.fetch("RETR file") == CONTENT


def test_abor_of_an_upload(ftps, home):
    with Talk(ftps, OPEN) as talk:
        data = talk.dial()
        talk.expect("STOR cut", "^150 ")
        with talk.protect(data) as data:
            data.sendall(b"x" * 1000)
            wait_for("some of it", lambda: "1000 bytes" in talk.say("STAT"))
            talk.expect("ABOR", "^426 ")
            assert talk.reply().startswith("226")
        assert talk.fetch("RETR file") == CONTENT


def test_abor_while_the_data_connection_is_waited_for(ftps, home):
    with Talk(ftps, OPEN) as talk:
        talk.expect("EPSV", "^229 ")
        talk.send("RETR file")
        talk.expect("ABOR", "^426 ")
        assert talk.reply().startswith("226")
        assert talk.fetch("RETR file") == CONTENT


def test_stat_and_noop_during_a_download(ftps, big):
    with Talk(ftps, OPEN) as talk:
        data = talk.dial()
        talk.expect("RETR big", "^150 ")
        with talk.protect(data) as data:
            data.recv(1000)
            talk.expect("STAT", r"^21[13] .*\d+ bytes")
            talk.expect("NOOP", "^200 ")
            talk.send("PWD")  # waits for the end
            left = sum(len(piece) for piece in iter(lambda: data.recv(1 << 20), b""))
        assert BIG - 1000 <= left < BIG
        assert talk.reply().startswith("226") and talk.reply().startswith("257")


def test_quit_after_a_download_that_goes_on(ftps, big):
    """RFC 959, 4.1.1: the session stays open until the transfer has come to its end."""
    with Talk(ftps, OPEN) as talk:
        data = talk.dial()
        talk.send("RETR big")
        talk.send("QUIT")
        assert talk.reply().startswith("150")
        with talk.protect(data) as data:
            assert sum(len(piece) for piece in iter(lambda: data.recv(1 << 20), b"")) == BIG
        assert [talk.reply()[:3], talk.reply()[:3], talk.reply()] == ["226", "221", ""]


def test_a_client_that_leaves_in_the_middle(ftps, big):
    with Talk(ftps, OPEN) as talk:
        data = talk.dial()
        talk.expect("RETR big", "^150 ")
        talk.protect(data).close()
        assert talk.reply().startswith("426")
        talk.expect("NOOP", "^200 ")
        data = talk.dial()
        talk.expect("RETR big", "^150 ")
        data = talk.protect(data)
        talk.socket.close()
    ftps.wait_no_sessions()
    data.close()


def test_a_data_connection_that_speaks_no_tls(ftps, home):
    with Talk(ftps, OPEN) as talk:
        with talk.dial() as data:
            talk.expect("STOR plain", "^150 ")
            data.sendall(b"this is not TLS\r\n" * 10)
            assert talk.reply().startswith("425")
        assert talk.fetch("RETR file") == CONTENT


def test_a_second_passive_port_replaces_the_first(ftps, home):
    with Talk(ftps, OPEN) as talk:
        first = talk.dial()
        assert talk.fetch("RETR file") == CONTENT
        first.settimeout(20)
        try:
            assert first.recv(1) == b""
        except ConnectionResetError:
            pass
        first.close()


def test_active_mode(ftps, home):
    with Talk(ftps, OPEN) as talk, socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        for line in (f"PORT 127,0,0,1,{port >> 8},{port & 255}", f"EPRT |1|127.0.0.1|{port}|"):
            talk.expect(line, "^200 ")
            talk.send("RETR file")
            data, _ = ours.accept()
            assert talk.reply().startswith("150")
            with talk.protect(data) as data:
                assert b"".join(iter(lambda: data.recv(65536), b"")) == CONTENT
            assert talk.reply().startswith("226")
    with Talk(ftps, OPEN) as talk:  # nobody listens there any more
        talk.expect(f"EPRT |1|127.0.0.1|{port}|", "^200 ")
        talk.expect("RETR file", "^425 ")
