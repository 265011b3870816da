"""`sallyport cert`: what it makes, asks for, takes and refuses, without a server and with one that runs."""
import json
import re
import socket
import ssl
import stat
import subprocess

import pytest

from certificates import RSA, Authority, openssl
from server import wait_for
from test_command import DONE, REFUSED, USAGE, audit_texts, refused

LOCALHOST = "localhost,127.0.0.1"


@pytest.fixture
def down(make_server):
    """A configured server that was never started."""
    return make_server(start=False, own_keys=True)


@pytest.fixture
def pki(place, monkeypatch):
    """An authority, which this system trusts, and one below it."""
    root = Authority(place, "Root")
    monkeypatch.setenv("SSL_CERT_FILE", str(root.crt))
    monkeypatch.setenv("SSL_CERT_DIR", str(place / "none"))
    return root, root.authority("Middle")


def request(server, *words):
    return server.command("cert", "csr", "--name", LOCALHOST, *words).stdout


def text_of(place, *files):
    path = place / "given.pem"
    path.write_bytes(b"".join(f.crt.read_bytes() for f in files))
    return path


def kept(server):
    """What is in use, byte for byte."""
    return [(server.place / "keys" / name).read_bytes() for name in ("tls.crt", "tls.key")]


def on_the_wire(server):
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.https_port)))


def fingerprint(path, digest):
    out = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", f"-{digest}"], capture_output=True, text=True, check=True).stdout
    return out.strip().split("=")[1].lower()


# ---- made here


@pytest.mark.parametrize("key, bits", [("ec", 256), ("rsa", 3072), ("ed25519", 256)])
def test_self_signed(down, key, bits):
    words = ["--key", key, "--days", "30", "--organisation", "Müller & Co, DNS:evil", "--unit", "IT", "--country", "DE",
             "--state", "Bavaria", "--locality", "Munich", "--email", "a@example.org", "--name", "files.example.org, 192.0.2.1 2001:db8::1,files.example.org"]
    made = down.json("cert", "self-signed", *words)
    crt = down.place / "keys" / "tls.crt"
    subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "files.example.org", "-CAfile", crt, crt], check=True,
                   stdout=subprocess.DEVNULL)
    shown = down.json("cert", "show")
    assert made.pop("days_left") in (29, 30)  # it began a moment ago
    assert {k: shown["in_use"][k] for k in made} == made
    assert made["names"] == ["files.example.org", "192.0.2.1", "2001:db8::1"] and made["key_bits"] == bits
    assert made["sha256"] == fingerprint(crt, "sha256") and made["sha1"] == fingerprint(crt, "sha1")
    assert shown["in_use"]["days_left"] in (29, 30) and made["self_signed"] and shown["pending"] == []
    assert made["subject"] == ('C = DE, ST = Bavaria, L = Munich, O = "Müller & Co, DNS:evil", OU = IT, CN = files.example.org, '
                               'emailAddress = a@example.org')
    assert stat.S_IMODE((down.place / "keys" / "tls.key").stat().st_mode) == 0o600
    assert "files.example.org" in down.command("cert", "show").stdout
    assert any("certificate installed" in text for text in audit_texts(down, event="certificate-change"))


def test_no_name_twice(make_server):
    one = make_server({"tls": {"names": "localhost files.example.org"}}, start=False).serve_ftps().serve_https(names="files.example.org").start()
    names = one.json("cert", "show")["in_use"]["names"]
    assert len(names) == len(set(names)) and {"localhost", "127.0.0.1", "::1", "files.example.org"} <= set(names)
    one.command("cert", "self-signed")
    assert one.json("cert", "show")["in_use"]["names"] == names


@pytest.mark.parametrize("words, says, status", [
    (["--country", "GERMANY"], "two letters", REFUSED),
    (["--organisation", "x" * 65], "at most 64", REFUSED),
    (["--name", "a..b"], "neither a host name nor an address", REFUSED),
    (["--name", " , "], "there is no name in", REFUSED),
    (["--key", "dsa"], '"dsa" is not one of: ec, rsa, ed25519', USAGE),
    (["--days", "0"], "is not a number from 1", USAGE),
])
def test_wishes_that_cannot_be(down, words, says, status):
    refused(down, "cert", "self-signed", *words, says=says, status=status)
    assert not (down.place / "keys" / "tls.crt").exists()
    assert json.loads(down.command("--json", "cert", "show", check=False).stdout)["pending"] == []


# ---- signed by an authority


def test_requests_wait_beside_each_other(down, pki, place):
    _, middle = pki
    down.command("cert", "self-signed")
    before = kept(down)
    first, second = request(down), request(down, "--key", "rsa", "--organisation", "Example")
    for text in (first, second):
        subprocess.run(["openssl", "req", "-verify", "-noout"], input=text, text=True, check=True, capture_output=True)
    waiting = down.json("cert", "show")["pending"]
    assert len(waiting) == 2 and kept(down) == before
    assert {w["key_type"] for w in waiting} == {"EC", "RSA"} and all(w["names"] == LOCALHOST.split(",") for w in waiting)
    assert sorted((down.place / "keys" / "pending" / f"{w['name']}.csr").read_text() for w in waiting) == sorted([first, second])
    for path in (down.place / "keys" / "pending").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # The later one's certificate comes first; then the other's is still possible.
    for text, left in ((second, 1), (first, 0)):
        down.command("cert", "install", text_of(place, middle.answer(text, "leaf"), middle))
        assert len(down.json("cert", "show")["pending"]) == left
    assert len(list((down.place / "keys").glob("tls.key.old-*"))) == 2
    third = request(down)
    [waits] = down.json("cert", "show")["pending"]
    refused(down, "cert", "discard", "0" * 16, says="there is no request")
    refused(down, "cert", "discard", "../../../etc", says="is no name of a request", status=USAGE)
    down.command("cert", "discard", waits["name"])
    assert down.json("cert", "show")["pending"] == []
    refused(down, "cert", "install", text_of(place, middle.answer(third, "leaf"), middle), says="no key here belongs to")
    assert len(audit_texts(down, event="certificate-change")) == 7


def test_any_order_and_any_text_around(down, pki, place):
    root, middle = pki
    lower = middle.authority("Lower")
    for number, order in enumerate(["llmr", "rml", "m r l l", "lm"]):
        leaf = lower.answer(request(down), "leaf")
        parts = {"l": leaf, "m": middle, "r": root, " ": None}
        lines = "Dear customer,\n" + "\n".join("  " + (parts[o].crt.read_text() if parts[o] else "and\n") for o in order) + lower.crt.read_text()
        given = place / "pasted"
        given.write_bytes(lines.replace("\n", "\r\n").encode())
        done = down.json("cert", "install", given)
        assert done["chain_length"] == 3 and done["trusted_by"] == "system" and "Root" in done["authority"]
        served = (down.place / "keys" / "tls.crt").read_text()
        assert served == "".join(c.crt.read_text() for c in (leaf, lower, middle)), number


def test_a_renewal_keeps_the_key(down, pki, place):
    _, middle = pki
    text = request(down)
    down.command("cert", "install", text_of(place, middle.answer(text, "leaf"), middle))
    key = kept(down)[1]
    again = middle.answer(text, "again")
    down.command("cert", "install", again.crt, "--chain", middle.crt)
    assert kept(down)[1] == key and kept(down)[0].startswith(again.crt.read_bytes())
    assert not list((down.place / "keys").glob("tls.key.old-*"))


def test_what_was_checked_is_said(down, pki, place, monkeypatch):
    root, middle = pki
    leaf = middle.answer(request(down), "leaf")
    both = text_of(place, leaf, middle)
    assert "against this system's trust store" in down.command("cert", "install", both).stdout
    # An authority that is not known here: its root has to be among the files, and is not served.
    other = Authority(place, "Elsewhere")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.crt))
    served = kept(down)
    done = refused(down, "cert", "install", both, says='the chain is incomplete: the certificate of "CN = Root", who signed "CN = Middle", is missing')
    assert "Nothing was changed" in done.stderr and kept(down) == served
    assert "clients have to trust it" in down.command("cert", "install", both, "--chain", root.crt).stdout
    assert kept(down)[0].count(b"BEGIN") == 2
    # Without any trust store it is said that nobody looked.
    monkeypatch.setenv("SSL_CERT_FILE", str(place / "none"))
    assert "no trust store" in down.command("cert", "install", both).stdout
    refused(down, "cert", "install", leaf.crt, says='the certificate of "CN = Middle", who signed "CN = localhost", is missing')
    # --force takes it as it is.
    assert "warning: the chain is incomplete" in down.command("cert", "install", leaf.crt, "--force").stderr
    assert kept(down)[0] == leaf.crt.read_bytes()


def bad_inputs(server, pki, place):
    """What is given, and what is said of it."""
    root, middle = pki
    text = request(server)
    leaf = middle.answer(text, "leaf")
    stranger = middle.certificate("stranger")
    purpose = "subjectAltName = DNS:localhost\nextendedKeyUsage = clientAuth\n"
    key = place / "with-key"
    key.write_bytes(leaf.crt.read_bytes() + stranger.key.read_bytes())
    cut = place / "cut"
    cut.write_text(leaf.crt.read_text()[:300])
    garbage = place / "garbage"
    garbage.write_bytes(bytes(range(256)) * 10)
    old = Authority(place, "Old", key=RSA)
    weak = Authority(place, "Weak", key=RSA, signer=old, digest="sha1")
    return {
        "mismatched": (text_of(place, stranger, middle), 'no key here belongs to the certificate of "CN = stranger"'),
        "expired": (middle.answer_between(text, "expired", -20, -10).crt, "has expired: 20"),
        "not yet": (middle.answer_between(text, "early", 10, 20).crt, "is not valid yet, but from 20"),
        "incomplete": (leaf.crt, 'the chain is incomplete: the certificate of "CN = Middle", who signed "CN = localhost", is missing'),
        "authorities": (middle.crt, "only certificates of authorities"),
        "key": (key, "holds a private key: it was not taken, and nothing of it was kept"),
        "request": (server_request(place, text), "is a request (CSR)"),
        "cut": (cut, "is cut short or damaged: its block 1 of 1"),
        "garbage": (garbage, "holds no certificate"),
        "none": (place / "none", "No such file"),
        "folder": (place, "is a folder"),
        "purpose": (middle.answer(text, "client", extensions=purpose).crt, "is not for servers"),
        "names": (middle.answer(text, "nameless", extensions="basicConstraints = CA:FALSE\n").crt, "has no subjectAltName"),
        "weak": (weak_file(place, weak, text, old), "has a key or a signature that is too weak"),
    }


def server_request(place, text):
    path = place / "asked.csr"
    path.write_text(text)
    return path


def weak_file(place, weak, text, old):
    path = place / "weak.pem"
    path.write_bytes(b"".join(c.crt.read_bytes() for c in (weak.answer(text, "weakly"), weak, old)))
    return path


def test_bad_input_has_its_own_message(down, pki, place):
    down.command("cert", "self-signed")
    before = kept(down)
    messages = set()
    for name, (path, says) in bad_inputs(down, pki, place).items():
        done = refused(down, "cert", "install", path, says=says)
        messages.add(re.sub(r'"[^"]*"|/\S+', "", done.stderr.splitlines()[0]))
        assert kept(down) == before and len(down.json("cert", "show")["pending"]) == 1, name
    assert len(messages) == 14
    for path in down.place.rglob("*"):  # nothing is left of the key that was in a file
        if path.is_file():
            assert (place / "stranger.key").read_bytes() not in path.read_bytes()


def test_names_that_nobody_uses_are_warned_of(make_server, pki, place):
    one = make_server({"tls": {"names": "files.example.org"}}, start=False)
    _, middle = pki
    text = request(one)
    for names, warned in (("DNS:elsewhere.example", True), ("DNS:*.example.org", False)):
        extensions = f"subjectAltName = {names}\nextendedKeyUsage = serverAuth\n"
        done = one.command("cert", "install", text_of(place, middle.answer(text, "leaf", extensions=extensions), middle))
        assert ("none of its names is in" in done.stderr) == warned


def test_files_that_the_configuration_names_are_left_alone(down, pki, place):
    down.configure({"tls": {"certificate": place / "x.crt", "key": place / "x.key"}})
    refused(down, "cert", "self-signed", says="the configuration names")
    refused(down, "cert", "install", pki[0].crt, says="would not be served")
    assert "warning: the configuration names" in down.command("cert", "csr", "--name", LOCALHOST).stderr


def test_check_looks_at_it(make_server, place):
    one = make_server(start=False, own_keys=True).serve_https()

    def result():
        rows = json.loads(one.command("--json", "check", check=False).stdout)
        return [(row["result"], row["text"]) for row in rows if row["what"] == "certificate"]

    assert result() == [("WARN", "there is none: it is made at the first start")]
    for days, mark in ((60, "OK"), (10, "WARN")):
        one.command("cert", "self-signed", "--days", days)
        [(found, text)] = result()
        assert found == mark and "is valid for" in text
    (one.place / "keys" / "tls.crt").write_text("nothing")
    [(found, text)] = result()
    assert found == "FAIL" and "holds no certificate" in text


# ---- with a server


def test_a_running_server_serves_it_and_loses_no_connection(make_server, pki, place):
    root, middle = pki
    one = make_server(start=False).serve_https().serve_ftps().start()
    first = on_the_wire(one)
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.create_connection(("localhost", one.https_port)), server_hostname="localhost") as kept_open:

        def asks():
            kept_open.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while b"</html>" not in answer:
                more = kept_open.recv(65536)
                assert more, answer
                answer += more
            return answer.startswith(b"HTTP/1.1 200")

        assert asks()
        leaf = middle.answer(request(one), "leaf")
        one.command("cert", "install", text_of(place, leaf, middle))
        assert on_the_wire(one) == ssl.PEM_cert_to_DER_cert(leaf.crt.read_text()) != first
        assert kept_open.getpeercert(True) == first and asks()
    got = subprocess.run(["curl", "-sS", "--cacert", root.crt, f"https://localhost:{one.https_port}/login"], capture_output=True, text=True, timeout=30)
    assert got.returncode == DONE and "<html" in got.stdout, got.stderr
    got = subprocess.run(["curl", "-sS", "--cacert", root.crt, "--ssl-reqd", "--user", "alice:wrong", f"ftp://localhost:{one.ftps_port}/"],
                         capture_output=True, text=True, timeout=30)
    assert got.returncode == 67, got.stderr  # the server was believed, the password was not
    one.command("cert", "self-signed")
    wait_for("the new one", lambda: on_the_wire(one) == ssl.PEM_cert_to_DER_cert((one.place / "keys" / "tls.crt").read_text()))
    one.restart()
    assert on_the_wire(one) == ssl.PEM_cert_to_DER_cert((one.place / "keys" / "tls.crt").read_text())


def test_a_server_finds_the_key_that_waits(make_server, pki, place):
    """The moment between the certificate's change and the key's, as a crash would leave it."""
    _, middle = pki
    one = make_server(start=False).serve_https().start()
    leaf = middle.answer(request(one), "leaf")
    (one.place / "keys" / "new").write_bytes(leaf.crt.read_bytes() + middle.crt.read_bytes())
    (one.place / "keys" / "new").rename(one.place / "keys" / "tls.crt")
    assert "reloaded" in one.reload()
    assert on_the_wire(one) == ssl.PEM_cert_to_DER_cert(leaf.crt.read_text())
    one.restart()
    assert on_the_wire(one) == ssl.PEM_cert_to_DER_cert(leaf.crt.read_text())
    openssl(place, "x509", "-in", one.place / "keys" / "tls.crt", "-noout")
    request(one)  # any command brings it to its end
    assert len(one.json("cert", "show")["pending"]) == 1
    assert len(list((one.place / "keys").glob("tls.key.old-*"))) == 1
