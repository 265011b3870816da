"""Certificates that an authority has signed, as a server in use has them: clients who trust the authority get in
over both protocols, and what libssl would not serve is refused where the operator sees it."""
import subprocess

import pytest

from certificates import EC, RSA, Authority, give
from server import Trouble

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
