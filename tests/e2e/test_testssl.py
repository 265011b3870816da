"""What testssl.sh finds at both FTPS ports and at that of HTTPS, with a certificate of a test's own authority that it trusts:
nothing above "low". The certificate is as an authority would make it (90 days, where its revocations
are told); simulated clients are left out: those of test_ftps.py and test_https_files.py are real."""
import json
import os
import signal
import subprocess

import pytest

from certificates import Authority, give
from conftest import need

BAD = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}  # WARN: a check that it could not make
CHECKS = ["-p", "-s", "-S", "-U"]  # protocols, ciphers, defaults with the certificate, vulnerabilities; -h: headers


@pytest.mark.long
@pytest.mark.parametrize("way", ["explicit", "implicit", "https"])
def test_findings(make_server, place, way):
    need("testssl")
    root = Authority(place, "root")
    one = make_server(start=False).serve_ftps().serve_https()
    give(one, root.certificate("localhost"), root)
    one.start()
    env = {"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8", "MAX_WAITSOCK": "3", "HEARTBLEED_MAX_WAITSOCK": "2",
           "CCS_MAX_WAITSOCK": "2", "FAST_STARTTLS": "true"}
    port = {"explicit": one.ftps_port, "implicit": one.implicit_port, "https": one.https_port}[way]
    target = [*(["--starttls", "ftp"] if way == "explicit" else []), f"localhost:{port}"]
    checks = [*CHECKS, *(["-h"] if way == "https" else [])]
    run = subprocess.Popen(["testssl", "--warnings", "off", "--color", "0", "--ip", "127.0.0.1", "--add-ca", root.crt,
                            "--jsonfile", place / "found.json", *checks, *target], cwd=place, env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said = run.communicate()[0].decode(errors="replace")
    except TimeoutError:
        os.killpg(run.pid, signal.SIGKILL)  # it has children, and is not reaped yet: the group is its own
        run.wait()
        raise
    found = {f["id"]: f for f in json.loads((place / "found.json").read_text())}
    assert found["TLS1_3"]["severity"] == "OK" and found["cert_chain_of_trust"]["severity"] == "OK", said
    assert "RC4" in found  # its last: it came to its end
    worse = [f for f in found.values() if f["severity"] in BAD]
    assert not worse, worse
