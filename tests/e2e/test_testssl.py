"""What testssl.sh finds at both FTPS ports, with a certificate of a test's own authority that it trusts:
nothing above "low". The certificate is as an authority would make it (90 days, where its revocations
are told); simulated clients are left out: those of test_ftps.py are real."""
import json
import os
import subprocess

import pytest

from conftest import need
from server import Trouble

FINE = {"OK", "INFO", "LOW", "DEBUG"}
CHECKS = ["-p", "-s", "-f", "-P", "-S", "-U"]  # protocols, ciphers, forward secrecy, preference, defaults, vulnerabilities
EXTENSIONS = """subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
crlDistributionPoints = URI:http://localhost/revoked.crl
"""


def openssl(place, *words):
    done = subprocess.run(["openssl", *words], cwd=place, capture_output=True, text=True)
    if done.returncode != 0:
        raise Trouble(f"openssl {' '.join(words)}: {done.stderr}")


def certify(place):
    """authority.crt; chain.crt and server.key for the server."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(place, "req", "-x509", *key, "-keyout", "authority.key", "-out", "authority.crt", "-days", "3650", "-subj", "/CN=Authority",
            "-addext", "keyUsage = critical, keyCertSign, cRLSign")
    openssl(place, "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (place / "extensions").write_text(EXTENSIONS)
    openssl(place, "x509", "-req", "-in", "server.csr", "-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial",
            "-days", "90", "-extfile", "extensions", "-out", "server.crt")
    (place / "chain.crt").write_bytes((place / "server.crt").read_bytes() + (place / "authority.crt").read_bytes())


@pytest.mark.slow
def test_findings(make_server, place):
    """Both ports at a time: most of it is waiting."""
    need("testssl")
    certify(place)
    one = make_server(start=False).serve_ftps()
    for name, mode in (("chain.crt", 0o644), ("server.key", 0o600)):
        target = one.place / "keys" / f"given-{name}"
        target.write_bytes((place / name).read_bytes())
        target.chmod(mode)
    one.configure({"tls": {"certificate": one.place / "keys" / "given-chain.crt", "key": one.place / "keys" / "given-server.key"}})
    one.start()
    env = {"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8", "MAX_WAITSOCK": "3", "HEARTBLEED_MAX_WAITSOCK": "2",
           "CCS_MAX_WAITSOCK": "2", "FAST_STARTTLS": "true"}
    runs = []
    for name, options in (("explicit", ["--starttls", "ftp", f"localhost:{one.ftps_port}"]), ("implicit", [f"localhost:{one.implicit_port}"])):
        command = ["testssl", "--warnings", "off", "--color", "0", "--ip", "127.0.0.1", "--add-ca", place / "authority.crt",
                   "--jsonfile", place / f"{name}.json", *CHECKS, *options]
        runs.append((name, subprocess.Popen(command, cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)))
    try:
        said = {name: run.communicate()[0].decode(errors="replace") for name, run in runs}
    finally:
        for _name, run in runs:
            run.kill()
            run.wait()
    for name, _run in runs:
        found = {f["id"]: f for f in json.loads((place / f"{name}.json").read_text())}
        assert found["TLS1_3"]["severity"] == "OK" and found["cert_chain_of_trust"]["severity"] == "OK", said[name]
        assert "RC4" in found  # its last: it came to its end
        worse = [f for f in found.values() if f["severity"] not in FINE and f["id"] != "engine_problem"]  # that is testssl's own
        assert not worse, worse
