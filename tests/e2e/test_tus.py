"""Uploads that are resumed, by tus 1.0.0: after broken connections, other sessions, the server's
restart and kill -9; what is not whole is not there."""
import base64
import hashlib
import os
import socket

import pytest

from https_clients import Web, Wire, basic, quoted
from server import Process, wait_for

SIZE = 3_000_001
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
LOGIN = "Authorization: " + basic()["Authorization"]


@pytest.fixture
def web(https):
    with Web(https) as client:
        yield client


def metadata(**values):
    return ",".join(f"{key} {base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()}" for key, value in values.items())


def create(web, path, size, body=None, fields=None, **values):
    kind = BYTES if body is not None else TUS
    return web.change("POST", "/api/uploads", body, {**kind, "Upload-Length": str(size), "Upload-Metadata": metadata(path=path, **values), **(fields or {})})


def begun(web, path, size, **more):
    answer = create(web, path, size, **more)
    assert answer.status == 201 and answer["Tus-Resumable"] == "1.0.0", answer
    assert answer["Location"].startswith("/api/uploads/")
    return answer["Location"]


def append(web, address, offset, data, **fields):
    return web.change("PATCH", address, data, {**BYTES, "Upload-Offset": str(offset), **{k.replace("_", "-"): v for k, v in fields.items()}})


def offset(web, address):
    answer = web.ask("HEAD", address, fields=TUS)
    assert answer.status == 200 and answer["Cache-Control"] == "no-store", answer
    return int(answer["Upload-Offset"])


def test_what_is_offered(https, web):
    answer = web.ask("OPTIONS", "/api/uploads")
    assert answer.status == 204 and answer["Tus-Version"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) == {"creation", "creation-with-upload", "expiration", "checksum", "termination"}
    assert set(answer["Tus-Checksum-Algorithm"].split(",")) == {"sha256", "md5"}


def test_in_pieces(https, web, folder, payload):
    data, path = payload(SIZE).read_bytes(), https.home() / folder / "ä b.bin"
    address = begun(web, f"/{folder}/ä b.bin", SIZE, mtime=1_000_000_000)
    assert not path.exists() and web.names(f"/{folder}") == set()
    for at in range(0, SIZE, 1_000_000):
        assert offset(web, address) == at and not path.exists()
        answer = append(web, address, at, data[at:at + 1_000_000])
        assert answer.status == 204 and answer["Upload-Offset"] == str(min(at + 1_000_000, SIZE))
        assert (answer["Upload-Expires"] is None) == (at + 1_000_000 >= SIZE)
    assert path.read_bytes() == data and path.stat().st_mtime == 1_000_000_000
    assert os.listdir(https.home() / folder) == ["ä b.bin"], "nothing else is left"
    line, = wait_for("its line", lambda: https.audit(event="upload", path=f"/{folder}/ä b.bin"))
    assert line["size"] == SIZE and line["result"] == "ok" and line["protocol"] == "https"


def test_at_once(https, web, folder):
    """creation-with-upload, whole and in part; and a file of nothing."""
    answer = create(web, f"/{folder}/whole", 5, b"hello")
    assert answer.status == 201 and answer["Upload-Offset"] == "5" and (https.home() / folder / "whole").read_bytes() == b"hello"
    answer = create(web, f"/{folder}/half", 5, b"he")
    assert answer.status == 201 and answer["Upload-Offset"] == "2" and not (https.home() / folder / "half").exists()
    assert append(web, answer["Location"], 2, b"llo").status == 204 and (https.home() / folder / "half").read_bytes() == b"hello"
    assert create(web, f"/{folder}/empty", 0).status == 201
    assert (https.home() / folder / "empty").read_bytes() == b""


def test_what_is_there_stays(https, web, folder):
    https.put_file(f"{folder}/there", b"before")
    answer = create(web, f"/{folder}/there", 5)
    assert answer.status == 409 and answer.error == "exists"
    assert create(web, f"/{folder}/there", 5, replace="no").status == 409
    address = begun(web, f"/{folder}/there", 5, replace="yes")
    assert append(web, address, 0, b"he").status == 204 and (https.home() / folder / "there").read_bytes() == b"before"
    assert append(web, address, 2, b"llo").status == 204 and (https.home() / folder / "there").read_bytes() == b"hello"
    late = begun(web, f"/{folder}/late", 5)
    https.put_file(f"{folder}/late", b"was first")
    assert append(web, late, 0, b"hello").status == 409 and (https.home() / folder / "late").read_bytes() == b"was first"


def test_requests_that_are_none(https, web, folder):
    path = f"/{folder}/x"
    for fields, status in (({"Tus-Resumable": None}, 412), ({"Tus-Resumable": "0.2.2"}, 412), ({"Upload-Length": None}, 400), ({"Upload-Length": "-1"}, 400),
                           ({"Upload-Length": "99999999999999999999"}, 400), ({"Upload-Metadata": None}, 400), ({"Upload-Metadata": "path !"}, 400),
                           ({"Upload-Metadata": metadata(path="x")}, 400), ({"Upload-Metadata": metadata(path="/a\0b")}, 400),
                           ({"Upload-Metadata": metadata(path=path, mtime="soon")}, 400), ({"Upload-Metadata": metadata(path=f"/{folder}")}, 409),
                           ({"Upload-Metadata": metadata(path=f"/{folder}/none/x")}, 404), ({"X-CSRF-Token": "0"}, 403)):
        answer = create(web, path, 5, fields=fields)
        assert answer.status == status and answer.error, (fields, answer)
        if status == 412:
            assert answer["Tus-Version"] == "1.0.0"
    assert create(web, path, 5, b"hello", fields={"Content-Type": "text/plain"}).status == 415
    assert os.listdir(https.home() / folder) == []


def test_pieces_that_do_not_fit(https, web, folder):
    address = begun(web, f"/{folder}/x", 10)
    assert append(web, address, 0, b"0123").status == 204
    for at in (0, 3, 5, 10):
        answer = append(web, address, at, b"x")
        assert answer.status == 409 and answer.error == "offset"
    assert append(web, address, 4, b"x" * 7).status == 413
    assert web.change("PATCH", address, b"x", {**TUS, "Upload-Offset": "4"}).status == 415
    assert web.change("PATCH", address, b"x", BYTES).status == 400
    assert web.change("PATCH", address, b"x", {**BYTES, "Upload-Offset": "4", "Tus-Resumable": "2.0"}).status == 412
    kept = offset(web, address)
    assert kept <= 10
    assert append(web, address, kept, b"0123456789"[kept:]).status == 204
    assert len((https.home() / folder / "x").read_bytes()) == 10


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_checksums(https, web, folder, kind):
    def checksum(data):
        return f"{kind} {base64.b64encode(hashlib.new(kind, data).digest()).decode()}"

    address = begun(web, f"/{folder}/x", 10)
    answer = append(web, address, 0, b"01234", Upload_Checksum=checksum(b"other"))
    assert answer.status == 460 and answer.error == "checksum" and offset(web, address) == 0
    assert append(web, address, 0, b"01234", Upload_Checksum=checksum(b"01234")).status == 204
    assert append(web, address, 5, b"56789", Upload_Checksum=checksum(b"01234")).status == 460 and offset(web, address) == 5
    assert not (https.home() / folder / "x").exists()
    for wrong in ("", "crc32 AAAA", f"{kind} AAAA", kind, f"{kind} !"):
        assert append(web, address, 5, b"56789", Upload_Checksum=wrong or "x").status == 400
    assert append(web, address, 5, b"56789", Upload_Checksum=checksum(b"56789")).status == 204
    assert (https.home() / folder / "x").read_bytes() == b"0123456789"


def test_given_up(https, web, folder):
    address = begun(web, f"/{folder}/x", 10)
    append(web, address, 0, b"01234")
    assert web.change("DELETE", address, fields=TUS).status == 204
    assert os.listdir(https.home() / folder) == []
    for answer in (web.ask("HEAD", address, fields=TUS), append(web, address, 5, b"56789"), web.change("DELETE", address, fields=TUS)):
        assert answer.status == 404


@pytest.mark.parametrize("change", ["id", "path", "short", "folder", "dots", "none"])
def test_addresses_that_are_none(https, web, folder, change):
    address = begun(web, f"/{folder}/x", 10)
    head, number, rest = address.split("/")[:3], address.split("/")[3], "/".join(address.split("/")[4:])
    other = {"id": f"{'0' * len(number)}/{rest}", "path": f"{number}/{folder}/y", "short": f"{number[:-1]}/{rest}", "folder": f"{number}/{rest}/",
             "dots": f"..%2f{number}/{rest}", "none": ""}[change]
    wrong = "/".join(head) + "/" + other
    assert web.ask("HEAD", wrong, fields=TUS).status in (400, 404, 405), wrong
    assert append(web, wrong, 0, b"x").status in (400, 404, 405)
    assert offset(web, address) == 0


def test_another_accounts_upload(https, web, folder):
    if not https.home("bob").exists():
        https.add("bob")
    address = begun(web, f"/{folder}/x", 10)
    append(web, address, 0, b"01234")
    with Web(https, "bob", basic=True) as bob:
        assert bob.ask("HEAD", address, fields=TUS).status == 404
        assert append(bob, address, 5, b"56789").status == 404
        assert bob.ask("DELETE", address, fields=TUS).status == 404
    assert offset(web, address) == 5


def test_two_at_a_time(https, web, folder):
    """One connection writes; another is told, and goes on when the first has ended."""
    address = begun(web, f"/{folder}/x", 1000)
    with Wire(https) as wire:
        wire.send(f"PATCH {address} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
                  "Content-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
        assert wire.line() == "HTTP/1.1 100 Continue"
        wire.send("x" * 400)
        answer = append(web, address, 0, b"y")
        assert answer.status == 423 and answer.error == "busy"
        assert web.ask("HEAD", address, fields=TUS).status == 423
    kept = wait_for("what came to be kept", lambda: (lambda a: a.status == 200 and int(a["Upload-Offset"]) + 1)(web.ask("HEAD", address, fields=TUS))) - 1
    assert kept in range(401)
    assert append(web, address, kept, b"x" * (1000 - kept)).status == 204
    assert (https.home() / folder / "x").read_bytes() == b"x" * 1000


@pytest.mark.parametrize("how", ["connection", "worker_pid", "agent_pid", "restart", "kill"])
def test_resumed_after(make_server, payload, how):
    """Whatever broke it off: it goes on where it was, by another session, and is byte-identical."""
    server = make_server(start=False).serve_https().start()
    server.add("alice")
    data, size = payload(SIZE).read_bytes(), SIZE
    with Web(server, basic=True) as web:
        address = begun(web, "/file", size)
        wire = Wire(server)
        wire.send(f"PATCH {address} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
                  f"Content-Type: application/offset+octet-stream\r\nContent-Length: {size}\r\n\r\n")
        wire.send(data[:1_000_000])
        part = wait_for("the part to grow", lambda: [p for p in server.home().iterdir() if p.is_file() and not p.is_symlink() and p.stat().st_size > 500_000])
        assert part[0].name.startswith(".sallyport-upload") and not (server.home() / "file").exists()
        session = wait_for("its session", lambda: [s for s in server.sessions() if s["agent_pid"]])
        if how in ("worker_pid", "agent_pid"):
            server.expected_security = None if how == "worker_pid" else 0  # both sessions' workers may be meant
            for one in session:
                Process(one[how]).kill()
        elif how == "restart":
            server.restart()
        elif how == "kill":
            server.kill()
            server.start()
        else:
            wire.socket.shutdown(socket.SHUT_RDWR)
        wire.__exit__()
    with Web(server, basic=True) as web:
        kept = wait_for("what came", lambda: (lambda a: a.status == 200 and int(a["Upload-Offset"]))(web.ask("HEAD", address, fields=TUS)))
        assert 500_000 < kept <= 1_000_000
        assert append(web, address, kept, data[kept:]).status == 204
    assert os.listdir(server.home()) == ["file"] and (server.home() / "file").read_bytes() == data


def test_rights(https):
    https.add("tus-writer", rights="write,list")
    https.add("tus-reader", rights="read,list")
    https.put_file("there", b"x", "tus-writer")
    with Web(https, "tus-writer", basic=True) as web:
        assert append(web, begun(web, "/new", 5), 0, b"hello").status == 204
        answer = create(web, "/there", 5, replace="yes")
        assert answer.status == 403 or append(web, answer["Location"], 0, b"hello").status == 403
        assert (https.home("tus-writer") / "there").read_bytes() == b"x" and (https.home("tus-writer") / "new").read_bytes() == b"hello"
    with Web(https, "tus-reader", basic=True) as web:
        answer = create(web, "/new", 5)
        assert answer.status == 403 and answer.error == "not_allowed" and os.listdir(https.home("tus-reader")) == []


def test_names_that_are_no_text(https, web, folder):
    name = b"\xff\xfe"
    answer = create(web, b"/" + folder.encode() + b"/" + name, 5)
    assert answer.status == 201 and answer["Location"].endswith(quoted(b"/" + folder.encode() + b"/" + name))
    assert append(web, answer["Location"], 0, b"hello").status == 204
    assert os.listdir(os.fsencode(https.home() / folder)) == [name]
