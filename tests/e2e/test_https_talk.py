"""HTTP/1.1 as the https-worker speaks it: kept connections, pipelining, what nobody may send, the
fields of every answer, static files, the port that redirects; TLS below it."""
import gzip
import re
import socket
import ssl

import pytest

from https_clients import Web, Wire, basic, context_of
from server import has_ipv6, wait_for

LOGIN = "Authorization: " + basic()["Authorization"]


@pytest.fixture
def wire(https):
    with Wire(https) as one:
        yield one


# ---- connections that are kept -------------------------------------------------------------------
def test_kept_alive(wire):
    for _ in range(50):
        answer = wire.ask("GET /login HTTP/1.1")
        assert answer.status == 200 and answer["Connection"] is None


def test_pipelined(https, wire):
    """All at once; the answers come in the order of the questions."""
    https.put_file("pipe", b"0123456789" * 1000)
    lines = []
    for i in range(20):
        lines += [f"GET /files/pipe HTTP/1.1\r\nHost: {wire.host}\r\n{LOGIN}\r\nRange: bytes={i}-{i + 4}\r\n\r\n",
                  f"HEAD /files/pipe HTTP/1.1\r\nHost: {wire.host}\r\n{LOGIN}\r\n\r\n",
                  f"GET /nothing HTTP/1.1\r\nHost: {wire.host}\r\n\r\n"]
    wire.send("".join(lines))
    for i in range(20):
        part = wire.answer()
        assert part.status == 206 and part.body == (b"0123456789" * 10)[i:i + 5]
        assert wire.answer(head_only=True)["Content-Length"] == "10000"
        assert wire.answer().status == 404


def test_pipelined_behind_bodies(https, wire):
    """What follows a body is the next request, wherever the pieces are cut."""
    data = b"".join(
        b"PUT /files/piped%d HTTP/1.1\r\nHost: %s\r\n%s\r\n%s" % (i, wire.host.encode(), LOGIN.encode(), rest) for i, rest in enumerate((
            b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: y\r\n\r\n", b"Content-Length: 3\r\n\r\nend")))
    data += b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n"
    for size in (len(data), 1, 7, 100):
        for at in range(0, len(data), size):
            wire.send(data[at:at + size])
        for i, content in enumerate((b"hello", b"abcde", b"", b"", b"end")):
            assert wire.answer().status == (201 if size == len(data) else 204)
            assert (https.home() / f"piped{i}").read_bytes() == content
        assert wire.answer().status == 200


def test_http_1_0(https, wire):
    wire.send("GET /login HTTP/1.0\r\n\r\n")
    answer = wire.answer()
    assert answer.status == 200 and answer["Connection"] == "close" and answer["Content-Length"]
    assert wire.ends()
    with Wire(https) as kept:
        for _ in range(2):
            kept.send("GET /login HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert kept.answer()["Connection"] == "keep-alive"
        kept.send(f"GET /api/list?path=/ HTTP/1.0\r\nConnection: keep-alive\r\n{LOGIN}\r\n\r\n")
        answer = kept.answer()
        assert answer["Transfer-Encoding"] is None and answer["Connection"] == "close" and answer.json["path"] == "/"


def test_close_on_wish(wire):
    answer = wire.ask("GET /login HTTP/1.1", "Connection: close")
    assert answer.status == 200 and answer["Connection"] == "close" and wire.ends()


# ---- methods and addresses -----------------------------------------------------------------------
@pytest.mark.parametrize("address, allowed", [
    ("*", {"OPTIONS"}), ("/", {"GET", "HEAD", "OPTIONS"}), ("/login", {"GET", "HEAD", "POST", "OPTIONS"}),
    ("/files/x", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}), ("/api/rename", {"POST", "OPTIONS"}),
    ("/plain/x/", {"GET", "HEAD", "POST", "OPTIONS"}), ("/logout", {"POST", "OPTIONS"})])
def test_options_and_405(wire, address, allowed):
    answer = wire.ask(f"OPTIONS {address} HTTP/1.1")
    assert answer.status == 204 and set(answer["Allow"].split(", ")) == allowed
    for method in {"GET", "HEAD", "POST", "PUT", "DELETE"} - allowed if address != "*" else ():
        answer = wire.ask(f"{method} {address} HTTP/1.1", "Content-Length: 0")
        assert answer.status == 405 and set(answer["Allow"].split(", ")) == allowed
    assert wire.alive()


def test_unknown_methods(https):
    for method in ("BREW", "get", "TRACE", "CONNECT", "X" * 30):
        with Wire(https) as wire:
            answer = wire.ask(f"{method} / HTTP/1.1")
            assert answer.status in (405, 501) and (answer.status == 405 or wire.ends()), method


@pytest.mark.parametrize("address", ["/nothing", "/api", "/api/", "/api/me/", "/api/mee", "/filesx", "/login/", "/static", "/static/x", "/static/x/nothing.js", "/static/x/app.html", "/static/x/../../etc/passwd"])
def test_addresses_that_are_none(wire, address):
    assert wire.ask(f"GET {address} HTTP/1.1").status in (400, 404)


@pytest.mark.parametrize("address", ["/files/%2e%2e/x", "/files/a%2fb", "/files/a%00b", "/files//x", "/files/./x", "/files/../x", "/files/%", "/files/%zz", "/a b"])
def test_addresses_that_no_name_may_have(https, address):
    with Wire(https) as wire:
        assert wire.ask(f"GET {address} HTTP/1.1", LOGIN).status == 400


def test_whole_addresses(https, wire):
    """RFC 9112, 3.2.2: a server takes them."""
    assert wire.ask(f"GET https://{wire.host}/login HTTP/1.1").status == 200
    assert wire.ask("GET https://other.example/login HTTP/1.1").status == 400 and wire.ends()


# ---- what may end two ways ends the connection ---------------------------------------------------
HOST = b"Host: x\r\n"
SMUGGLED = {
    "CL.TE": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "TE.CL": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGET",
    "two lengths": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello",
    "a length below zero": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\nhello",
    "a hex length": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 0x5\r\n\r\nhello",
    "a very long length": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 18446744073709551617\r\n\r\nh",
    "a bare LF": b"GET /login HTTP/1.1\nHost: x\n\n",
    "a bare LF in the fields": b"GET /login HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
    "a bare CR": b"GET /login HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    "obs-fold": b"GET /login HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a blank before the colon": b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nhello",
    "a blank before a name": b"GET /login HTTP/1.1\r\n Host: x\r\n\r\n",
    "a NUL": b"GET /login HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "no host": b"GET /login HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /login HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "xchunked": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a coding in HTTP/1.0": b"POST /login HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without CRLF": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n",
    "a chunk size with a bare LF": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "a chunk size with a sign": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size too large": b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"\x00\x01\x02\x03\r\n\r\n",
    "a version of old": b"GET /login\r\n\r\n",
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_smuggling(wire, what):
    wire.send(SMUGGLED[what] + b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = wire.answer()
    assert answer.status in ((400,) if what not in ("HTTP/2's preface", "a very long length") else (400, 413, 505)), answer
    assert answer["Connection"] == "close"
    assert wire.ends(), "what follows is not heard"


@pytest.mark.parametrize("head, status", [
    (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 414)),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000 + b"\r\n\r\n", (431,)),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n", (431,)),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 70000, (400, 431)),
    (b"G" * 100000, (400, 501)),
], ids=["address", "field", "fields", "name", "method"])
def test_huge_heads(wire, head, status):
    try:
        wire.send(head)
    except OSError:
        pass  # refused before its end
    answer = wire.answer()
    assert answer.status in status and answer["Connection"] == "close" and wire.ends()


def test_a_body_that_nobody_wants(https):
    with Wire(https) as wire:
        assert wire.ask("POST /nothing HTTP/1.1", "Content-Length: 5", body=b"hello").status == 404
        assert wire.alive(), "a small one is read over"
        answer = wire.ask("GET /login HTTP/1.1", "Content-Length: 5", body=b"hello")
        assert answer.status == 413 and answer["Connection"] == "close" and wire.ends()
    with Wire(https) as wire:
        wire.send(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1000)
        answer = wire.answer()
        assert answer.status == 404 and answer["Connection"] == "close" and wire.ends(), "a large one is not waited for"


# ---- fields of every answer ----------------------------------------------------------------------
def test_kinds_of_answers(https):
    """The client judges each; here are the kinds, and what differs."""
    https.put_file("kinds.txt", b"text")
    with Web(https) as web:
        page, card = web.get("/"), web.get("/login")
        for answer in (page, card, web.get("/plain/")):
            policy = answer["Content-Security-Policy"]
            assert "script-src 'self'" in policy and "require-trusted-types-for 'script'" in policy and "'unsafe" not in policy
            assert answer["Content-Type"] == "text/html; charset=utf-8" and answer["Cache-Control"] == "no-store"
            assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style|javascript:", answer.body.decode())
        for answer in (web.get("/api/me"), web.read("/kinds.txt"), web.get("/nothing"), web.api("mkdir", path="/kinds"), web.ask("BREW", "/")):
            assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        shown = web.get("/files/kinds.txt?inline")
        assert shown["Content-Security-Policy"].startswith("sandbox; default-src 'none'; img-src 'self'")


def test_static_files(https):
    with Web(https) as web, Web(https, sign_in=False) as stranger:
        page = web.get("/").body.decode() + stranger.get("/login").body.decode()
        files = set(re.findall(r'"(/static/[0-9a-f]+/[a-z.-]+)"', page))
        assert len(files) >= 3, page
        for address in files:
            plain, packed = stranger.get(address), stranger.get(address, Accept_Encoding="gzip, deflate, br")
            assert plain.status == 200 and plain["Content-Encoding"] is None and plain["Vary"] == "Accept-Encoding"
            assert plain["Cache-Control"] == "public, max-age=31536000, immutable"
            if packed["Content-Encoding"]:
                assert packed["Content-Encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body
                assert len(packed.body) < len(plain.body)
            else:
                assert len(plain.body) < 200, f"{address} is worth packing"
            assert stranger.get(address, Accept_Encoding="gzip;q=0")["Content-Encoding"] is None
            kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[address.rsplit(".", 1)[1]]
            assert plain["Content-Type"].startswith(kind)


def test_heads_alone(https, wire):
    """HEAD: the fields of GET, and nothing behind them."""
    https.put_file("head", b"x" * 5000)
    for address in ("/login", "/files/head", "/nothing", "/api/me", "/api/list?path=/", "/plain/"):
        head = wire.ask(f"HEAD {address} HTTP/1.1", LOGIN)
        whole = wire.ask(f"GET {address} HTTP/1.1", LOGIN)
        assert head.status == whole.status and head.body == b"" and whole.body
        for name in ("Content-Length", "Content-Type", "Transfer-Encoding", "ETag"):
            assert head[name] == whole[name], (address, name)


# ---- the port that redirects ---------------------------------------------------------------------
@pytest.mark.parametrize("host", ["127.0.0.1", "files.example.org", "[::1]", "FILES.example:8080"])
def test_plain_http_is_redirected(https, host):
    with Wire(https, secure=False) as wire:
        answer = wire.ask("GET /files/a%20b?inline HTTP/1.1", host=host)
        assert answer.status == 308 and answer["Connection"] == "close" and wire.ends()
        name = host if host.startswith("[") else host.split(":")[0]
        assert answer["Location"] == f"https://{name}:{https.https_port}/files/a%20b?inline"
        assert answer["Strict-Transport-Security"] is None, "RFC 6797, 7.2"
        assert answer["Set-Cookie"] is None and answer["Content-Security-Policy"]


@pytest.mark.parametrize("data", [
    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nuser=alice&password=correct+hor", b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\"<b>\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"])
def test_plain_http_serves_nothing(make_server, https, data):
    with Wire(https, secure=False) as wire:
        wire.send(data)
        if data[0] == 0x16:
            wire.socket.shutdown(socket.SHUT_WR)
            assert wire.stream.read()[:12] in (b"", b"HTTP/1.1 400")
            return
        answer = wire.answer()
        assert answer.status in (308, 400) and answer["Set-Cookie"] is None and wire.ends()
        assert "evil" not in (answer["Location"] or "")


def test_redirects_name_the_first_of_the_names(make_server):
    server = make_server(start=False).serve_https(names="files.example.org other.example").start()
    with Wire(server, secure=False) as wire:
        assert wire.ask("GET /x HTTP/1.1", host="other.example")["Location"] == f"https://files.example.org:{server.https_port}/x"


def test_no_redirects(make_server):
    server = make_server(start=False).serve_https(redirect="no").start()
    with pytest.raises(ConnectionRefusedError):
        Wire(server, secure=False)
    with Wire(server) as wire:
        assert wire.alive()


# ---- TLS -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_versions(https, tls, host):
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with Wire(https, tls=tls, host=host) as wire:
        assert wire.socket.version() == f"TLSv{tls}" and wire.alive()


@pytest.mark.parametrize("offered, agreed", [(("http/1.1",), "http/1.1"), (("h2", "http/1.1"), "http/1.1"), ((), None)])
def test_protocols(https, offered, agreed):
    with Wire(https, alpn=offered) as wire:
        assert wire.socket.selected_alpn_protocol() == agreed and wire.alive()


def test_a_protocol_that_is_not_spoken(https):
    with pytest.raises(ssl.SSLError, match="no.application.protocol|ALERT"):
        Wire(https, alpn=("h2",))


@pytest.mark.parametrize("tls, resumed", [("1.2", False), ("1.3", True)])
def test_sessions_are_resumed_by_another_worker(https, tls, resumed):
    """Those of TLS 1.2 are not kept: whoever had one could read what was recorded of it."""
    context = context_of(https, tls, ["http/1.1"])
    with Wire(https, context=context) as first:
        assert first.alive() and not first.socket.session_reused
        session = first.socket.session
    with Wire(https, context=context, session=session) as second:
        assert second.alive() and second.socket.session_reused == resumed


@pytest.mark.parametrize("suites, spoken", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("ECDHE-ECDSA-ARIA256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-ARIA256-GCM-SHA384"),
    ("ECDHE-ECDSA-AES256-CCM", "ECDHE-ECDSA-AES256-CCM"), ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA256")])
def test_suites_that_the_operator_names(make_server, suites, spoken):
    """Those too whose ciphers are not in the worker's ordinary choice."""
    server = make_server({"tls": {"ciphers": suites}}, start=False).serve_https().start()
    context = context_of(server, "1.2")
    context.set_ciphers("ALL")
    with Wire(server, context=context) as wire:
        assert wire.alive() and wire.socket.cipher()[0] == spoken


def test_the_end_of_a_connection_is_said(wire):
    """close_notify: nobody takes what was cut for whole."""
    wire.ask("GET /login HTTP/1.1", "Connection: close")
    wire.socket.settimeout(20)
    assert wire.stream.read() == b""  # an SSLEOFError without


def test_the_clear_on_the_port_of_tls(https):
    with socket.create_connection(("127.0.0.1", https.https_port), 20) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(20)
        try:
            assert not s.recv(100).startswith(b"HTTP/1.1 200")
        except ConnectionResetError:
            pass
    with Wire(https) as wire:
        assert wire.alive()


# ---- while connected -----------------------------------------------------------------------------
def test_reload_while_connected(make_server):
    """Connections go on as they were; new ones have what is new."""
    server = make_server(start=False).serve_https(organisation="Before").start()
    server.add("alice")
    with Web(server, basic=True) as old:
        assert old.get("/api/me").json["organisation"] == "Before"
        kept = old.connection.sock
        server.configure({"https": {"organisation": "After"}})
        server.reload()
        assert old.state() == 200 and old.connection.sock is kept

        def new_worker():
            with Web(server, basic=True) as new:
                return new.get("/api/me").json["organisation"] == "After"

        wait_for("a worker with the new settings", new_worker)
        assert old.state() == 200


def test_a_session_that_the_operator_ends(make_server):
    server = make_server(start=False).serve_https().start()
    server.add("alice")
    with Web(server) as web, Wire(server) as wire:
        cookie = f"Cookie: __Host-session={web.token}"
        assert wire.ask("GET /api/list?path=/ HTTP/1.1", cookie).status == 200
        session, = [s for s in server.sessions() if s["account"] == "alice" and s["agent_pid"]]
        assert session["protocol"] == "https"
        server.command("session", "kill", session["number"])
        assert wire.ends()
        wait_for("its end", lambda: not [s for s in server.sessions() if s["number"] == session["number"]])
        assert web.state() == 200, "the web session stays: its next connection is served"
