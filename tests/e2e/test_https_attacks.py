"""Attacks that other web servers have known: each gets its answer, or its end, in bounded time and
memory, and whoever comes next is served."""
import contextlib
import socket
import ssl
import threading

import pytest

from https_clients import COOKIE, Web, Wire, basic, context_of
from server import PATIENCE, SANITIZED, Process, wait_for

LOGIN = "Authorization: " + basic()["Authorization"]


class Slow:
    """A client that wastes time. kind: in the handshake, before or in a head, in a body, in reading."""

    KINDS = ("tcp", "handshake", "silent", "head", "body", "read")

    def __init__(self, server, kind, context):
        self.socket = socket.create_connection(("127.0.0.1", server.https_port), 60 * PATIENCE)
        if kind == "handshake":
            self.socket.sendall(b"\x16\x03\x01\x02\x00\x01")
        if kind in ("tcp", "handshake"):
            return
        if kind == "read":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        first = {
            "silent": "", "head": "GET /login HTTP/1.1\r\nHost: x\r\nX: ",
            "body": f"PUT /files/slow HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Length: 1000000\r\n\r\nx",
            "read": f"GET /files/large HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\n\r\n",
        }[kind]
        self.socket.sendall(first.encode())


def attack(server, count):
    """So many slow clients, opened by a few threads; returns them."""
    clients, context, lock = [], context_of(server), threading.Lock()

    def some(first):
        for number in range(first, count, 4):
            with contextlib.suppress(OSError, ssl.SSLError):
                one = Slow(server, Slow.KINDS[number % len(Slow.KINDS)], context)
                with lock:
                    clients.append(one)

    threads = [threading.Thread(target=some, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients


def serves(server):
    """Somebody new: signs in, lists, downloads, uploads."""
    with Web(server, "bob") as web:
        assert web.list("/").status == 200
        assert web.read("/small").body == b"small" and web.put("/up", b"x" * 100_000).status in (201, 204)


@pytest.mark.parametrize("count", [pytest.param(60, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.long)])
def test_slow_clients(make_server, count):
    """slow-loris, slow bodies, slow readers: others are served meanwhile, and the slow ones are ended."""
    server = make_server({"limits": {"connections": 3000, "connections_per_address": 3000, "login_grace": 600}}, start=False)
    server.serve_https(request_seconds=2 if count < 100 else 60, idle=2 if count < 100 else 60).start()
    server.add("alice")
    server.add("bob")
    server.put_file("small", b"small", "bob")
    with open(server.put_file("large", b""), "wb") as f:
        f.truncate(100_000_000)
    clients = attack(server, count)
    assert len(clients) > count * 0.9
    serves(server)
    if count < 100:
        wait_for("the end of the slow ones", lambda: not [s for s in server.sessions() if s["account"] == "alice"] and server.json("status")["connections"] == 0, 30)
    for client in clients:
        client.socket.close()
    serves(server)
    server.wait_no_sessions()


def test_ranges_upon_ranges(https):
    """Many ranges that overlap cost no more than the file."""
    https.put_file("ranges", b"x" * 100_000)
    with Web(https, basic=True) as web:
        for text in ("bytes=" + ",".join(["0-"] * 100), "bytes=" + ",".join(f"{i}-" for i in range(1000)), "bytes=0-," + ",".join(f"5-{i}" for i in range(5, 1300))):
            answer = web.read("/ranges", Range=text)
            assert answer.status in (200, 206, 416) and len(answer.body) < 150_000, (text[:50], answer.status, len(answer.body))


def test_memory_stays_bounded(https):
    """Heads, forms, cookies and chunks as large as they may be, over and over on one connection."""
    with Web(https, basic=True) as web, Wire(https) as wire:
        web.close()
        assert wire.ask("GET /api/list?path=/ HTTP/1.1", LOGIN).status == 200
        session, = wait_for("its session", lambda: [s for s in https.sessions() if s["agent_pid"]])
        worker, sizes = Process(session["worker_pid"]), []
        for _ in range(3):
            for _ in range(50):
                assert wire.ask("GET /login HTTP/1.1", "Cookie: " + "; ".join(f"c{i}={'x' * 100}" for i in range(50))).status == 200
                assert wire.ask(f"GET /login?{'x' * 4000} HTTP/1.1").status == 200
                body = b'{"paths": [' + b",".join(b'"/none"' for _ in range(1000)) + b"]}"
                wire.send(f"POST /api/stat HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                assert wire.answer().status == 405
                assert wire.ask("POST /api/mkdir HTTP/1.1", LOGIN, "Content-Type: application/json", f"Content-Length: {len(body)}", body=body).status == 400
            sizes.append(int(worker.status["VmRSS"].split()[0]))
        # Under the sanitizers what was freed is kept for a while.
        assert sizes[-1] - sizes[0] < (100_000 if SANITIZED else 2000), sizes


def test_a_thousand_wrong_cookies(https):
    """They are no tries: nobody is shut out by the cookies that their browser still has."""
    with Web(https) as web:
        for number in range(60):
            with Wire(https) as wire:
                assert wire.ask("GET /api/me HTTP/1.1", f"Cookie: {COOKIE}={number:064x}").status == 401
        assert web.state() == 200


def test_many_wrong_passwords_at_once(make_server):
    """Hashing is bounded: who knows the password gets in, and is told to wait at worst."""
    server = make_server(start=False).serve_https().start()
    server.add("alice")
    stop = threading.Event()

    def guess():
        while not stop.is_set():
            with contextlib.suppress(OSError, ssl.SSLError), Web(server, password="wrong", basic=True) as web:
                for _ in range(5):
                    assert web.get("/api/me").status in (401, 503)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with Web(server, sign_in=False) as web:
                wait_for("a way in", lambda web=web: web.sign_in().status == 303, 30)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "\"><script>alert(1)<\\x2fscript>", "javascript:alert(1)", "{{x}}", "&lt;b&gt;", "a\nb", "\u202e"])
def test_names_that_are_markup(https, name):
    """They stay names, on every page that shows them."""
    path = https.put_file(name, b"x")
    with Web(https) as web:
        page = web.get("/plain/").body.decode()
        assert "<img src=x" not in page and "<script>alert" not in page and 'href="javascript' not in page
        assert name in web.names("/")
        web.close()
        card = web.form("/login", {"user": name, "password": "x"}, {"Cookie": None}).body.decode()
        assert "<img src=x" not in card and "<script>alert" not in card
    path.unlink()
