"""Files over HTTPS, down and up: whole and in ranges, under conditions, by the clients that people
have; what broke off is never taken for whole."""
import base64
import concurrent.futures
import email
import hashlib
import os
import re
import time
import urllib.parse

import pytest

from conftest import same
from https_clients import Curl, Rclone, Web, Wire, available, basic, quoted
from server import Trouble, wait_for
from test_full_disk import small_disk

LOGIN = "Authorization: " + basic()["Authorization"]
SIZE = 3_000_001
LARGE = 200_000_000
ODD = ["a b.txt", "it's.txt", 'say "hi".txt', "äöü €.txt", "100%.txt", "%41.txt", "a;b,c=d.txt", "#?&+.txt", "back\\slash", "-x", ".hidden",
       " blank ", b"latin-\xe4\xf6.txt", b"\xff\xfe", b"new\nline", b"tab\tbell\x07", b"esc\x1b[31m", "\u202egnp.exe", "x" * 255]


@pytest.fixture
def web(https):
    with Web(https, basic=True) as client:
        yield client


@pytest.fixture
def wire(https):
    with Wire(https) as one:
        yield one


def put_odd(server, folder, name, data):
    name = name if isinstance(name, bytes) else name.encode()
    path = os.fsencode(server.home() / folder) + b"/" + name
    with open(path, "wb") as f:
        f.write(data)
    owner = server.home().stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    return quoted(b"/files/" + folder.encode() + b"/" + name)


# ---- down ----------------------------------------------------------------------------------------
def test_whole(https, web, payload):
    data = payload(SIZE).read_bytes()
    path = https.put_file("whole.bin", data)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    answer = web.read("/whole.bin")
    assert answer.status == 200 and answer.body == data and answer["Content-Length"] == str(SIZE)
    assert answer["Last-Modified"] == "Sun, 09 Sep 2001 01:46:40 GMT" and answer["Accept-Ranges"] == "bytes"
    assert re.fullmatch(r'"[^"]+"', answer["ETag"]) and answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment;")


def test_nothing_and_folders(https, web, folder):
    https.put_file(f"{folder}/empty", b"")
    answer = web.read(f"/{folder}/empty")
    assert answer.status == 200 and answer.body == b"" and answer["Content-Length"] == "0"
    assert web.read(f"/{folder}/empty", Range="bytes=0-").status == 416
    for path, status, code in ((f"/{folder}", 409, "is_folder"), ("/", 409, "is_folder"), (f"/{folder}/none", 404, "not_found"),
                               (f"/{folder}/empty/x", 404, "not_found"), (f"/{'x' * 300}", 400, "bad_request")):
        answer = web.read(path)
        assert (answer.status, answer.error) == (status, code), path


RANGES = [
    ("bytes=0-0", [(0, 1)]), ("bytes=0-", [(0, 1000)]), ("bytes=990-", [(990, 1000)]), ("bytes=-10", [(990, 1000)]),
    ("bytes=-5000", [(0, 1000)]), ("bytes=500-5000", [(500, 1000)]), ("bytes=999-999", [(999, 1000)]), ("BYTES=1-2", [(1, 3)]),
    ("bytes=0-9,600-609", [(0, 10), (600, 610)]), ("bytes=0-9,5-19", [(0, 20)]), ("bytes= 0-0 , -1", [(0, 1), (999, 1000)]), ("bytes=900-,0-9", [(900, 1000), (0, 10)]),
    ("bytes=0-9,5000-6000", [(0, 10)]),
]


@pytest.mark.parametrize("text, parts", RANGES)
def test_ranges(https, web, text, parts):
    data = bytes(i % 251 for i in range(1000))
    https.put_file("ranges.bin", data)
    answer = web.read("/ranges.bin", Range=text)
    assert answer.status == 206
    if len(parts) == 1:
        (first, end), = parts
        assert answer["Content-Range"] == f"bytes {first}-{end - 1}/1000" and answer.body == data[first:end]
        return
    assert answer["Content-Range"] is None
    whole = email.message_from_bytes(f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode() + answer.body)
    assert whole.get_content_type() == "multipart/byteranges"
    got = [(part["Content-Range"], part.get_payload(decode=True)) for part in whole.get_payload()]
    assert [r for r, _ in got] == [f"bytes {first}-{end - 1}/1000" for first, end in parts]
    assert answer.body.startswith(b"--") and answer.body.rstrip().endswith(b"--")
    boundary = re.search("boundary=([0-9a-f]+)", answer["Content-Type"]).group(1).encode()
    pieces = answer.body.split(b"--" + boundary)
    for (first, end), piece in zip(parts, pieces[1:-1], strict=True):
        head, content = piece.split(b"\r\n\r\n", 1)
        assert content == data[first:end] + b"\r\n" and b"Content-Type: application/octet-stream" in head


@pytest.mark.parametrize("text, status", [
    ("bytes=1000-", 416), ("bytes=5000-6000", 416), ("bytes=-0", 416), ("bytes=5-4", 200), ("bytes=x", 200), ("lines=1-2", 200), ("bytes", 200),
    ("bytes=99999999999999999999-", 416), ("bytes=" + ",".join("0-0" for _ in range(500)), 200)])
def test_ranges_that_are_none(https, web, text, status):
    https.put_file("ranges.bin", bytes(i % 251 for i in range(1000)))
    answer = web.read("/ranges.bin", Range=text)
    assert answer.status in (status, 416) if status == 200 and "0-0," in text else answer.status == status, answer
    if answer.status == 416:
        assert answer["Content-Range"] == "bytes */1000"
    else:
        assert len(answer.body) == 1000


def test_conditions(https, web):
    path = https.put_file("conditions", b"0123456789")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    seen = web.read("/conditions")
    etag, date = seen["ETag"], seen["Last-Modified"]
    older, newer = "Sat, 08 Sep 2001 01:46:40 GMT", "Mon, 10 Sep 2001 01:46:40 GMT"
    for fields, status in (
        ({"If_None_Match": etag}, 304), ({"If_None_Match": f'"x", W/{etag}'}, 304), ({"If_None_Match": "*"}, 304), ({"If_None_Match": '"x"'}, 200),
        ({"If_Match": etag}, 200), ({"If_Match": "*"}, 200), ({"If_Match": '"x"'}, 412), ({"If_Match": f"W/{etag}"}, 412),
        ({"If_Modified_Since": date}, 304), ({"If_Modified_Since": older}, 200), ({"If_Modified_Since": newer}, 304),
        ({"If_Unmodified_Since": date}, 200), ({"If_Unmodified_Since": older}, 412), ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": date}, 200), ({"If_Match": etag, "If_Unmodified_Since": older}, 200),
        ({"Range": "bytes=2-3", "If_Range": etag}, 206), ({"Range": "bytes=2-3", "If_Range": '"x"'}, 200),
        ({"Range": "bytes=2-3", "If_Range": f"W/{etag}"}, 200), ({"Range": "bytes=2-3", "If_Range": older}, 200),
        ({"Range": "bytes=2-3", "If_Range": date}, 206), ({"Range": "bytes=90-", "If_Range": '"x"'}, 200), ({"Range": "bytes=90-", "If_None_Match": etag}, 304),
    ):
        answer = web.read("/conditions", **fields)
        assert answer.status == status, (fields, answer)
        if status == 304:
            assert answer["ETag"] == etag and answer.body == b""
        elif status == 412:
            assert answer.error == "changed"
        else:
            assert answer.body == (b"23" if status == 206 else b"0123456789")
    path.write_bytes(b"9876543210")
    assert web.read("/conditions", If_None_Match=etag).status == 200, "it has changed"


@pytest.mark.parametrize("name, inline", [
    ("a.txt", "text/plain; charset=utf-8"), ("a.PNG", "image/png"), ("a.pdf", "application/pdf"), ("a.mp4", "video/mp4"), ("a.csv", "text/csv; charset=utf-8"),
    ("a.html", None), ("a.svg", None), ("a.xml", None), ("a.js", None), ("a.css", None), ("a.xhtml", None), ("a.zip", None), ("a", None), ("a.txt.html", None), ("a.HTM", None)])
def test_what_a_browser_may_show(https, web, name, inline):
    """Only what cannot run; all else is bytes to be kept."""
    https.put_file(name, b"<script>alert(1)</script>")
    asked, plain = web.get(f"/files/{name}?inline"), web.get(f"/files/{name}")
    for answer in (asked, plain):
        assert answer["X-Content-Type-Options"] == "nosniff" and "sandbox" in answer["Content-Security-Policy"]
        if inline is None:
            assert answer["Content-Type"] in ("application/octet-stream", "application/zip")
    assert plain["Content-Disposition"].startswith("attachment")
    assert asked["Content-Disposition"].startswith("inline" if inline else "attachment")
    if inline:
        assert asked["Content-Type"] == inline


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_odd_names(https, web, folder, name):
    """Each has one address, and comes back by it; nothing of it gets out of its place in the head."""
    address = put_odd(https, folder, name, b"odd")
    answer = web.get(address)
    assert answer.status == 200 and answer.body == b"odd"
    disposition = answer["Content-Disposition"]
    assert re.fullmatch(r"attachment; filename=\"(?:[ !#-\[\]-~]|\\[\"\\])*\"(; filename\*=UTF-8''[A-Za-z0-9%!#$&+^_`|~.-]+)?", disposition), disposition
    extended = re.search(r"filename\*=UTF-8''(.*)", disposition)
    if isinstance(name, str) and extended:
        assert urllib.parse.unquote(extended.group(1)) == name or "\u202e" in name
    listing = web.list(f"/{folder}").json
    entry, = listing["entries"]
    if isinstance(name, str):
        assert entry["name"] == name and "raw" not in entry
    else:
        try:
            assert entry["name"] == name.decode()
        except UnicodeDecodeError:
            assert base64.b64decode(entry["raw"]) == name and "\ufffd" in entry["name"]
    assert web.ask("DELETE", address).status == 204
    assert web.ask("PUT", address, b"back").status == 201
    assert os.listdir(os.fsencode(https.home() / folder)) == [name if isinstance(name, bytes) else name.encode()]
    plain = web.get(f"/plain/{folder}/").body.decode("utf-8", "replace")
    assert f'"{address}"'.replace("&", "&amp;").replace("'", "&#39;") in plain or f'"{address}"' in plain


def test_curl_goes_on(https, place, payload):
    https.put_file("resumed", payload(SIZE).read_bytes())
    (place / "back").write_bytes(payload(SIZE).read_bytes()[:1_234_567])
    Curl(https, place).run("-C", "-", "-o", "back", path="/files/resumed")
    assert same(payload(SIZE), place / "back")


def test_four_at_a_time(https, payload):
    size = 8_000_000
    https.put_file("parallel", payload(size).read_bytes())

    def fetch(number):
        with Web(https, basic=True) as web:
            first = number * size // 4
            answer = web.read("/parallel", Range=f"bytes={first}-{first + size // 4 - 1}")
            assert answer.status == 206
            return answer.body

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert b"".join(threads.map(fetch, range(4))) == payload(size).read_bytes()


def test_rclone(https, place, payload, folder):
    if not available("rclone"):
        pytest.skip("no rclone here")
    names = ["one", "a b.txt", "sub/äöü"]
    for name in names:
        https.put_file(f"{folder}/{name}", payload(SIZE).read_bytes())
    (place / "names").write_text("".join(f"{folder}/{name}\n" for name in names))
    Rclone(https, place).run("copy", "r:", "there", "--files-from", "names", "--no-traverse", "--multi-thread-streams", "4", "--multi-thread-cutoff", "1M")
    for name in names:
        assert same(payload(SIZE), place / "there" / folder / name)


@pytest.mark.slow
def test_200_megabytes(https, place, payload):
    """Down and up by curl, byte for byte."""
    https.put_file("large", b"")
    with open(payload(LARGE), "rb") as source, open(https.home() / "large", "wb") as target:
        os.sendfile(target.fileno(), source.fileno(), 0, LARGE)
    curl = Curl(https, place)
    curl.run("-o", "back", path="/files/large")
    assert same(payload(LARGE), place / "back")
    curl.run("-T", payload(LARGE), path="/files/large-up")
    assert same(payload(LARGE), https.home() / "large-up")
    for name in ("large", "large-up"):
        (https.home() / name).unlink()
    (place / "back").unlink()


def test_a_file_that_shrinks(https, web, place):
    """The connection is cut: by its length, or without close_notify, nobody takes it for whole."""
    path = https.put_file("shrinks", b"")
    with open(path, "wb") as f:
        f.truncate(500_000_000)
    with Wire(https) as wire:
        wire.send(f"GET /files/shrinks HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\n\r\n")
        assert wire.head()[0] == 200
        wire.exactly(100_000)
        os.truncate(path, 1000)
        with pytest.raises((Trouble, OSError)):
            wire.exactly(500_000_000 - 100_000)
    line, = wait_for("its line", lambda: https.audit(event="download", path="/shrinks"))
    assert line["bytes"] < 500_000_000 and line["result"] == "EPIPE"
    assert web.read("/shrinks").body == b"\0" * 1000


KEPT = ["again", "headed", "replaced", "rewritten", "deleted", "renamed", "cut", "closed", "below/mine"]


@pytest.fixture(scope="module")
def rested(https):
    """Files that nothing has happened to for long enough to be kept open between two requests: their folder."""
    paths = [https.put_file(f"rested/{name}", b"0123456789") for name in KEPT]
    owner = https.home().stat()
    for made in (https.home() / "rested", https.home() / "rested" / "below"):
        os.chown(made, owner.st_uid, owner.st_gid)
    wait_for("their rest", lambda: time.time() > paths[-1].stat().st_ctime + 3)
    return https.home() / "rested"


def test_a_file_is_kept_open(https, rested):
    """Requests for the same file, one after the other: it is opened fewer times than it is sent, told of with
    all its bytes, and given back while the connection stays."""
    with Wire(https) as wire:
        one = f"GET /files/rested/again HTTP/1.1\r\nHost: {wire.host}\r\n{LOGIN}\r\n"
        wire.send((one + "\r\n" + one + "Range: bytes=4-6\r\n\r\n") * 20)
        for _ in range(20):
            assert wire.answer().body == b"0123456789"
            assert wire.answer().body == b"456"
        lines = wait_for("all of it in the log", lambda: told_of(https, rested / "again", 20 * 13))
        assert len(lines) < 40


def told_of(server, path, size):
    lines = server.audit(event="download", path=f"/{path.relative_to(server.home())}")
    return lines if sum(line["bytes"] for line in lines) == size else None


def test_only_the_head_is_no_broken_download(https, rested):
    with Web(https, basic=True) as web:
        seen = web.ask("HEAD", "/files/rested/headed")
        assert seen.status == 200 and web.get("/files/rested/headed", If_None_Match=seen["ETag"]).status == 304
    lines = wait_for("its line", lambda: https.audit(event="download", path="/rested/headed"))
    assert [(line["result"], line["bytes"]) for line in lines] == [("ok", 0)] * len(lines)


def replace(path):
    (path.parent / "other").write_bytes(b"other text")
    os.rename(path.parent / "other", path)


def rewrite(path):
    before = path.stat()
    path.write_bytes(b"other text")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def close(path):
    if os.geteuid() != 0:
        pytest.skip("needs root: a file of somebody else")
    os.chown(path, 0, 0)
    os.chmod(path, 0o600)


@pytest.mark.parametrize("name, change, status, body", [
    ("replaced", replace, 200, b"other text"), ("rewritten", rewrite, 200, b"other text"), ("deleted", os.unlink, 404, None),
    ("renamed", lambda path: os.rename(path, f"{path}.old"), 404, None), ("cut", lambda path: os.truncate(path, 4), 200, b"0123"),
    ("closed", close, 403, None)])
def test_what_is_kept_has_not_changed(web, rested, name, change, status, body):
    assert web.read(f"/rested/{name}").body == b"0123456789"
    change(rested / name)
    answer = web.read(f"/rested/{name}")
    assert answer.status == status and (body is None or answer.body == body), answer


def test_own_changes_are_seen(web, rested):
    assert web.read("/rested/below/mine").body == b"0123456789"
    assert web.api("rename", **{"from": "/rested/below", "to": "/rested/moved"}).status == 204
    assert web.read("/rested/below/mine").status == 404


def test_downloads_need_the_right(https):
    https.add("writer", rights="write,list")
    https.put_file("there", b"x", "writer")
    with Web(https, "writer", basic=True) as web:
        answer = web.read("/there")
        assert answer.status == 403 and answer.error == "not_allowed"
        assert web.get("/api/digest?path=/there").status == 403
        assert web.put("/new", b"letter").status == 201 and web.put("/new", b"again").status == 403
        assert web.ask("DELETE", "/files/new").status == 403
        assert (https.home("writer") / "new").read_bytes() == b"letter"


def test_a_reader_changes_nothing(https):
    https.add("reader", rights="list,read")
    https.put_file("book", b"text", "reader")
    with Web(https, "reader", basic=True) as web:
        assert web.read("/book").body == b"text"
        for answer in (web.put("/new", b"x"), web.put("/book", b"x"), web.ask("DELETE", "/files/book"), web.api("mkdir", path="/new"),
                       web.api("rename", **{"from": "/book", "to": "/x"}), web.form("/plain/", {})):
            assert answer.status in (403, 415), answer
        results = web.api("delete", paths=["/book"]).json["results"]
        assert results[0]["error"]
    assert os.listdir(https.home("reader")) == ["book"]


@pytest.mark.parametrize("path", ["/link/passwd", "/link", "/up/x"])
def test_nothing_outside_can_be_named(https, web, path):
    for name, target in (("link", "/etc"), ("up", "../..")):
        if not (https.home() / name).is_symlink():
            (https.home() / name).symlink_to(target)
    for answer in (web.read(path), web.put(path, b"x"), web.list(path), web.list(path, "stat"), web.list(path, "digest")):
        assert b"root:" not in answer.body and answer.status in ((200, 201, 204, 400, 403, 404, 409) if path == "/up/x" else (200, 403, 404, 409)), answer
    assert set(os.listdir(https.homes)) <= {"alice", "bob", "writer", "reader"} | {n for n in os.listdir(https.homes) if n.startswith(("digest", "broken"))}
    assert not (https.place / "x").exists() and not os.path.exists("/etc/x")


# ---- up ------------------------------------------------------------------------------------------
def test_put(https, web, folder, payload):
    data = payload(SIZE).read_bytes()
    answer = web.put(f"/{folder}/new", data)
    assert answer.status == 201 and answer["ETag"] == web.read(f"/{folder}/new")["ETag"]
    assert (https.home() / folder / "new").read_bytes() == data
    assert web.put(f"/{folder}/new", b"less").status == 204
    assert (https.home() / folder / "new").read_bytes() == b"less"
    assert web.put(f"/{folder}/empty", b"").status == 201 and (https.home() / folder / "empty").stat().st_size == 0
    for path, status in ((f"/{folder}/none/x", 404), (f"/{folder}", 409), ("/", 409), (f"/{folder}/new/x", 404), (f"/{folder}/slash/", 409)):
        assert web.put(path, b"x").status == status, path
    for fields in ({"Content-Range": "bytes 0-1/5"}, {"Content-Encoding": "gzip"}):
        assert web.put(f"/{folder}/new", b"xx", fields=fields).status == 400
    assert (https.home() / folder / "new").read_bytes() == b"less"


def test_put_in_chunks(https, web, folder, place, payload):
    data = payload(SIZE).read_bytes()
    pieces = (data[at:at + 77_777] for at in range(0, SIZE, 77_777))
    assert web.change("PUT", f"/files/{folder}/chunked", pieces, encode_chunked=True, fields={"Transfer-Encoding": "chunked"}).status == 201
    assert (https.home() / folder / "chunked").read_bytes() == data
    Curl(https, place).run("-T", "-", "-H", "Transfer-Encoding: chunked", path=f"/files/{folder}/empty")  # of /dev/null
    assert (https.home() / folder / "empty").stat().st_size == 0


def test_100_continue(https, wire, folder):
    head = f"PUT /files/{folder}/{{}} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n{{}}\r\n"
    wire.send(head.format("new", ""))
    assert wire.line() == "HTTP/1.1 100 Continue" and wire.line() == ""
    wire.send("hello")
    assert wire.answer().status == 201
    wire.send(head.format("new", "If-None-Match: *\r\n"))
    answer = wire.answer()
    assert answer.status == 412 and not answer.early and answer["Connection"] == "close", "before the body"
    assert wire.ends() and (https.home() / folder / "new").read_bytes() == b"hello"


def test_100_continue_is_not_waited_for(https, wire, folder):
    wire.send(f"PUT /files/{folder}/new HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
    assert wire.answer().status == 201 and wire.alive()
    assert wire.ask("GET / HTTP/1.1", "Expect: a-miracle").status == 417


def test_put_under_conditions(https, web, folder):
    path, local = f"/{folder}/file", https.home() / folder / "file"
    assert web.put(path, b"1", fields={"If-Match": "*"}).status == 412 and not local.exists()
    first = web.put(path, b"1", fields={"If-None-Match": "*"})
    assert first.status == 201
    assert web.put(path, b"2", fields={"If-None-Match": "*"}).status == 412 and local.read_bytes() == b"1"
    second = web.put(path, b"22", fields={"If-Match": first["ETag"]})
    assert second.status == 204 and second["ETag"] != first["ETag"]
    assert web.put(path, b"3", fields={"If-Match": first["ETag"]}).status == 412 and local.read_bytes() == b"22"


def digests(data):
    return {name: f"{name}=:{base64.b64encode(hashlib.new(kind, data).digest()).decode()}:" for name, kind in (("sha-256", "sha256"), ("sha-512", "sha512"), ("md5", "md5"))}


@pytest.mark.parametrize("atomic", [False, True])
def test_digests_of_uploads(https, folder, atomic):
    user = "digest-atomic" if atomic else "digest"
    https.add(user, **({"atomic": True} if atomic else {}))
    https.put_file("kept", b"before", user)
    home = https.home(user)
    with Web(https, user, basic=True) as web:
        right, wrong = digests(b"content")["sha-256"], digests(b"other")["sha-256"]
        assert web.put("/new", b"content", fields={"Repr-Digest": right}).status == 201
        answer = web.put("/bad", b"content", fields={"Repr-Digest": wrong})
        assert answer.status == 422 and answer.error == "digest" and not (home / "bad").exists()
        assert web.put("/kept", b"content", fields={"Repr-Digest": wrong}).status == 422
        if atomic:
            assert (home / "kept").read_bytes() == b"before"
        assert web.put("/md5", b"content", fields={"Repr-Digest": digests(b"content")["md5"]}).status in (201, 400)
        assert web.put("/x", b"content", fields={"Repr-Digest": "sha-256=nonsense"}).status == 400
        assert set(os.listdir(home)) <= {"new", "kept", "md5"}


def test_want_repr_digest(https, web):
    https.put_file("digested", b"content")
    for want in ("sha-256=5", "md5=1, sha-256=9"):
        assert web.read("/digested", Want_Repr_Digest=want)["Repr-Digest"] == digests(b"content")["sha-256"]
        assert web.read("/digested", Want_Repr_Digest=want, Range="bytes=0-1")["Repr-Digest"] == digests(b"content")["sha-256"], "of the whole file"
    assert web.read("/digested")["Repr-Digest"] is None


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
def test_an_upload_that_breaks_off(https, atomic, chunked):
    user = f"broken-{atomic}-{chunked}".lower()
    https.add(user, **({"atomic": True} if atomic else {}))
    https.put_file("kept", b"before", user)
    login = "Authorization: " + basic(user)["Authorization"]
    for name in ("new", "kept"):
        with Wire(https) as wire:
            framing = "Transfer-Encoding: chunked\r\n\r\n10\r\n" if chunked else "Content-Length: 1000\r\n\r\n"
            wire.send(f"PUT /files/{name} HTTP/1.1\r\nHost: x\r\n{login}\r\n{framing}only this")
            wait_for("the upload to begin", lambda: [s for s in https.sessions() if s["account"] == user and s["agent_pid"]])
    wait_for("its end", lambda: not [s for s in https.sessions() if s["account"] == user])
    if atomic:
        assert os.listdir(https.home(user)) == ["kept"] and (https.home(user) / "kept").read_bytes() == b"before"
    for line in https.audit(account=user):
        assert line["event"] not in ("upload", "modify") or line["result"] != "ok" or not line.get("claimed"), line


@pytest.mark.needs_root
@pytest.mark.parametrize("how", [{}, {"atomic": True}], ids=["plain", "atomic"])
def test_a_full_disk(make_server, payload, how):
    server = make_server(start=False).serve_https().start()
    home = server.add("alice", **how)
    with small_disk(home, "4m", home.stat().st_uid), Web(server, basic=True) as web:
        assert web.put("/kept", payload(1_000_000).read_bytes()).status == 201
        for name in ("/too-large", "/kept") if how else ("/too-large",):
            with Wire(server) as wire:
                wire.send(f"PUT /files{name} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Length: 8000000\r\n\r\n")
                try:
                    wire.send(payload(8_000_000).read_bytes())
                except OSError:
                    pass  # refused before its end
                answer = wire.answer()
                assert answer.status == 507 and answer.error == "no_space", answer
        if how:
            wait_for("the end of what was half done", lambda: os.listdir(home) == ["kept"])
        assert same(payload(1_000_000), home / "kept")
        me = web.get("/api/me").json
        assert me["space"] is None or me["space"]["total"] <= 5 << 20
        web.ask("DELETE", "/files/too-large")
        wait_for("room", lambda: web.put("/after", b"x").status in (201, 204))
        web.close()
        server.stop()


# ---- the form of the pages without scripts -------------------------------------------------------
def multipart(parts):
    """parts: (name, file name or None, content)."""
    boundary = "----boundary"
    body = b""
    for name, filename, content in parts:
        file = f'; filename="{filename}"' if filename is not None else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def test_the_form(https, folder, payload):
    data, home = payload(SIZE).read_bytes(), https.home() / folder
    with Web(https) as web:
        page = web.get(f"/plain/{folder}/").body.decode()
        assert 'enctype="multipart/form-data"' in page and web.csrf in page
        for name, content in (("ä b%22.txt", data), ("empty", b"")):
            body, fields = multipart([("csrf", None, web.csrf.encode()), ("file", name, content)])
            answer = web.ask("POST", f"/plain/{folder}/", body, {**fields, "Origin": web.origin})
            assert answer.status == 303 and answer["Location"] == f"/plain/{folder}", answer
            assert (home / name.replace("%22", '"')).read_bytes() == content
        assert web.get(answer["Location"]).status == 200
        for parts, status in (
            ([("csrf", None, web.csrf.encode()), ("file", "empty", b"again")], 409),  # what is there stays
            ([("file", "x", b"no token")], 403), ([("csrf", None, b"0" * 64), ("file", "x", b"wrong token")], 403),
            ([("file", "x", b"the token comes late"), ("csrf", None, web.csrf.encode())], 403),
            ([("csrf", None, web.csrf.encode()), ("file", "", b"")], 400), ([("csrf", None, web.csrf.encode())], 400),
            ([("csrf", None, web.csrf.encode()), ("file", "../x", b"")], 400), ([("csrf", None, web.csrf.encode()), ("file", "..", b"")], 400),
        ):
            body, fields = multipart(parts)
            assert web.ask("POST", f"/plain/{folder}/", body, fields).status == status, parts
        body, fields = multipart([("csrf", None, web.csrf.encode()), ("file", "cut", b"x" * 1000)])
        assert web.ask("POST", f"/plain/{folder}/", body[:-200], fields).status == 400
        assert web.ask("POST", f"/plain/{folder}/", body, {"Content-Type": "text/plain"}).status in (400, 415)
        assert (home / "empty").read_bytes() == b""
        assert set(os.listdir(home)) - {"cut"} == {'ä b".txt', "empty"}
