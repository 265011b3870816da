"""What an account may do over HTTPS alone (the table of all rights: test_matrix.py), and what it is told of
itself."""
import hashlib
import re
import ssl
import subprocess

from https_clients import Web, certificate
from test_matrix import tus
from test_rights import snapshot


def test_an_upload_only_account(https):
    """A letter box: in, and never out again, whichever way."""
    https.add("box", rights="write")
    with Web(https, "box", basic=True) as web:
        assert web.put("/letter", b"dear").status == 201
        assert tus(web, "/second", b"dear").status == 204
        for answer in (web.read("/letter"), web.list("/"), web.put("/letter", b"x"), web.change("DELETE", "/files/letter"), tus(web, "/letter", b"x", replace="yes"),
                       web.form("/api/zip", [("folder", "/"), ("name", "letter")])):
            assert answer.status in (403, 409) or b"dear" not in answer.body, answer
        assert snapshot(https.home("box")) == {"letter": b"dear", "second": b"dear"}


def test_how_to_connect(make_server):
    """What the page tells people is what their client will see."""
    server = make_server(start=False).serve_ftps().serve_https(names="localhost").start()
    server.add("alice")
    with Web(server, basic=True, host="localhost") as web:
        me = web.get("/api/me").json
    connect = me["connect"]
    assert connect["host"] == "localhost" and connect["https"] == server.https_port
    assert connect["sftp"]["port"] == server.port
    assert connect["ftps"]["port"] == server.ftps_port and connect["ftps"]["implicit"] == server.implicit_port
    der = ssl.PEM_cert_to_DER_cert(open(certificate(server)).read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    assert connect["ftps"]["certificate"] == hashlib.sha256(der).hexdigest()
    told = {(f["sha256"], f["md5"]) for f in connect["sftp"]["fingerprints"]}
    scanned = subprocess.run(["ssh-keyscan", "-p", str(server.port), "127.0.0.1"], capture_output=True, text=True, check=True).stdout
    listed = [subprocess.run(["ssh-keygen", "-l", "-E", kind, "-f", "-"], input=scanned, capture_output=True, text=True, check=True).stdout
              for kind in ("sha256", "md5")]
    seen = set(zip(*(re.findall(r"^\d+ (\S+:\S+) ", text, re.M) for text in listed), strict=True))
    assert told == seen and len(told) == 3
    assert me["space"]["total"] >= me["space"]["free"] > 0
