"""The same rights hold over HTTPS as over SFTP and FTPS: every action under each right, each by every
address that does it; and what an account is told of itself."""
import hashlib
import os
import re
import ssl
import subprocess

import pytest

from https_clients import Web, certificate
from test_rights import ACTIONS, RIGHTS, prepare, snapshot
from test_tus import append, create


def tus(web, path, data, **more):
    """201 and 204, or the first refusal."""
    answer = create(web, path, len(data), **more)
    return append(web, answer["Location"], 0, data) if answer.status == 201 else answer


def form(web, folder, name, data):
    boundary = "x-x-x"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return web.ask("POST", f"/plain/{folder}/", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def deleted(web, path):
    """What /api/delete says of it, as a status."""
    result, = web.api("delete", paths=[path]).json["results"]
    return 204 if result["error"] is None else 403 if "may not" in result["error"] else result["error"]


def rename(web, old, new, **more):
    return web.api("rename", **{"from": old, "to": new, **more})


# Actions of test_rights.py: each way to do it.
WAYS = {
    "list": [lambda web, f: web.list(f"/{f}"), lambda web, f: web.list(f"/{f}", "search", text="x"), lambda web, f: web.get(f"/plain/{f}/")],
    "read": [lambda web, f: web.read(f"/{f}/file"), lambda web, f: web.list(f"/{f}/file", "digest"), lambda web, f: web.read(f"/{f}/file", Range="bytes=0-1")],
    "write_new": [lambda web, f: web.put(f"/{f}/new", b"x"), lambda web, f: web.put(f"/{f}/new2", (b"x",), encode_chunked=True, fields={"Transfer-Encoding": "chunked"}),
                  lambda web, f: tus(web, f"/{f}/new3", b"x"), lambda web, f: form(web, f, "new4", b"x")],
    "write_over": [lambda web, f: web.put(f"/{f}/file", b"x")],
    "delete": [lambda web, f: web.change("DELETE", f"/files/{f}/file"), lambda web, f: deleted(web, f"/{f}/other")],
    "rename": [lambda web, f: rename(web, f"/{f}/file", f"/{f}/renamed")],
    "replace": [lambda web, f: rename(web, f"/{f}/file", f"/{f}/other", replace=True)],
    "mkdir": [lambda web, f: web.api("mkdir", path=f"/{f}/made")],
    "rmdir": [lambda web, f: web.change("DELETE", f"/files/{f}/sub"), lambda web, f: web.change("DELETE", f"/files/{f}/sub2?recursive")],
}


@pytest.mark.parametrize("right", [*RIGHTS, "rename,overwrite", "all", "none"])
def test_only_what_the_rights_say(https, right):
    user = "right-" + right.replace(",", "-")
    https.add(user, rights=right)
    have = set(RIGHTS) if right == "all" else set(right.split(",")) - {"none"}
    with Web(https, user, basic=True) as web:
        assert set(web.get("/api/me").json["rights"]) == have
        for action, ways in WAYS.items():
            prepare(https, action, user)
            home = https.home(user)
            os.mkdir(home / action / "sub2")
            os.chown(home / action / "sub2", home.stat().st_uid, home.stat().st_gid)
            for number, way in enumerate(ways):
                before = snapshot(home / action)
                answer = way(web, action)
                status = answer if isinstance(answer, int) else getattr(answer, "status", answer)
                allowed = ACTIONS[action] <= have
                if action == "write_new" and number == 3 and "list" not in have:
                    continue  # the page that tells of it is a listing
                assert (status in (200, 201, 204, 206, 303)) == allowed and (allowed or status == 403), (action, number, answer)
                if not allowed:
                    assert snapshot(home / action) == before, (action, number)


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
