"""Attacks that other servers have known: each gets its answer, or its end, in bounded time; nobody is
let in; and the server serves the next one."""
import re
import signal
import socket
import struct
import time
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import clients
import sshlow
from server import wait_for
from sshlow import auth_request, string

(DISCONNECT, IGNORE, UNIMPLEMENTED, SERVICE_ACCEPT, KEXINIT, NEWKEYS, KEX_REPLY) = (1, 2, 3, 6, 20, 21, 31)
(FAILURE, SUCCESS, OPENED, CHANNEL_OK) = (51, 52, 91, 99)
CHANNEL = b"\x5a" + string(b"session") + struct.pack(">III", 0, 1 << 20, 1 << 15)


@pytest.fixture(autouse=True)
def lives(request):
    """After each attack the server still serves, and no session of the attack is left."""
    yield
    server = request.getfixturevalue("shared")
    client = sshlow.login(server)
    assert client.listdir("/") == []
    client.get_channel().get_transport().close()
    server.wait_no_sessions()


def answer(heard, *kinds, seconds=20):
    """Wait until one of these came, or the connection ended: the kind, or None."""
    def look():
        came = [kind for kind in heard.kinds() if kind in kinds]
        return came or (heard.ended() and [None])

    return wait_for(f"one of {kinds}", look, seconds)[0]


def password(user=b"alice", secret=b"correct horse"):
    return auth_request(user, b"password", b"\0" + string(secret))


def logins(server):
    """The accounts of all logins so far: the store writes a line a moment after the monitor tells of it."""
    def written():
        accounts = [line["account"] for line in server.audit(event="login")]
        return len(accounts) == len(re.findall(r": account \S+ logged in by ", server.log())) and [accounts]

    return wait_for("the audit lines of all logins", written)[0]


@pytest.mark.parametrize("first", [b"", password(secret=b"wrong")], ids=["at-once", "after-a-try"])
def test_success_sent_by_the_client(shared, first):
    """CVE-2018-10933: the client says that it is logged in."""
    before = logins(shared)
    with sshlow.listening(shared) as (t, heard):
        if first:
            heard.send(first)
            assert answer(heard, FAILURE) == FAILURE
        heard.send(SUCCESS)
        heard.send(CHANNEL)
        heard.send(98, struct.pack(">I", 0), string(b"subsystem"), 1, string(b"sftp"))
        answer(heard, OPENED, CHANNEL_OK, DISCONNECT)
        assert OPENED not in heard.kinds() and CHANNEL_OK not in heard.kinds()
    assert logins(shared) == before


class Rsa:
    """A login by an RSA key whose signature is made as the test likes."""

    def __init__(self, server, keys):
        self.path = keys["rsa2048"]
        self.key = serialization.load_ssh_private_key(self.path.read_bytes(), None)
        self.user = b"rsa-attacks"
        if server.command("user", "show", self.user.decode(), check=False).returncode != 0:
            server.add(self.user.decode(), password=None, keys=[self.path.with_suffix(".pub")])
        self.blob = paramiko.RSAKey.from_private_key_file(str(self.path)).asbytes()

    def request(self, t, algorithm, digest, inner=None, session_id=None, signed_user=None):
        body = b"\1" + string(algorithm) + string(self.blob)
        data = string(session_id or t.session_id) + auth_request(signed_user or self.user, b"publickey", body)
        signature = self.key.sign(data, padding.PKCS1v15(), digest)
        return auth_request(self.user, b"publickey", body + string(string(inner or algorithm) + string(signature)))


@pytest.mark.parametrize("algorithm, digest, inner", [
    (b"rsa-sha2-512", hashes.SHA1(), b"rsa-sha2-512"),
    (b"rsa-sha2-512", hashes.SHA1(), b"ssh-rsa"),
    (b"rsa-sha2-512", hashes.SHA256(), b"rsa-sha2-512"),
    (b"rsa-sha2-512", hashes.SHA256(), b"rsa-sha2-256"),
    (b"rsa-sha2-256", hashes.SHA512(), b"rsa-sha2-512"),
    (b"rsa-sha2-256", hashes.SHA1(), b"ssh-rsa"),
    (b"ssh-rsa", hashes.SHA1(), b"ssh-rsa"),
    (b"ssh-rsa", hashes.SHA512(), b"rsa-sha2-512"),
], ids=lambda v: v.decode() if isinstance(v, bytes) else v.name)
def test_a_signature_of_another_hash(shared, keys, algorithm, digest, inner):
    rsa = Rsa(shared, keys)
    before = logins(shared)
    with sshlow.listening(shared) as (t, heard):
        heard.send(rsa.request(t, algorithm, digest, inner))
        assert answer(heard, FAILURE, SUCCESS) in (FAILURE, None)
        assert SUCCESS not in heard.kinds()
    assert logins(shared) == before


def test_a_signature_of_another_session_or_name(shared, keys):
    rsa = Rsa(shared, keys)
    for lie in ({"session_id": bytes(32)}, {"signed_user": b"alice"}):
        with sshlow.listening(shared) as (t, heard):
            heard.send(rsa.request(t, b"rsa-sha2-512", hashes.SHA512(), **lie))
            assert answer(heard, FAILURE, SUCCESS) in (FAILURE, None)
    with sshlow.listening(shared) as (t, heard):
        heard.send(rsa.request(t, b"rsa-sha2-512", hashes.SHA512()))
        assert answer(heard, FAILURE, SUCCESS) == SUCCESS  # what all the others differ from


KERBEROS = bytes.fromhex("06092a864886f712010202")


@pytest.mark.parametrize("request_first", [True, False])
def test_gssapi(shared, request_first):
    """A method that is not offered, and its messages (RFC 4462) in any order."""
    with sshlow.listening(shared) as (t, heard):
        if request_first:
            heard.send(auth_request(b"alice", b"gssapi-with-mic", struct.pack(">I", 1) + string(KERBEROS)))
            answer(heard, FAILURE, SUCCESS, 60)
        for kind in (61, 66, 63, 64, 65, 60):
            heard.send(kind, string(b"token"))
        heard.send(CHANNEL)
        answer(heard, OPENED, DISCONNECT, UNIMPLEMENTED)
        assert SUCCESS not in heard.kinds() and OPENED not in heard.kinds()


def test_two_thousand_passwords(shared):
    """CVE-2015-5600 and the like: however many are sent at once, `tries` of them are looked at."""
    before = len(shared.audit(event="refused"))
    with sshlow.listening(shared) as (t, heard):
        for i in range(2000):
            if not heard.send(password(secret=b"guess %d" % i)):
                break
        wait_for("the end of the connection", heard.ended, 60)
        assert SUCCESS not in heard.kinds()
        # Those that had been read with the last one that was looked at are answered, unseen.
        assert heard.kinds().count(FAILURE) <= 6 + 4096 // len(password(secret=b"guess 1"))
    shared.wait_no_sessions()
    assert len(shared.audit(event="refused")) - before == 6


def test_the_right_password_after_too_many(shared):
    before = logins(shared)
    with sshlow.listening(shared) as (t, heard):
        for _ in range(6):
            heard.send(password(secret=b"wrong"))
        heard.send(password())
        wait_for("the end of the connection", heard.ended, 60)
        assert SUCCESS not in heard.kinds()
    assert logins(shared) == before


NAMES = {"20-kB": b"a" * 20000, "nul": b"alice\0", "nul-inside": b"alice\0root", "empty": b"", "not-utf-8": b"\xff\xfe", "newline": b"alice\nroot", "65-bytes": b"a" * 65}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("method", [b"password", b"none", b"publickey", b"keyboard-interactive"], ids=bytes.decode)
def test_names(shared, keys, name, method):
    key = paramiko.Ed25519Key.from_private_key_file(str(keys["ed25519"]))
    rest = {b"password": b"\0" + string(b"correct horse"), b"none": b"", b"keyboard-interactive": string(b"") + string(b""),
            b"publickey": b"\0" + string(b"ssh-ed25519") + string(key.asbytes())}[method]
    before = logins(shared)
    with sshlow.listening(shared) as (t, heard):
        heard.send(auth_request(name, method, rest))
        answer(heard, FAILURE, SUCCESS, 60)
        if method == b"password" and name.startswith(b"alice\0"):
            # libssh ends a name at its NUL: whoever has alice's password is alice, and nobody else.
            assert set(logins(shared)[len(before):]) <= {"alice"}
            return
        assert SUCCESS not in heard.kinds()
    assert logins(shared) == before


def test_a_key_with_a_nul_in_the_name(shared, keys):
    """libssh ends a name at its NUL: what was signed for the whole name is refused, and what was signed
    for alice makes nobody but alice of its sender."""
    key = paramiko.Ed25519Key.from_private_key_file(str(keys["ed25519"]))
    body = b"\1" + string(b"ssh-ed25519") + string(key.asbytes())
    before = logins(shared)
    for signed in (b"alice\0root", b"alice"):
        with sshlow.listening(shared) as (t, heard):
            signature = key.sign_ssh_data(string(t.session_id) + auth_request(signed, b"publickey", body)).asbytes()
            heard.send(auth_request(b"alice\0root", b"publickey", body + string(signature)))
            answer(heard, FAILURE, SUCCESS)
            assert signed == b"alice" or SUCCESS not in heard.kinds()
    assert set(logins(shared)[len(before):]) <= {"alice"}


# ---- the key exchange --------------------------------------------------------------------------
STRICT = b"kex-strict-c-v00@openssh.com"
POINT = b"\x1e" + string(bytes([9]) + bytes(31))  # SSH_MSG_KEX_ECDH_INIT


@pytest.mark.parametrize("inserted", [b"\2" + string(b"x"), b"\4\1" + string(b"x") + string(b""), b"\xc8"], ids=["ignore", "debug", "unknown"])
@pytest.mark.parametrize("place", ["before-kexinit", "after-kexinit"])
def test_terrapin(shared, inserted, place):
    """CVE-2023-48795: with strict key exchange nothing else may come before NEWKEYS."""
    with sshlow.Plain(shared) as plain:
        if place == "before-kexinit":
            plain.send(inserted)
        plain.send_kexinit(STRICT)
        if place == "after-kexinit":
            plain.send(inserted)
        plain.send(POINT)
        plain.send(bytes([NEWKEYS]))  # here at the latest
        plain.rest()


def test_terrapin_is_strict_for_a_reason(shared):
    """The same without the insertion, and the insertion without strict: the exchange goes on."""
    for kex, inserted in ((STRICT, b""), (b"ext-info-c", b"\2" + string(b"x"))):
        with sshlow.Plain(shared) as plain:
            plain.socket.settimeout(20)
            plain.send_kexinit(kex)
            if inserted:
                plain.send(inserted)
            plain.send(POINT)
            assert plain.receive()[0] == KEXINIT
            assert plain.receive()[0] == KEX_REPLY
            assert plain.receive()[0] == NEWKEYS
            plain.send(bytes([NEWKEYS]))
            plain.socket.settimeout(1)
            try:
                assert plain.socket.recv(1) != b""
            except TimeoutError:
                pass  # it waits for what we cannot encrypt


def test_strict_with_openssh(shared, place):
    """Both sides begin to count their packets anew: else no packet after NEWKEYS would be understood."""
    done = clients.OpenSSH(shared, place).batch("pwd", level="DEBUG3")
    assert "will use strict KEX ordering" in done.stderr
    assert "resetting send seqnr" in done.stderr and "resetting read seqnr" in done.stderr


def test_many_key_exchanges_before_a_login(server):
    """Each costs a signature: a few are served, then the client is sent away; that is no crime of a worker."""
    with sshlow.transport(server) as t:
        done = 0
        try:
            for _ in range(20):
                t.renegotiate_keys()
                done += 1
        except (paramiko.SSHException, OSError, EOFError):
            pass
        assert done < 10
        assert not t.is_authenticated()
    server.wait_no_sessions()


def test_kexinits_and_nothing_else(shared):
    with sshlow.Plain(shared) as plain:
        began = time.monotonic()
        try:
            for _ in range(2000):
                plain.send_kexinit()
        except OSError:
            pass
        came = [payload[0] for payload in plain.rest()]
        assert came.count(KEXINIT) <= 1 and NEWKEYS not in came
        assert time.monotonic() - began < 60


@pytest.mark.parametrize("size", [10000, 30000, 200000, 300000])
def test_a_huge_kexinit(shared, size):
    with sshlow.Plain(shared) as plain:
        try:
            plain.send_kexinit(b"x" * size)
            plain.send(POINT)
            if size <= 30000:  # a proper exchange, but for its size
                plain.socket.shutdown(1)
        except OSError:
            pass
        plain.rest()


@pytest.mark.parametrize("payload", [b"\x14", b"\x14" + bytes(16), b"\x14" + bytes(16) + b"\xff" * 8, b"\x14" + bytes(16) + string(b",") * 10 + bytes(5),
                                     b"\x14" + bytes(16) + string(b"none") * 10 + bytes(5), b"\x15", POINT, b""],
                         ids=["empty", "no-lists", "lying", "commas", "nothing-shared", "newkeys", "ecdh", "no-byte"])
def test_what_is_no_kexinit(shared, payload):
    with sshlow.Plain(shared) as plain:
        plain.send(payload)
        if not payload:  # no message: the server waits for one
            plain.socket.shutdown(1)
        came = [p[0] for p in plain.rest() if p]
        assert KEX_REPLY not in came and NEWKEYS not in came


@pytest.mark.parametrize("length", [0, 1, 5, 0x7FFFFFFF, 0xFFFFFFFF])
def test_lengths_of_packets(shared, length):
    with sshlow.Plain(shared) as plain:
        plain.socket.sendall(struct.pack(">IB", length, 4) + bytes(64))
        plain.rest()


# ---- messages out of their place ---------------------------------------------------------------
@pytest.mark.parametrize("service", [b"ssh-connection", b"ssh-userauth\0", b"", b"x" * 20000, b"rsh"], ids=["connection", "nul", "empty", "long", "other"])
def test_another_service(shared, service):
    with sshlow.listening(shared, service=False) as (t, heard):
        heard.send(5, string(service))
        heard.send(CHANNEL)
        answer(heard, OPENED, DISCONNECT)
        assert OPENED not in heard.kinds() and SUCCESS not in heard.kinds()


def test_a_login_for_another_service(shared):
    with sshlow.listening(shared) as (t, heard):
        heard.send(auth_request(b"alice", b"password", b"\0" + string(b"correct horse"), b"rsh"))
        answer(heard, FAILURE, DISCONNECT, SUCCESS)
        assert SUCCESS not in heard.kinds()


def test_a_channel_before_a_login(shared):
    """Also when all is sent in one go: what came before the login is not served after it."""
    with sshlow.listening(shared) as (t, heard):
        heard.send(CHANNEL)
        heard.send(98, struct.pack(">I", 0), string(b"subsystem"), 1, string(b"sftp"))
        heard.send(94, struct.pack(">I", 0), string(struct.pack(">IBI", 5, 1, 3)))
        heard.send(password())
        answer(heard, OPENED, DISCONNECT, SUCCESS)
        assert OPENED not in heard.kinds() and CHANNEL_OK not in heard.kinds()


def test_a_second_login(shared):
    """RFC 4252, 5.1: requests after success are ignored; the session stays what it is."""
    if "bob" not in [user["name"] for user in shared.json("user", "list")]:
        shared.add("bob", password="battery staple")
    shared.put_file("bobs", b"x", "bob")
    with sshlow.listening(shared) as (t, heard):
        heard.send(password())
        assert answer(heard, SUCCESS) == SUCCESS
        before = logins(shared)
        heard.send(password(b"bob", b"battery staple"))
        heard.send(password(b"bob", b"wrong"))
        heard.send(CHANNEL)
        answer(heard, OPENED, DISCONNECT)
        assert heard.kinds().count(SUCCESS) == 1
        assert logins(shared) == before
        assert {s["account"] for s in shared.sessions()} <= {"alice"}


@pytest.mark.parametrize("logged_in", [False, True])
def test_unknown_messages(shared, logged_in):
    """RFC 4253, 11.4: each is answered by UNIMPLEMENTED, and nothing else happens."""
    with sshlow.listening(shared) as (t, heard):
        if logged_in:
            heard.send(password())
            assert answer(heard, SUCCESS) == SUCCESS
        for kind in (10, 19, 150, 192, 255):
            heard.send(kind, string(b"what is this"))
        wait_for("five answers", lambda: heard.kinds().count(UNIMPLEMENTED) == 5 or heard.ended(), 20)
        assert heard.kinds().count(UNIMPLEMENTED) == 5 and not heard.ended()
        heard.send(CHANNEL if logged_in else password())
        assert answer(heard, OPENED, SUCCESS) is not None


# ---- ends in the middle ------------------------------------------------------------------------
def test_ends_in_the_middle(shared):
    whole = [b"", b"\0\0\1", struct.pack(">IB", 200, 4) + b"\x14"]
    for bytes_sent in whole:
        with sshlow.Plain(shared) as plain:
            plain.socket.sendall(bytes_sent)
    with sshlow.Plain(shared) as plain:
        plain.send_kexinit()
    with sshlow.Plain(shared) as plain:
        plain.send_kexinit()
        plain.send(POINT)
    for sent in (b"", auth_request(b"alice", b"none"), password(), password(secret=b"wrong")):
        with sshlow.listening(shared) as (t, heard):
            if sent:
                heard.send(sent)
            t.sock.close()
    shared.wait_no_sessions()


def test_reset_while_a_password_is_looked_at(shared):
    """The answer's write fails: libssh says "logged in" of a connection that it has closed."""
    def to_read():
        """The bytes of this connection that the server has not read yet; None: it has been reset."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{shared.port:04X}") and fields[2].endswith(f":{mine:04X}"):
                return int(fields[4].split(":")[1], 16)
        return None

    hashers = shared.children("sallyport-hash")
    with sshlow.listening(shared) as (t, heard):
        mine = t.sock.getsockname()[1]
        for hasher in hashers:
            hasher.kill(signal.SIGSTOP)
        try:
            heard.send(password())
            # All of it; what the client thinks of the service's acceptance (UNIMPLEMENTED, 48 bytes) may follow.
            wait_for("the request's reading", lambda: to_read() in (0, 48))
            worker, = shared.workers()
            wait_for("the worker's question", lambda: worker.status["State"][0] == "S")
            t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            t.sock.close()
            wait_for("the reset", lambda: to_read() is None)
        finally:
            for hasher in hashers:
                hasher.kill(signal.SIGCONT)
    shared.wait_no_sessions()
