"""Certificates that an authority has signed, as a server in use has them: clients who trust the authority get in
over both protocols, and what libssl would not serve is refused where the operator sees it."""
import socket
import ssl
import subprocess

import pytest

from certificates import EC, RSA, Authority, give
from server import Trouble, wait_for

KINDS = {
    "ec": (EC, "sha256"),
    "ec-sha384": (("ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"), "sha384"),
    "rsa": (RSA, "sha256"),
    "rsa-sha512": (RSA, "sha512"),
    "ed25519": (("ed25519",), "sha256"),
}


def curl(authority, *words):
    return subprocess.run(["curl", "-sS", "--cacert", authority.crt, "--user", "alice:wrong", *words], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_is_served_and_believed(make_server, place, kind):
    key, digest = KINDS[kind]
    root = Authority(place, "root", key=key, digest=digest)
    middle = root.authority("middle", key=key, digest=digest)
    leaf = middle.certificate("leaf", key=EC if kind == "ed25519" else key, digest=digest)
    one = make_server(start=False).serve_ftps().serve_https()
    give(one, leaf, middle)
    one.start()
    got = curl(root, f"https://localhost:{one.https_port}/login")
    assert got.returncode == 0 and "<html" in got.stdout, got.stderr
    for words in (["--ssl-reqd", f"ftp://localhost:{one.ftps_port}/"], [f"ftps://localhost:{one.implicit_port}/"]):
        got = curl(root, *words)
        assert got.returncode == 67, got.stderr  # the server was believed, the password was not


def test_a_chain_that_is_not_whole_is_not_believed(make_server, place):
    root = Authority(place, "root")
    leaf = root.authority("middle").certificate("leaf")
    one = make_server(start=False).serve_https()
    give(one, leaf)
    one.start()
    assert curl(root, f"https://localhost:{one.https_port}/login").returncode == 60


@pytest.mark.parametrize("weak", ["signature of the authority between", "key", "key of the authority between"])
def test_what_is_too_weak_is_refused_at_the_start(make_server, place, weak):
    short = ("rsa:1024",)
    root = Authority(place, "root", key=RSA)
    middle = root.authority("middle", key=short if weak == "key of the authority between" else RSA,
                            digest="sha1" if weak.startswith("signature") else "sha256")
    leaf = middle.certificate("leaf", key=short if weak == "key" else RSA)
    one = make_server(start=False).serve_https()
    give(one, leaf, middle)
    with pytest.raises(Trouble):
        one.start()
    one.killed = True
    assert ("neither RSA of 2048 bits" if weak == "key" else "certificate 2 of it has a key or a signature that is too weak") in one.log()


# ---- several names


def context_of(root, version=None):
    context = ssl.create_default_context(cafile=str(root.crt))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def named(root, port, name, version=None):
    """The common name of the certificate that a client gets who asks for a name, and believes."""
    context = context_of(root, version)
    context.check_hostname = name is not None
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=name) as tls:
        return dict(part for [part] in tls.getpeercert()["subject"])["commonName"]


def put_pair(place, leaf, *chain):
    """A pair of files as certbot has them: links to the newest of their kind."""
    for name, content in (("fullchain.pem", b"".join(c.crt.read_bytes() for c in (leaf, *chain))), ("privkey.pem", leaf.key.read_bytes())):
        number = len(list(place.glob(f"{name}-*")))
        path = place / f"{name}-{number}"
        path.touch(0o600)
        path.write_bytes(content)
        (place / "new").symlink_to(path.name)
        (place / "new").rename(place / name)


@pytest.fixture
def three(make_server, place):
    """A server with a certificate of its own and two for other names: an EC key like it, and an RSA key with a chain."""
    root = Authority(place, "root")
    middle = root.authority("middle")
    first = root.certificate("first")
    other = root.certificate("other", names="DNS:other.example,DNS:*.wild.example")
    rsa = middle.certificate("rsa", names="DNS:rsa.example", key=RSA)
    one = make_server(start=False).serve_ftps().serve_https()
    give(one, first)
    folder = one.place / "keys" / "live"
    folder.mkdir(mode=0o700)
    put_pair(folder, rsa, middle)
    for kind in ("crt", "key"):
        path = one.place / "keys" / f"other.{kind}"
        path.touch(0o600)
        path.write_bytes(getattr(other, kind).read_bytes())
    one.configure({"tls": {"further": f"{one.place / 'keys' / 'other.crt'} {folder}"}})
    return one.start(), root


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_certificate_of_the_name_that_is_asked_for(three, version):
    one, root = three
    shown = one.json("cert", "show")
    assert [c["names"] for c in (shown["in_use"], *shown["further"])] == [
        ["localhost", "127.0.0.1"], ["other.example", "*.wild.example"], ["rsa.example"]]
    for port in (one.https_port, one.implicit_port):
        assert named(root, port, "other.example", version) == "other"
        assert named(root, port, "a.wild.example", version) == "other"
        assert named(root, port, "rsa.example", version) == "rsa"
        assert named(root, port, "localhost", version) == "first"
        assert named(root, port, None, version) == "first"
        with pytest.raises(ssl.SSLCertVerificationError):  # of the first, which is not for it
            named(root, port, "unknown.example", version)


def test_names_over_real_clients(three):
    one, root = three
    one.add("alice")
    for name in ("other.example", "rsa.example", "localhost"):
        resolve = [f"{name}:{port}:127.0.0.1" for port in (one.https_port, one.ftps_port, one.implicit_port)]
        words = [word for r in resolve for word in ("--resolve", r)]
        got = curl(root, *words, f"https://{name}:{one.https_port}/login")
        assert got.returncode == 0 and "<html" in got.stdout, got.stderr
        for url in (f"ftp://{name}:{one.ftps_port}/", f"ftps://{name}:{one.implicit_port}/"):
            got = curl(root, *words, "--ssl-reqd", "--user", "alice:correct horse", url)  # with a data connection
            assert got.returncode == 0, got.stderr


def test_a_reload_changes_what_others_get_and_no_connection(three, place):
    one, root = three
    with context_of(root).wrap_socket(socket.create_connection(("127.0.0.1", one.https_port)), server_hostname="rsa.example") as tls:
        one.configure({"tls": {"further": None}})
        assert "reloaded" in one.reload()
        assert named(root, one.https_port, "localhost") == "first"
        with pytest.raises(ssl.SSLCertVerificationError):
            named(root, one.https_port, "rsa.example")
        tls.sendall(b"GET /login HTTP/1.1\r\nHost: rsa.example\r\nConnection: close\r\n\r\n")
        assert tls.recv(100).startswith(b"HTTP/1.1 200")
    # What cannot be served leaves everything as it was.
    one.configure({"tls": {"further": one.place / "keys" / "none.crt"}})
    assert "not reloaded" in one.reload() and "none.crt: No such file" in one.log()
    assert named(root, one.https_port, "localhost") == "first"


# ---- renewed by somebody else


def test_renewals_are_picked_up(three, place):
    """certbot's folder, whose links are turned, and lego's two files, written one after the other."""
    one, root = three
    renewed = root.certificate("renewed", names="DNS:rsa.example")
    own = root.certificate("own")
    put_pair(one.place / "keys" / "live", renewed)
    wait_for("the renewed one", lambda: named(root, one.https_port, "rsa.example") == "renewed")
    assert named(root, one.https_port, "localhost") == "first"
    with context_of(root).wrap_socket(socket.create_connection(("127.0.0.1", one.https_port)), server_hostname="localhost") as tls:
        # One of two files: what was there stays, and that is said once.
        (one.place / "given.crt").write_bytes(own.crt.read_bytes())
        one.wait_log("cannot be used yet")
        assert named(root, one.https_port, "localhost") == "first"
        (one.place / "given.key").write_bytes(own.key.read_bytes())
        wait_for("its own", lambda: named(root, one.implicit_port, "localhost") == "own")
        assert one.log().count("cannot be used yet") == 1
        tls.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert tls.recv(100).startswith(b"HTTP/1.1 200")
    # Gone altogether: the same.
    (one.place / "keys" / "live" / "privkey.pem").unlink()
    wait_for("that it is missed", lambda: one.log().count("cannot be used yet") == 2)
    assert named(root, one.https_port, "rsa.example") == "renewed"
