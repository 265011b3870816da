"""Who asks over HTTPS: signing in and out, cookies, tokens, Basic, other sites' pages, limits."""
import re
import signal
import sqlite3
import time

import pytest

from https_clients import COOKIE, PASSWORD, Web, Wire, basic, certificate, run
from server import has_ipv6, wait_for


@pytest.fixture
def web(https):
    with Web(https) as client:
        yield client


@pytest.fixture
def lone(make_server):
    """A server of a test's own; settings by section."""

    def make(https=None, **settings):
        one = make_server(settings, start=False).serve_https(**(https or {})).start()
        one.add("alice")
        return one

    return make


# ---- the form ------------------------------------------------------------------------------------
def test_sign_in(https):
    with Web(https, sign_in=False) as web:
        card = web.get("/login")
        assert card.status == 200 and card["Content-Type"] == "text/html; charset=utf-8"
        for field in ("user", "password", "next"):
            assert re.search(rf'name="{field}"', card.body.decode()), field
        answer = web.sign_in()
        assert answer.status == 303 and answer["Location"] == "/" and re.fullmatch(r"[0-9a-f]{64}", answer.token)
        attributes = answer["Set-Cookie"].split("; ")[1:]
        assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]
        assert web.state() == 200
        assert web.get("/").status == 200
        me = web.get("/api/me").json
        assert me["account"] == "alice" and me["trash"] is False and "list" in me["rights"]


def test_a_wrong_password_and_a_name_that_is_none(https):
    """Answers differ in the typed name only: nothing tells whether there is such an account."""
    answers = {}
    for name in ("alice", "mallory"):
        with Web(https, name, "wrong", sign_in=False) as web:
            answer = web.sign_in()
            assert answer.status == 401 and answer.token is None and not web.token
            assert b"not right" in answer.body and answer["WWW-Authenticate"] is None
            answers[name] = (answer.body.replace(name.encode(), b"?"), sorted(n for n, _ in answer.pairs))
    assert answers["alice"] == answers["mallory"]


def test_basic_tells_nothing_of_names_either(https):
    answers = []
    for name in ("alice", "mallory"):
        with Web(https, name, "wrong", basic=True) as web:
            answer = web.get("/api/me")
            assert answer.error == "sign_in" and answer.status == 401
            answers.append((answer.body, [(n, v) for n, v in answer.pairs if n != "date"]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("user", ["", "a" * 65, "<b>x</b>", "a\0b", "ä" * 40, '"&'])
def test_odd_names(https, user):
    with Web(https, sign_in=False) as web:
        answer = web.form("/login", {"user": user, "password": PASSWORD})
        assert answer.status in (400, 401) and answer.token is None
        assert b"<b>x" not in answer.body and b'"""' not in answer.body


@pytest.mark.parametrize("body", ["", "user=alice", "user=alice&user=bob&password=x", "user=alice&password=%zz", "user=alice&password=" + "x" * 5000])
def test_forms_that_are_none(https, body):
    with Web(https, sign_in=False) as web:
        answer = web.ask("POST", "/login", body.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 400 and b"Fill in both" in answer.body and answer.token is None


@pytest.mark.parametrize("wanted, location", [
    ("/plain/a%20b", "/plain/a%20b"), ("//evil.example/", "/"), ("https://evil.example/", "/"), ("/\\evil.example", "/"),
    ("evil", "/"), ("", "/"), ("/x\r\nSet-Cookie: a=b", "/"), ("/files/x?inline", "/files/x?inline"),
    ("/#/photos/a%20b?show=c", "/#/photos/a%20b?show=c"), ("#/x", "/"), ("//evil.example/#/", "/"), ("/#/a\r\nb: c", "/"), ("/#/<b>", "/"),
])
def test_where_signing_in_leads(https, wanted, location):
    with Web(https, sign_in=False) as web:
        answer = web.sign_in(next=wanted)
        assert answer.status == 303 and answer["Location"] == location
        assert [name for name, _ in answer.pairs].count("set-cookie") == 1


def test_without_a_session(https):
    """People are led to the form, which leads back; programs are told."""
    with Web(https, sign_in=False) as web:
        for address, back in (("/", "/"), ("/plain/a%20b/", "/plain/a%20b/")):
            answer = web.get(address)
            assert answer.status == 303 and answer.body == b""
            assert answer["Location"] == "/login?next=" + back.replace("%", "%25").replace("/", "%2F")
        answer = web.get("/files/x", Accept="text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        assert answer.status == 303 and answer["Location"] == "/login?next=%2Ffiles%2Fx"
        assert b'value="/files/x"' in web.get(answer["Location"]).body
        for address in ("/api/me", "/api/list?path=/", "/files/x"):
            answer = web.get(address)
            assert answer.status == 401 and answer.error == "sign_in"
            assert answer["WWW-Authenticate"] == 'Basic realm="sallyport", charset="UTF-8"'
        answer = web.get("/api/me", Sec_Fetch_Site="same-origin")
        assert answer.status == 401 and answer["WWW-Authenticate"] is None, "no browser is to ask by a window of its own"
    assert not [s for s in https.sessions() if s["account"] and s["protocol"] == "https" and s["agent_pid"] == 0]


@pytest.mark.parametrize("token", ["", "0", "0" * 63, "0" * 64, "g" * 64, "0" * 65])
def test_a_cookie_that_opens_nothing_is_cleared(https, token):
    with Web(https, sign_in=False) as web:
        answer = web.get("/api/me", Cookie=f"{COOKIE}={token}")
        assert answer.status == 401 and answer.error == "sign_in"
        if len(token) == 64 and token[0] == "0":
            assert answer.token == "" and "Max-Age=0" in answer["Set-Cookie"]


def test_two_cookies_of_the_name_are_no_session(https, web):
    assert web.state() == 200
    assert web.get("/api/me", Cookie=f"{COOKIE}={web.token}; {COOKIE}={'0' * 64}").status in (307, 400, 401)


# ---- how long a session lasts --------------------------------------------------------------------
def test_sign_out(lone):
    server = lone()
    with Web(server) as web, Web(server) as other:
        assert web.ask("POST", "/logout", b"", {"Content-Type": "application/x-www-form-urlencoded"}).status == 403
        assert web.form("/logout", {"csrf": other.csrf}).status == 403
        assert web.state() == 200
        answer = web.sign_out()
        assert answer.status == 303 and answer["Location"] == "/login" and answer["Connection"] == "close"
        assert answer.token == "" and "Max-Age=0" in answer["Set-Cookie"]
        wait_for("the end of the session", lambda: web.state() == 401)
        assert other.state() == 200, "another session of the account stays"
        server.restart()
        assert web.state() == 401 and other.state() == 200, "what was signed out stays so, what was not stays open"
    wait_for("its line", lambda: server.audit(event="sign-out", account="alice"))


def test_sign_out_by_a_header(https, web):
    assert web.change("POST", "/logout", b"").status == 303
    wait_for("the end of the session", lambda: web.state() == 401)


def test_signing_out_ends_other_connections_too(https, web):
    """What was bound by the cookie before is ended, not only what comes."""
    with Web(https, sign_in=False) as second:
        second.token = web.token
        assert second.state() == 200
        web.sign_out()
        wait_for("the end of the session", lambda: second.state() == 401)


def age(server, column, seconds):
    """Make all web sessions older, as if time had passed; the server does not run."""
    path, = (p for p in (server.place / "state").iterdir() if p.suffix in (".db", ".sqlite") or p.name == "accounts")
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE web_sessions SET {column} = {column} - ?", (seconds,))
    db.close()


@pytest.mark.parametrize("column, kept, gone", [("seen", 500, 700), ("ends", 3000, 4000)], ids=["idle", "absolute"])
def test_limits_of_time(lone, column, kept, gone):
    server = lone({"session_idle": 600, "session_most": 3600})
    with Web(server) as web:
        for seconds, status in ((kept, 200), (gone, 401)):
            server.stop()
            age(server, column, seconds)
            server.start()
            assert web.state() == status, column


@pytest.mark.long
@pytest.mark.long
def test_a_connection_that_is_kept_does_not_outlive_its_session(lone):
    """A minute after it was opened the cookie is shown anew, however busy it is; then it has ended."""
    server = lone({"session_idle": 60, "session_most": 90})
    with Web(server) as web:
        assert web.state() == 200
        first, began = web.connection.sock, time.monotonic()
        while time.monotonic() - began < 80:
            assert web.state() == 200, "it is in use"
            time.sleep(1)
        assert web.connection.sock is not first
        wait_for("the end of the session", lambda: web.state() == 401, 75)


def test_a_new_password_ends_web_sessions(lone):
    server = lone()
    server.add("bob")
    with Web(server) as web, Web(server, basic=True) as program, Web(server, "bob") as bob:
        assert program.state() == 200
        server.command("user", "passwd", "alice", "--password-stdin", "--weak", stdin="another\n")
        web.close()
        program.close()
        assert web.state() == 401
        assert program.state() == 401, "a password that was remembered is none any more"
        assert web.sign_in().status == 401
        assert web.sign_in(password="another").status == 303 and web.state() == 200
        assert bob.state() == 200


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_an_account_that_is_shut(lone, how):
    server = lone()
    with Web(server) as web, Web(server, basic=True) as program:
        assert web.state() == program.state() == 200
        if how == "disable":
            server.command("user", "disable", "alice")
        else:
            server.command("user", "delete", "alice", "--yes")
        for client in (web, program):
            wait_for("its end", lambda client=client: client.state() == 401)
        assert web.sign_in().status == 401


# ---- one connection, one account -----------------------------------------------------------------
def test_a_connection_is_one_account(https, web):
    if not https.home("bob").exists():
        https.add("bob")
    with Web(https, "bob") as bob, Wire(https) as wire:
        for line in (f"Cookie: {COOKIE}={web.token}",) * 2:
            assert wire.ask("GET /api/me HTTP/1.1", line).json["account"] == "alice"
        answer = wire.ask("GET /api/list?path=/%20x HTTP/1.1", f"Cookie: {COOKIE}={bob.token}")
        assert answer.status == 307 and answer["Location"] == "/api/list?path=/%20x" and answer["Connection"] == "close" and answer.body == b""
        assert wire.ends()
        assert bob.get("/api/me").json["account"] == "bob"


def test_basic_on_a_connection_of_a_cookie(https, web):
    with Wire(https) as wire:
        assert wire.ask("GET /api/me HTTP/1.1", f"Cookie: {COOKIE}={web.token}").status == 200
        for field, value in basic().items():
            assert wire.ask("GET /api/me HTTP/1.1", f"{field}: {value}").status == 421
        assert wire.ends()


def test_addresses_for_all_on_a_connection_of_an_account(https, web):
    """They name no account: the connection goes on."""
    with Wire(https) as wire:
        assert wire.ask("GET /api/me HTTP/1.1", f"Cookie: {COOKIE}={web.token}").status == 200
        assert wire.ask("GET /login HTTP/1.1").status == 200
        assert wire.ask("GET /api/me HTTP/1.1").status == 401
        assert wire.ask("GET /api/me HTTP/1.1", f"Cookie: {COOKIE}={web.token}").status == 200


def test_signing_in_on_a_connection_of_an_account(https, web, place):
    """The form goes to another connection by itself, with all that was typed."""
    if not https.home("bob").exists():
        https.add("bob")
    with Wire(https) as wire:
        body = f"user=bob&password={PASSWORD}".replace(" ", "+")
        assert wire.ask("GET /api/me HTTP/1.1", f"Cookie: {COOKIE}={web.token}").status == 200
        answer = wire.ask("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", body=body.encode())
        assert answer.status == 307 and answer["Location"] == "/login" and answer.token is None and wire.ends()
    answers = run(["curl", "-sS", "--cacert", certificate(https), "--location", "--include", "--output", "-", "--cookie", f"{COOKIE}={web.token}", web.origin + "/api/me",
                   "--next", "-sS", "--cacert", certificate(https), "--location", "--include", "--post302", "--data", body, "--max-redirs", "1", web.origin + "/login"], place, check=False).stdout
    assert answers.count("HTTP/1.1 307") == 1 and f"{COOKIE}=" in answers.split("HTTP/1.1 303")[1]


# ---- Basic ---------------------------------------------------------------------------------------
def test_basic(https):
    https.put_file("basic.txt", b"for programs")
    with Web(https, basic=True) as program:
        assert program.read("/basic.txt").body == b"for programs"
        answer = program.put("/basic-up.txt", b"no token is needed")
        assert answer.status == 201 and (https.home() / "basic-up.txt").read_bytes() == b"no token is needed"
        assert not any(name == "set-cookie" for name, _ in answer.pairs)


def test_a_right_password_is_remembered(lone):
    """For a moment, and that one only: seen by hashers that do not answer."""
    server = lone()
    server.add("bob")
    for user in ("alice", "bob"):
        with Web(server, user, basic=True) as program:
            assert program.state() == 200
    hashers = server.children("sallyport-hash")
    for hasher in hashers:
        hasher.kill(signal.SIGSTOP)
    try:
        for user in ("alice", "bob", "alice"):
            with Web(server, user, basic=True) as program:
                assert program.state() == 200, "no hasher is asked"
        waiting = []
        for user, password in (("alice", "wrong"), ("carol", PASSWORD), ("alice", PASSWORD + "x")):
            wire = Wire(server)
            wire.send(f"GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(user, password)['Authorization']}\r\n\r\n")
            waiting.append(wire)
        wait_for("their questions", lambda: [s["state"] for s in server.sessions()].count("checking") == 3)
    finally:
        for hasher in hashers:
            hasher.kill(signal.SIGCONT)
    for wire in waiting:
        with wire:
            assert wire.answer().status in (401, 503)


@pytest.mark.parametrize("value", ["Basic", "Basic !", "Basic YWxpY2U=", "Bearer x", "Basic " + "A" * 4000, "basic YWxpY2U6d3Jvbmc="])
def test_basic_that_is_none(https, value):
    with Web(https, sign_in=False) as program:
        answer = program.get("/api/me", Authorization=value)
        assert answer.status in (400, 401), answer


def test_basic_turned_off(lone):
    server = lone({"basic": "no"})
    with Web(server, basic=True) as program, Web(server) as web:
        answer = program.get("/api/me")
        assert answer.status == 401 and answer["WWW-Authenticate"] is None
        assert web.state() == 200


def test_accounts_that_need_a_key(https):
    https.add("keyed", both=True)
    with Web(https, "keyed", sign_in=False) as web:
        answer = web.sign_in()
        assert answer.status == 403 and b"needs a key" in answer.body and answer.token is None
    with Web(https, "keyed", basic=True) as program:
        assert (answer := program.get("/api/me")).status == 403 and answer.error == "key_needed"


# ---- other sites' pages --------------------------------------------------------------------------
def mkdir(web, path, **fields):
    return web.ask("POST", "/api/mkdir", b'{"path": "%s"}' % path.encode(), {"Content-Type": "application/json", **{
        name.replace("_", "-"): value for name, value in fields.items()}})


def test_the_token_of_the_page(https, web):
    with Web(https) as other:
        for number, wrong in enumerate((None, "", "0" * 64, other.csrf, web.token, web.csrf[:-1], web.csrf + "0")):
            answer = mkdir(web, f"/token{number}", **({"X_CSRF_Token": wrong} if wrong is not None else {}))
            assert answer.status == 403 and answer.error == "bad_token", wrong
            assert not (https.home() / f"token{number}").exists()
        for method, address in (("PUT", "/files/token"), ("DELETE", "/files/token")):
            assert web.ask(method, address, b"x" if method == "PUT" else None).status == 403
        assert web.form("/api/zip", {"folder": "/", "name": "x"}).status == 403
        assert mkdir(web, "/token", X_CSRF_Token=web.csrf).status == 201
        assert web.token not in web.csrf and (https.home() / "token").is_dir()


OWN, STRANGE = ({}, {"Origin": "own"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}), (
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http"}, {"Origin": "https://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site", "Origin": "own"})


def test_pages_of_other_sites(https, web):
    for number, (fields, status) in enumerate([(f, 201) for f in OWN] + [(f, 403) for f in STRANGE]):
        origin = {"own": web.origin, "http": web.origin.replace("https", "http")}
        sent = {name: origin.get(value, value) for name, value in fields.items()}
        answer = mkdir(web, f"/site{number}", X_CSRF_Token=web.csrf, **sent)
        assert answer.status == status, fields
        assert (https.home() / f"site{number}").exists() == (status == 201)
    for fields in STRANGE:
        with Web(https, sign_in=False) as stranger:
            sent = {name: {"own": web.origin, "http": "http://127.0.0.1"}.get(value, value) for name, value in fields.items()}
            assert stranger.form("/login", {"user": "alice", "password": PASSWORD}, sent).status == 403, "nor is anybody signed in"


# ---- limits --------------------------------------------------------------------------------------
def test_a_browsers_connections_are_one_session(lone):
    server = lone(limits={"sessions_per_account": 1})
    with Web(server) as web:
        others = []
        for _ in range(5):
            other = Web(server, sign_in=False)
            other.token = web.token
            assert other.state() == 200
            others.append(other)
        assert server.json("status")["sessions"] == 1
        if has_ipv6():
            with Web(server, basic=True, host="::1") as elsewhere:
                answer = elsewhere.get("/api/me")
                assert answer.status == 503 and "too many sessions" in answer.json["message"]
        web.close()
        for other in others[1:]:
            other.close()
        assert others[0].state() == 200
        others[0].close()
        wait_for("the end of the session", lambda: server.json("status")["sessions"] == 0)


def test_login_grace(lone):
    """Who does not sign in is sent away; who has done stays."""
    server = lone(limits={"login_grace": 1})
    with Web(server) as web, Wire(server) as wire:
        assert web.state() == 200
        kept = web.connection.sock
        began = time.monotonic()
        assert wire.ask("GET /login HTTP/1.1").status == 200
        assert wire.ends(8) and time.monotonic() - began > 0.5
        wait_for("more than the grace", lambda: time.monotonic() - began > 2)
        assert web.state() == 200 and web.connection.sock is kept


def test_a_slow_head(lone):
    """A byte now and then does not buy time; others are served meanwhile."""
    server = lone({"request_seconds": 2})
    with Web(server) as web, Wire(server) as silent, Wire(server) as slow:
        assert web.state() == 200
        kept, began = web.connection.sock, time.monotonic()
        slow.send("GET / HTTP/1.1\r\nX: ")

        def trickle():
            try:
                slow.send("x")
                slow.socket.settimeout(0.2)
                return slow.socket.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_for("the end of the slow one", trickle, 10)
        assert 1.5 < time.monotonic() - began < 10
        assert silent.ends()
        assert web.state() == 200 and web.connection.sock is kept


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_slow_body(lone, direction):
    """Where no byte moves for a while, the connection ends; an upload is not taken for whole."""
    server = lone({"idle": 1})
    server.command("user", "set", "alice", "--atomic")
    with open(server.put_file("large", b""), "wb") as f:
        f.truncate(64_000_000)
    with Web(server, basic=True) as web, Wire(server) as slow:
        login = "Authorization: " + basic()["Authorization"]
        if direction == "up":
            slow.send(f"PUT /files/up HTTP/1.1\r\nHost: {slow.host}\r\n{login}\r\nContent-Length: 1000\r\n\r\nbegins")
            assert slow.ends(10)
            wait_for("its agent's end", lambda: not server.agents())
            assert not (server.home() / "up").exists() and len(list(server.home().iterdir())) == 1
        else:
            slow.send(f"GET /files/large HTTP/1.1\r\nHost: {slow.host}\r\n{login}\r\n\r\n")
            assert slow.head()[0] == 200
            wait_for("its end", lambda: not [s for s in server.sessions() if s["account"]], 15)
            with pytest.raises(Exception, match="ended|EOF|reset"):
                slow.exactly(64_000_000)
        assert web.state() == 200


def test_bandwidth(lone, payload):
    server = lone(limits={"bandwidth": "1M"})
    data = payload(2 << 20).read_bytes()
    server.put_file("there", data)
    with Web(server, basic=True) as web:
        began = time.monotonic()
        assert web.read("/there").body == data
        down = time.monotonic()
        assert web.put("/up", data).status == 201
        assert down - began > 0.7 and time.monotonic() - down > 0.7, "two seconds each, less a burst of one"


def test_wrong_passwords_have_their_price(lone):
    server = lone(limits={"penalty_exempt": "", "tries": 3, "penalty_failure": 60})
    with Wire(server) as wire:
        for number in range(3):
            answer = wire.ask("GET /api/me HTTP/1.1", "Authorization: " + basic(password=f"wrong{number}")["Authorization"])
            assert answer.status == 401
        assert answer["Connection"] == "close" and wire.ends(), "the last try"
    server.wait_log("no connections for")
    with pytest.raises(OSError):
        Wire(server).ask("GET /login HTTP/1.1")


def test_a_form_filled_in_wrongly_has_its_price_too(lone):
    server = lone(limits={"penalty_exempt": "", "penalty_failure": 60})
    with Web(server, password="wrong", sign_in=False) as web:
        assert web.sign_in().status == 401
    server.wait_log("no connections for")


def test_cookies_that_have_ended_are_no_try(lone):
    """A browser shows its old cookie with each of its requests: that is no guess."""
    server = lone(limits={"penalty_exempt": "", "penalty_failure": 60, "tries": 2})
    with Wire(server) as wire:
        for _ in range(4):
            assert wire.ask("GET /login HTTP/1.1", f"Cookie: {COOKIE}={'0' * 64}").status == 200
    for _ in range(12):
        with Wire(server) as wire:
            answer = wire.ask("GET /api/me HTTP/1.1", f"Cookie: {COOKIE}={'0' * 64}")
            assert answer.status == 401 and answer["Connection"] == "close" and wire.ends()
    with Web(server, sign_in=False) as web:
        web.token = "0" * 64
        for _ in range(12):
            assert web.state() == 401
        web.sign_in()
        assert web.state() == 200
