"""The API: listings, searches, changes, archives; and what the audit log says of them."""
import base64
import hashlib
import io
import json
import os
import subprocess
import urllib.parse
import zipfile

import pytest

import clients
from https_clients import Web, Wire, available, basic
from server import wait_for

LOGIN = "Authorization: " + basic()["Authorization"]


@pytest.fixture
def web(https):
    with Web(https) as client:
        yield client


def own(server, path):
    owner = server.home().stat()
    if os.path.lexists(path):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return path


def make(server, folder):
    """A folder below alice's home, and those above it; its name."""
    path = server.home()
    for part in folder.split("/"):
        path = path / part
        if not path.exists():
            path.mkdir(mode=0o755)
            own(server, path)
    return folder


def put(server, path, data):
    make(server, os.path.dirname(path))
    return server.put_file(path, data)


def fill(server, folder, count, data=b""):
    for i in range(count):
        path = server.home() / folder / f"{i:05}.txt"
        path.write_bytes(data)
        own(server, path)


def entries(answer):
    assert answer.status == 200, answer
    return {entry["name"]: entry for entry in answer.json["entries"]}


# ---- listings ------------------------------------------------------------------------------------
def test_a_listing(https, web, folder):
    path = put(https, f"{folder}/file.txt", b"12345")
    os.utime(path, ns=(0, 1_763_750_000_123_000_000))
    make(https, f"{folder}/sub")
    for name, target in (("to-file", "file.txt"), ("to-folder", "sub"), ("nowhere", "none"), ("outside", "/etc/passwd")):
        (https.home() / folder / name).symlink_to(target)
    os.mkfifo(https.home() / folder / "pipe")
    answer = web.list(f"/{folder}")
    assert answer.json["path"] == f"/{folder}" and answer.json["count"] == 7
    found = entries(answer)
    assert found["file.txt"] == {"name": "file.txt", "type": "file", "size": 5, "mtime": 1763750000.123}
    assert found["sub"]["type"] == "folder" and found["pipe"]["type"] == "other" and "link" not in found["pipe"]
    assert found["to-file"]["type"] == "file" and found["to-file"]["size"] == 5 and found["to-file"]["link"] is True
    assert found["to-folder"]["type"] == "folder" and found["to-folder"]["link"] is True
    assert found["nowhere"]["type"] == found["outside"]["type"] == "link"
    for name in found:
        assert web.list(f"/{folder}/{name}", "stat").json == found[name]
    assert web.list("/", "stat").json["type"] == "folder"


@pytest.mark.parametrize("path, status", [("/none", 404), ("", 400), ("relative", 400), ("/../..", 200), ("/a\0b", 400), ("/" + "x" * 5000, 400)], ids=range(6))
def test_listings_of_what_is_none(web, path, status):
    for command in ("list", "stat", "digest"):
        answer = web.list(path, command)
        assert answer.status == status or path == "/../.." and answer.status in (400, 404, 409), (command, answer)
        if answer.status != 200:
            assert answer.error
    assert web.get("/api/list").status == 400 and web.get("/api/list?path=/&path=/x").status == 400


@pytest.mark.slow
def test_a_large_folder(https, web, folder):
    """Valid as a whole, and line by line while it comes."""
    count = 20_000
    fill(https, folder, count)
    answer = web.list(f"/{folder}")
    assert answer.json["count"] == count == len({entry["name"] for entry in answer.json["entries"]})
    lines = answer.body.decode().splitlines()
    assert json.loads(lines[0] + "]}") == {"path": f"/{folder}", "rights": web.get("/api/me").json["rights"], "entries": []}
    parsed = [json.loads(line.removesuffix(",")) for line in lines[1:-1]]
    assert all(line.endswith(",") for line in lines[1:-2]) and not lines[-2].endswith(",")
    assert parsed == answer.json["entries"]
    assert lines[-1] == f'], "count": {count}}}'
    page = web.get(f"/plain/{folder}/").body.decode()
    assert page.count(f'"/files/{folder}/') == count
    names = [line.split("/")[-1] for line in page.split('"') if line.startswith(f"/files/{folder}/")]
    assert names == sorted(names)
    searched = web.list(f"/{folder}", "search", text="0199").json
    assert {e["name"] for e in searched["entries"]} == {f"{i:05}.txt" for i in range(count) if "0199" in f"{i:05}"}


def test_an_empty_folder(web, folder):
    assert web.list(f"/{folder}").json == {"path": f"/{folder}", "rights": web.get("/api/me").json["rights"], "entries": [], "count": 0}
    assert web.get(f"/plain/{folder}/").status == 200


def test_a_search(https, web, folder):
    for name in ("Report.txt", "a/REPORT-2.txt", "a/b/c/my report", "a/other", "b/xreportx/inside", "b/none"):
        put(https, f"{folder}/{name}", b"x")
    for text in ("report", "REPORT", "Repor"):
        answer = web.list(f"/{folder}", "search", text=text)
        assert set(entries(answer)) == {"Report.txt", "a/REPORT-2.txt", "a/b/c/my report", "b/xreportx"}
    assert set(entries(web.list(f"/{folder}/a", "search", text="rep"))) == {"REPORT-2.txt", "b/c/my report"}
    assert web.list(f"/{folder}", "search", text="nothing of this").json["count"] == 0
    for query in ({"text": ""}, {}, {"text": "x" * 600}):
        assert web.list(f"/{folder}", "search", **query).status == 400
    (https.home() / folder / "loop").symlink_to(".")
    assert web.list(f"/{folder}", "search", text="report").json["count"] == 4, "links are not followed"


def test_names_that_are_no_text(https, web, folder):
    """By "raw" whatever takes a path reaches them."""
    name = b"\xff\xfe-latin-\xe4"
    path = os.fsencode(https.home() / folder) + b"/" + name
    with open(path, "wb") as f:
        f.write(b"raw")
    own(https, path)
    entry, = web.list(f"/{folder}").json["entries"]
    assert base64.b64decode(entry["raw"]) == name and entry["name"].count("\ufffd") == 3

    def raw(end):
        return {"raw": base64.b64encode(b"/" + folder.encode() + b"/" + end).decode()}

    assert web.read(b"/" + folder.encode() + b"/" + name).body == b"raw"
    assert web.api("rename", **{"from": raw(name), "to": raw(name + b"2")}).status == 204
    assert web.api("mkdir", path=raw(b"\xfffolder")).status == 201
    answer = web.api("delete", paths=[raw(name + b"2"), raw(b"\xfffolder")])
    assert [r["error"] for r in answer.json["results"]] == [None, None]
    assert os.listdir(https.home() / folder) == []


def test_digests(https, web, folder, payload):
    data = payload(3_000_001).read_bytes()
    put(https, f"{folder}/file", data)
    assert web.list(f"/{folder}/file", "digest").json == {
        "sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest(), "size": len(data)}
    assert web.list(f"/{folder}", "digest").status == 409 and web.list(f"/{folder}/none", "digest").status == 404
    with open(put(https, f"{folder}/sparse", b""), "wb") as f:
        f.truncate(100_000_000)
    assert web.list(f"/{folder}/sparse", "digest").json["size"] == 100_000_000


# ---- changes -------------------------------------------------------------------------------------
def test_mkdir(https, web, folder):
    assert web.api("mkdir", path=f"/{folder}/new").status == 201 and (https.home() / folder / "new").is_dir()
    for path, status, code in ((f"/{folder}/new", 409, "exists"), (f"/{folder}/none/x", 404, "not_found"), ("/", 409, "exists")):
        answer = web.api("mkdir", path=path)
        assert (answer.status, answer.error) == (status, code), path


@pytest.mark.parametrize("body, kind, status", [
    (b"", "application/json", 400), (b"{", "application/json", 400), (b"[]", "application/json", 400), (b'{"path": 5}', "application/json", 400),
    (b'{"path": ""}', "application/json", 400), (b'{"path": "x"}', "application/json", 400), (b'{"path": "/a\\u0000b"}', "application/json", 400),
    (b'{"path": {"raw": "!"}}', "application/json", 400), (b'{"path": {"raw": "L2EAYg=="}}', "application/json", 400),
    (b'{"path": "/x", "path": "/y"}', "application/json", 400), (b'{"path": "/x"}', "text/plain", 415), (b'{"path": "/x"}', None, 415),
    (b'{"path": "/x"}', "application/jsonx", 415), (b'{"path": "/' + b"x" * 70000 + b'"}', "application/json", 413),
    (b"[" * 60000, "application/json", 400), (b'{"path": "/\xff"}', "application/json", 400), (b'{"path": "/' + b"x" * 5000 + b'"}', "application/json", 400)],
    ids=range(17))
def test_requests_that_are_none(https, web, body, kind, status):
    before = os.listdir(https.home())
    for name in ("mkdir", "rename", "delete"):
        answer = web.change("POST", f"/api/{name}", body, {"Content-Type": kind})
        assert answer.status == status and answer.error, (name, answer)
    assert os.listdir(https.home()) == before


def test_json_of_another_charset_of_its_type(web, folder):
    assert web.change("POST", "/api/mkdir", json.dumps({"path": f"/{folder}/x"}).encode(), {"Content-Type": "application/json; charset=utf-8"}).status == 201


def test_rename(https, web, folder):
    home = https.home() / folder
    for name in ("one", "two", "sub/three"):
        put(https, f"{folder}/{name}", name.encode())

    def rename(old, new, **more):
        return web.api("rename", **{"from": f"/{folder}/{old}", "to": f"/{folder}/{new}", **more})

    assert rename("one", "uno").status == 204 and (home / "uno").read_bytes() == b"one"
    answer = rename("uno", "two")
    assert answer.status == 409 and answer.error == "exists" and (home / "two").read_bytes() == b"two"
    assert rename("uno", "two", replace=True).status == 204 and (home / "two").read_bytes() == b"one"
    assert rename("two", "sub/moved").status == 204 and (home / "sub" / "moved").read_bytes() == b"one"
    assert rename("sub", "folder").status == 204 and sorted(os.listdir(home / "folder")) == ["moved", "three"]
    assert rename("none", "x").status == 404 and rename("folder", "none/x").status == 404
    assert rename("folder", "folder/inside").status == 400
    put(https, f"{folder}/file", b"x")
    assert rename("file", "folder", replace=True).status == 409 and (home / "file").exists()
    assert os.listdir(home / "folder") and sorted(os.listdir(home)) == ["file", "folder"]


def test_delete(https, web, folder):
    home = https.home() / folder
    for name in ("file", "full/a/b/deep", "full/x", "kept/x"):
        put(https, f"{folder}/{name}", b"x")
    make(https, f"{folder}/empty")
    (home / "link").symlink_to("kept")
    (home / "full" / "link").symlink_to("../kept")
    names = ["file", "none", "full", "empty", "link"]
    answer = web.api("delete", paths=[f"/{folder}/{name}" for name in names])
    assert answer.status == 200
    results = answer.json["results"]
    assert [r["path"] for r in results] == [f"/{folder}/{name}" for name in names]
    assert [r["error"] is None for r in results] == [True, False, True, True, True]
    assert results[1]["error"][0].isupper() and results[1]["error"].endswith(".")
    assert os.listdir(home) == ["kept"] and os.listdir(home / "kept") == ["x"]
    for paths in ([], ["/"], [f"/{folder}", "/"], ["x"], [5], "x", None):
        assert web.api("delete", paths=paths).status == 400, paths
    assert os.listdir(home) == ["kept"]


def test_delete_of_an_address(https, web, folder):
    put(https, f"{folder}/full/sub/file", b"x")
    address = f"/files/{folder}/full"
    answer = web.change("DELETE", address)
    assert answer.status == 409 and answer.error == "not_empty"
    assert web.change("DELETE", address + "?recursive").status == 204 and os.listdir(https.home() / folder) == []
    assert web.change("DELETE", address).status == 404
    for root in ("/files/", "/files/?recursive", "/files"):
        assert web.change("DELETE", root).status == 403
    assert (https.home() / folder).exists()


@pytest.mark.parametrize("how", ["api", "address"])
def test_delete_3000_files(https, web, folder, how):
    for sub in ("a", "b", "b/c"):
        make(https, f"{folder}/all/{sub}")
        fill(https, f"{folder}/all/{sub}", 1000)
    if how == "api":
        assert web.api("delete", paths=[f"/{folder}/all"]).json == {"results": [{"path": f"/{folder}/all", "error": None}]}
    else:
        assert web.change("DELETE", f"/files/{folder}/all?recursive").status == 204
    assert os.listdir(https.home() / folder) == []


def test_what_cannot_be_deleted_stays(https, web, folder):
    """A folder of another's within: the answer says so."""
    for name in ("all/mine/x", "all/theirs/y"):
        put(https, f"{folder}/{name}", b"x")
    theirs = https.home() / folder / "all" / "theirs"
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(theirs, 0, 0)
    answer = web.api("delete", paths=[f"/{folder}/all", f"/{folder}/none"])
    first, second = answer.json["results"]
    assert first["error"] and second["error"] and (theirs / "y").exists()


# ---- archives ------------------------------------------------------------------------------------
def zipped(web, folder, names):
    return web.form("/api/zip", [("csrf", web.csrf if web.token else "")] + [("folder", folder)] + [("name", name) for name in names])


def test_zip(https, web, folder, payload, place):
    data = payload(3_000_001).read_bytes()
    content = {"one.txt": b"text " * 1000, "sub/äöü €.bin": data, "sub/deep/er/x": b"", 'sub/q"uote': b"q", "other": b"not asked for"}
    for name, what in content.items():
        put(https, f"{folder}/{name}", what)
    make(https, f"{folder}/sub/empty")
    os.utime(https.home() / folder / "one.txt", (1_000_000_000, 1_000_000_000))
    answer = zipped(web, f"/{folder}", ["one.txt", "sub"])
    assert answer.status == 200 and answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == f'attachment; filename="{folder}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == len(names)
        assert set(names) == {"one.txt", "sub/", "sub/äöü €.bin", "sub/deep/", "sub/deep/er/", "sub/deep/er/x", 'sub/q"uote', "sub/empty/"}
        for name in names:
            assert archive.read(name) == (b"" if name.endswith("/") else content[name])
        info = archive.getinfo("one.txt")
        assert info.date_time == (2001, 9, 9, 1, 46, 40) and info.compress_size < info.file_size / 2
    one = zipped(web, f"/{folder}", ["sub"])
    assert one["Content-Disposition"] == 'attachment; filename="sub.zip"'
    if available("unzip"):
        (place / "a.zip").write_bytes(one.body)
        subprocess.run(["unzip", "-q", "a.zip"], cwd=place, check=True, env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]})
        assert (place / "sub" / "äöü €.bin").read_bytes() == data and (place / "sub" / "empty").is_dir()


def test_zip_of_the_home(https, web, folder):
    https.put_file("in-the-home", b"x")
    answer = zipped(web, "/", ["in-the-home", folder])
    assert answer["Content-Disposition"] == 'attachment; filename="files.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert set(archive.namelist()) == {"in-the-home", f"{folder}/"}


def test_zip_with_what_cannot_be_read(https, web, folder):
    put(https, f"{folder}/good", b"good")
    for name in ("secret", "dark/x"):
        put(https, f"{folder}/{name}", b"x")
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(https.home() / folder / "secret", 0, 0)
    os.chmod(https.home() / folder / "secret", 0o600)
    os.chown(https.home() / folder / "dark", 0, 0)
    os.chmod(https.home() / folder / "dark", 0o700)
    (https.home() / folder / "nowhere").symlink_to("none")
    os.mkfifo(own(https, https.home() / folder / "pipe"))
    answer = zipped(web, f"/{folder}", ["good", "secret", "dark", "nowhere", "none", "pipe"])
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert set(archive.namelist()) == {"good", "files that are missing here.txt"}
        assert archive.read("good") == b"good"
        assert set(archive.read("files that are missing here.txt").decode().split("\n")) == {"secret", "dark", "nowhere", "none", "pipe", ""}


@pytest.mark.slow
def test_zip_of_3000_files(https, web, folder):
    fill(https, folder, 3000, b"x" * 100)
    answer = zipped(web, "/", [folder])
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert len(archive.namelist()) == 3001 and archive.testzip() is None


def test_zip_of_names_in_base64(https, web, folder):
    """What a browser's form changes: line breaks, bytes that are no UTF-8."""
    def raw(data):
        return base64.b64encode(data)

    top = folder.encode()
    put(https, f"{folder}/line\nbreak", b"l")
    path = os.fsencode(https.home()) + b"/" + top + b"/\xe4"
    os.makedirs(own(https, path))
    own(https, path)
    answer = web.form("/api/zip", [("csrf", web.csrf), ("folder_raw", raw(b"/" + top)), ("name_raw", raw(b"line\nbreak")), ("name_raw", raw(b"\xe4"))])
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert set(archive.namelist()) == {"line\nbreak", "%E4/"}
    for pairs in ([("folder_raw", "!"), ("name", "x")], [("folder", "/"), ("folder_raw", raw(b"/")), ("name", "x")], [("folder_raw", raw(b"x")), ("name", "x")],
                  [("folder", "/"), ("name_raw", raw(b"../x"))], [("folder", "/"), ("name_raw", raw(b"a\0b"))], [("folder", "/"), ("name_raw", "")], [("name", "x")]):
        assert web.form("/api/zip", [("csrf", web.csrf), *pairs]).status == 400, pairs


def test_zip_of_what_a_search_found(https, web, folder):
    put(https, f"{folder}/deep/er/one.txt", b"1")
    put(https, f"{folder}/two.txt", b"2")
    answer = zipped(web, f"/{folder}", ["deep/er/one.txt", "two.txt"])
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"deep/er/one.txt": b"1", "two.txt": b"2"}
    assert zipped(web, f"/{folder}", ["deep/er"])["Content-Disposition"] == 'attachment; filename="er.zip"'
    for name in ("/two.txt", "deep/", "deep//er", "deep/../two.txt", "./two.txt", "..", ".", "/", "deep/er/."):
        assert zipped(web, f"/{folder}", [name]).status == 400, name


def test_zip_of_long_names_that_are_none(web):
    for folder, names in (("/" + "x" * 3000, ["y", "z"]), ("/", ["x" * 3000])):
        answer = zipped(web, folder, names)
        assert answer["Content-Disposition"] == f'attachment; filename="{"x" * 255}.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            assert archive.namelist() == ["files that are missing here.txt"]


def test_zip_of_names_that_are_no_text(https, web, folder):
    path = os.fsencode(https.home() / folder) + b"/latin-\xe4"
    with open(path, "wb") as f:
        f.write(b"raw")
    own(https, path)
    put(https, f"{folder}/good", b"good")
    answer = zipped(web, "/", [folder])
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None and archive.read(f"{folder}/good") == b"good"
        assert archive.read(f"{folder}/latin-%E4") == b"raw"


@pytest.mark.long
def test_zip_beyond_4_gib(https, place, folder):
    """Zip64, streamed: of a sparse file, to a reader that keeps nothing."""
    with open(put(https, f"{folder}/large", b""), "wb") as f:
        f.truncate((5 << 30) + 1)
    body = urllib.parse.urlencode({"folder": f"/{folder}", "name": "large"})
    size, tail = 0, b""
    with Web(https, basic=True) as web:
        web.connection.request("POST", "/api/zip", body, web.fields({"Content-Type": "application/x-www-form-urlencoded"}))
        response = web.connection.getresponse()
        while piece := response.read(1 << 20):
            size += len(piece)
            tail = (tail + piece)[-1000:]
    assert (5 << 30) < size < (5 << 30) + 10000 and b"PK\x06\x06" in tail


@pytest.mark.parametrize("pairs", [
    [], [("folder", "/")], [("folder", ""), ("name", "x")], [("folder", "x"), ("name", "x")], [("folder", "/"), ("name", "")], [("folder", "/"), ("name", "a/../b")],
    [("folder", "/"), ("name", "..")], [("folder", "/"), ("name", ".")], [("folder", "/"), ("name", "x" * 5000)], [("folder", "/"), ("folder", "/x"), ("name", "x")]])
def test_zip_of_what_is_none(web, pairs):
    answer = web.form("/api/zip", [("csrf", web.csrf), *pairs])
    assert answer.status == 400 and answer.error == "bad_request"


def test_zip_that_nobody_takes(https, folder):
    """The client goes away in the middle: the session ends, nothing is left."""
    with open(put(https, f"{folder}/large", b""), "wb") as f:
        f.truncate(1 << 30)
    body = f"folder=/{folder}&name=large"
    with Wire(https) as wire:
        wire.send(f"POST /api/zip HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        assert wire.head()[0] == 200
    https.wait_no_sessions()


# ---- the audit log -------------------------------------------------------------------------------
def test_the_audit_log_is_that_of_sftp(make_server, place, payload):
    """The same story over both: the same lines but for the protocol."""
    server = make_server(start=False).serve_https().start()
    told = {}
    for user in ("sftp", "https"):
        server.add(user)
        server.put_file("there", b"0123456789" * 100, user)
    clients.OpenSSH(server, place, "sftp").batch(
        f"put {payload(300_000)} up", f"get there {place}/back", "rename up moved", "mkdir folder", "rmdir folder", "rm moved", f"put {payload(300_000)} there")
    with Web(server, "https", basic=True) as web:
        assert web.put("/up", payload(300_000).read_bytes()).status == 201
        assert web.read("/there").status == 200
        assert web.api("rename", **{"from": "/up", "to": "/moved"}).status == 204
        assert web.api("mkdir", path="/folder").status == 201
        assert web.change("DELETE", "/files/folder").status == 204
        assert web.api("delete", paths=["/moved"]).status == 200
        assert web.put("/there", payload(300_000).read_bytes()).status == 204
    for user in ("sftp", "https"):
        # Its agent may say its last after that.
        wait_for("the session's lines", lambda user=user: server.audit(event="session-end", account=user) and len([line for line in server.audit(account=user) if "path" in line]) >= 7)
        lines = server.audit(account=user)
        assert all(line["protocol"] == user for line in lines if "path" in line or line["event"] == "login"), lines
        session, = {line["session"] for line in lines if "path" in line}
        told[user] = [{key: line.get(key) for key in ("event", "path", "to", "result", "size", "bytes", "claimed")} for line in lines if "path" in line]
    assert told["sftp"] == told["https"] and len(told["https"]) == 7


def test_refusals_are_in_the_audit_log(make_server):
    server = make_server(start=False).serve_https().start()
    server.add("alice")
    for user in ("alice", "nobody"):
        with Web(server, user, "wrong", sign_in=False) as web:
            web.sign_in()
    with Web(server) as web:
        web.sign_out()
    known, unknown = server.audit(event="refused")
    assert known["account"] == "alice" and "wrong password" in known["text"] and known["protocol"] == "https"
    assert unknown["account"] == "nobody" and "no such account" in unknown["text"]
    login, = server.audit(event="login")
    assert login["account"] == "alice" and login["address"] == "127.0.0.1" and "password" in login["text"]
    wait_for("the sign-out", lambda: server.audit(event="sign-out", account="alice"))
    assert web.token not in json.dumps(server.audit()) and web.token not in server.log()
