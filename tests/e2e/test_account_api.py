"""What people do with their own accounts over HTTPS: links, passwords, addresses, keys, codes, sessions."""
import concurrent.futures
import contextlib
import json
import re
import subprocess
import time
import urllib.parse

import pytest

from authenticator import JSON, Authenticator, begin, confirm, totp
from https_clients import PASSWORD, Web
from server import wait_for

FRESH = "otter lantern gravel quince"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def server(make_server, mailbox):
    one = make_server({"accounts": {"links_an_hour": 50}, **mailbox.settings(gather=0)}, start=False).serve_https().start()
    one.mailbox = mailbox
    one.add("alice")
    one.add("bob")
    return one


def ask(server, address, fields=None, **body):
    """As the page asks for what needs the password: without a session. A connection each."""
    with Web(server, sign_in=False) as web:
        return web.ask("POST", address, json.dumps(body).encode(), {**JSON, **(fields or {})})


def told(answer, status, code, field=None):
    """The error that it is, beside the field that it is about."""
    assert (answer.status, answer.json["error"], answer.json.get("field")) == (status, code, field), answer
    assert re.fullmatch(r'[A-Z"].*[.]', answer.json["message"]), answer
    return answer.json["message"]


def confirm_address(server, email, user="alice", password=PASSWORD):
    assert ask(server, "/api/address", user=user, current=password, email=email).status == 204
    assert ask(server, "/api/link", token=server.mailbox.wait_for(email, "address").token, confirm=True).status == 204


def lose(server, name, email):
    """The link of who has lost the password: its token."""
    before = len(server.mailbox.all(email, "lost"))
    assert ask(server, "/api/lost", name=name).status == 204
    return server.mailbox.wait_for(email, "lost", count=before + 1).token


def login(server, user="alice", password=PASSWORD, **more):
    """Sign in as the page's script does."""
    with Web(server, sign_in=False) as web:
        return web.form("/login", {"user": user, "password": password, "next": "/#/photos", **more}, {"Accept": "application/json"})


# ---- signing in by script ----

def test_sign_in_by_script(server):
    answer = login(server)
    assert answer.status == 200 and answer.json == {"next": "/#/photos"} and answer.token
    with Web(server, sign_in=False) as web:
        web.token = answer.token
        assert web.state() == 200
    told(login(server, password="wrong"), 403, "wrong_password", "password")
    assert login(server, password="wrong").body == login(server, user="nobody").body, "nothing tells whether a name exists"
    assert login(server, next="//elsewhere").json == {"next": "/"}


# ---- the account ----

def test_what_the_page_shows(server):
    with Web(server) as web:
        own = web.get("/api/account").json
        sessions = own.pop("web")
        assert own == {"account": "alice", "organisation": "sallyport", "csrf": web.csrf, "email": "", "new_email": "", "confirmed": False, "mail": True,
                       "password_changed": own["password_changed"], "codes": "off", "codes_required": False, "recovery_left": 0, "keys": [], "sessions": []}
        assert [(one["address"], one["own"]) for one in sessions] == [("127.0.0.1", True)]
        assert set(web.get("/api/sessions").json) == {"web", "sessions"}
    with Web(server, sign_in=False) as web:
        assert web.get("/api/account").error == "sign_in"


def test_other_pages_cannot_ask(server):
    with Web(server) as web:
        for method, address in (("POST", "/api/keys"), ("DELETE", "/api/keys/1"), ("DELETE", "/api/sessions/1"), ("POST", "/api/codes/confirm"), ("DELETE", "/api/codes")):
            answer = web.ask(method, address, b"{}" if address in ("/api/codes", "/api/codes/confirm", "/api/keys") else None, JSON)
            assert answer.status == 403 and answer.error == "bad_token", (method, address)
    for address in ("/api/password", "/api/address", "/api/codes/begin", "/api/link", "/api/lost"):
        for fields in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert ask(server, address, fields, user="alice", current=PASSWORD, new=FRESH, email="a@example.org", name="alice").error == "not_allowed"
        with Web(server, sign_in=False) as web:
            assert web.ask("POST", address, b'{"user": "alice"}', {"Content-Type": "text/plain"}).status == 415
            assert web.ask("POST", address, b'[]', JSON).status == 400


# ---- the password ----

def test_another_password(server):
    with Web(server) as web, Web(server) as other:
        assert web.state() == other.state() == 200
        told(ask(server, "/api/password", user="alice", current="wrong", new=FRESH), 403, "wrong_password", "current")
        told(ask(server, "/api/password", user="nobody", current="wrong", new=FRESH), 403, "wrong_password", "current")
        message = told(ask(server, "/api/password", user="alice", current=PASSWORD, new="short"), 422, "refused", "new")
        assert "12" in message
        told(ask(server, "/api/password", user="alice", current=PASSWORD, new=""), 400, "bad_request", "new")
        told(ask(server, "/api/password", user="alice", current=PASSWORD, new=7), 400, "bad_request", "new")
        assert web.state() == 200, "what was refused ends nothing"
        assert ask(server, "/api/password", user="alice", current=PASSWORD, new=FRESH).status == 204
        wait_for("the end of open connections", lambda: ended(web) and ended(other))
    with Web(server, sign_in=False) as later:
        for token in (web.token, other.token):
            later.token = token
            assert later.state() == 401
    told(login(server), 403, "wrong_password", "password")
    assert login(server, password=FRESH).status == 200
    wait_for("its line in the audit log", lambda: any("password" in json.dumps(line) for line in server.audit(event="account-change")))
    for text in (FRESH, PASSWORD):
        assert text not in server.log() and text not in json.dumps(server.audit())


def test_a_password_is_not_shown_on_a_connection_of_somebody(server):
    with Web(server) as web:
        assert web.state() == 200
        answer = web.ask("POST", "/api/password", json.dumps({"user": "alice", "current": PASSWORD, "new": FRESH}).encode(), JSON)
        assert (answer.status, answer["Location"], answer["Connection"]) == (307, "/api/password", "close")
    assert login(server).status == 200, "nothing was changed"


# ---- addresses and links ----

def test_an_address_is_confirmed_by_its_owner(server):
    told(ask(server, "/api/address", user="alice", current="wrong", email="a@example.org"), 403, "wrong_password", "current")
    told(ask(server, "/api/address", user="alice", current=PASSWORD, email="no address"), 422, "refused", "email")
    assert ask(server, "/api/address", user="alice", current=PASSWORD, email="alice@example.org").status == 204
    token = server.mailbox.wait_for("alice@example.org", "address").token
    with Web(server) as web:
        own = web.get("/api/account").json
        assert (own["email"], own["new_email"], own["confirmed"]) == ("", "alice@example.org", False)
        for _ in range(2):
            look = ask(server, "/api/link", token=token).json
            assert (look["kind"], look["account"], look["email"]) == ("address", "alice", "alice@example.org") and look["expires"] > time.time() + 80000
        assert ask(server, "/api/link", token=token, confirm=True).status == 204
        own = web.get("/api/account").json
        assert (own["email"], own["new_email"], own["confirmed"]) == ("alice@example.org", "", True)
    assert "used" in told(ask(server, "/api/link", token=token, confirm=True), 410, "used", "token")
    assert "used" in told(ask(server, "/api/link", token=token), 410, "used", "token")


def test_a_lost_password(server):
    confirm_address(server, "alice@example.org")
    with Web(server) as web:
        assert web.state() == 200
        token = lose(server, "alice", "alice@example.org")
        assert ask(server, "/api/link", token=token).json["kind"] == "lost"
        told(ask(server, "/api/link", token=token, password="password1234"), 422, "refused", "password")
        assert ask(server, "/api/link", token=token, password=FRESH).status == 204, "a weak one did not use it up"
        wait_for("the end of open connections", lambda: ended(web))
    with Web(server, sign_in=False) as later:
        later.token = web.token
        assert later.state() == 401
    assert login(server, password=FRESH).status == 200
    assert "LOST PASSWORD" in told(ask(server, "/api/link", token=token, password=FRESH), 410, "used", "token")
    assert token not in server.log() and FRESH not in server.log()


def test_who_has_lost_it_is_not_told_whether_there_is_an_account(server):
    confirm_address(server, "alice@example.org")
    server.command("user", "disable", "alice")
    answers = [ask(server, "/api/lost", name=name) for name in ("alice", "alice@example.org", "bob", "nobody", "nobody@example.org")]
    assert {(one.status, one.body, tuple(name for name, _ in one.pairs)) for one in answers} == {(204, b"", tuple(name for name, _ in answers[0].pairs))}
    told(ask(server, "/api/lost", name=""), 400, "bad_request", "name")
    told(ask(server, "/api/lost", name="x" * 255), 400, "bad_request", "name")
    server.command("user", "enable", "alice")
    assert ask(server, "/api/link", token=lose(server, "alice@example.org", "alice@example.org")).json["account"] == "alice"


def test_an_invitation(server):
    server.command("user", "add", "carol", "--invite", "carol@example.org")
    token = server.mailbox.wait_for("carol@example.org", "invite").token
    look = ask(server, "/api/link", token=token).json
    assert (look["kind"], look["account"]) == ("invite", "carol")
    assert ask(server, "/api/link", token=token, password=FRESH).status == 204
    assert login(server, user="carol", password=FRESH).status == 200
    told(ask(server, "/api/link", token=token, password=FRESH), 410, "used", "token")


def test_links_that_are_none(server):
    confirm_address(server, "alice@example.org")
    token = lose(server, "alice", "alice@example.org")
    other = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    told(ask(server, "/api/link", token=other), 404, "not_found", "token")
    for text in (token[:-1], token + "A", "", "+" * 43, token[:-1] + "!"):
        told(ask(server, "/api/link", token=text), 404, "not_found", "token")
    assert ask(server, "/api/link").status == 404
    newer = lose(server, "alice", "alice@example.org")
    told(ask(server, "/api/link", token=token, password=FRESH), 410, "replaced", "token")
    assert ask(server, "/api/link", token=newer).status == 200


def test_a_link_expires(make_server, mailbox):
    server = make_server({"accounts": {"link_seconds": 5}, **mailbox.settings()}, start=False).serve_https().start()
    server.mailbox = mailbox
    server.add("alice")
    assert ask(server, "/api/address", user="alice", current=PASSWORD, email="alice@example.org").status == 204
    token = server.mailbox.wait_for("alice@example.org", "address").token
    wait_for("the link's end", lambda: ask(server, "/api/link", token=token).status == 410)
    assert "expired" in told(ask(server, "/api/link", token=token, confirm=True), 410, "expired", "token")


def test_a_server_without_mail(make_server):
    server = make_server(start=False).serve_https().start()
    server.add("alice")
    told(ask(server, "/api/lost", name="alice"), 403, "no_mail")
    told(ask(server, "/api/address", user="alice", current=PASSWORD, email="alice@example.org"), 403, "no_mail", "email")
    with Web(server) as web:
        assert web.get("/api/account").json["mail"] is False
        assert b'data-mail="no"' in web.get("/login").body and b'data-mail="no"' in web.get("/link").body


def test_one_link_used_by_many_at_once(server):
    confirm_address(server, "alice@example.org")
    token = lose(server, "alice", "alice@example.org")
    passwords = [f"{FRESH} {n}" for n in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda password: ask(server, "/api/link", token=token, password=password).status, passwords))
    assert sorted(statuses) == [204] + [410] * 5
    assert [login(server, password=password).status for password in passwords] == [200 if status == 204 else 403 for status in statuses]


# ---- keys ----

def rfc4716(line, comment):
    blob = line.split()[1]
    return "\n".join(["---- BEGIN SSH2 PUBLIC KEY ----", f'Comment: "{comment}"', *(blob[at:at + 64] for at in range(0, len(blob), 64)), "---- END SSH2 PUBLIC KEY ----", ""])


def test_keys(server, keys):
    files = [keys[name].with_suffix(".pub") for name in ("ed25519", "ecdsa256", "rsa2048")]
    lines = [file.read_text().strip() for file in files]
    text = "\n".join(["# mine", lines[0], "ssh-ed25519 AAAA nothing", "", rfc4716(lines[1], "from SSH.COM"), "hello", " ".join(lines[2].split()[:2])])
    with Web(server) as web:
        results = web.api("keys", text=text).json["results"]
        assert [(one["line"], one["error"] is None) for one in results] == [(2, True), (3, False), (5, True), (results[3]["line"], False), (results[4]["line"], True)]
        assert results[1]["error"].startswith("it is") and results[3]["error"] == "it is not a public key"
        listed = web.get("/api/account").json["keys"]
        assert [one["number"] for one in listed] == [one["number"] for one in results if one["error"] is None]
        assert [one["type"] for one in listed] == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"] and listed[1]["comment"] == "from SSH.COM"
        for one, file in zip(listed, files, strict=True):
            for kind in ("sha256", "md5"):
                told_by = subprocess.run(["ssh-keygen", "-l", "-E", kind, "-f", file], check=True, capture_output=True, text=True).stdout.split()
                assert (one["bits"], one[kind]) == (int(told_by[0]), told_by[1])
            assert abs(one["added"] - time.time()) < 300 and one["last_used"] is None
        again = web.api("keys", text=lines[0]).json["results"]
        assert len(again) == 1 and again[0]["error"]
        assert web.change("DELETE", f"/api/keys/{listed[0]['number']}").status == 204
        assert web.change("DELETE", f"/api/keys/{listed[0]['number']}").status == 404
        assert web.change("DELETE", "/api/keys/x").status == 404
        assert len(web.get("/api/account").json["keys"]) == 2
    with Web(server, user="bob") as web:
        assert web.change("DELETE", f"/api/keys/{listed[1]['number']}").status == 404, "another's key"
    with Web(server) as web:
        assert len(web.get("/api/account").json["keys"]) == 2


def test_private_keys_are_refused_whole(server, keys):
    public, private = keys["ed25519"].with_suffix(".pub").read_text(), keys["ed25519"].read_text()
    with Web(server) as web:
        for text in (private, public + private, PRIVATE, " ".join(private.split("\n")), "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n" + public):
            told(web.api("keys", text=text), 422, "private_key", "text")
        assert web.get("/api/account").json["keys"] == []
        told(web.api("keys", text="# nothing\n"), 400, "bad_request", "text")
        told(web.api("keys", text="hello\n" * 101), 400, "bad_request", "text")
    secret = private.split("\n")[2]
    assert secret not in server.log() and secret not in json.dumps(server.audit())
    assert secret.encode() not in b"".join(path.read_bytes() for path in (server.place / "state").iterdir() if path.is_file())


# ---- sessions ----

def ended(web):
    """Has the server closed this connection, which is idle?"""
    sock = web.connection.sock
    sock.settimeout(0.1)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False


@contextlib.contextmanager
def sftp(server, user):
    """An SFTP session that stays."""
    process = subprocess.Popen(
        ["sftp", "-oBatchMode=no", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oPreferredAuthentications=password", "-P", str(server.port), f"{user}@127.0.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(server.place), "SSH_ASKPASS": str(server.place / "askpass"), "SSH_ASKPASS_REQUIRE": "force", "SALLYPORT_TEST_PASSWORD": PASSWORD})
    try:
        yield
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


def test_sessions_are_seen_and_ended(server):
    with Web(server) as web, Web(server) as other, sftp(server, "alice"), sftp(server, "bob"):
        def of_sftp():
            return [one for one in web.get("/api/sessions").json["sessions"] if one["protocol"] == "sftp"]
        [one] = wait_for("the session", of_sftp)
        assert (one["address"], one["method"]) == ("127.0.0.1", "password")
        others = wait_for("the other's", lambda: [s["number"] for s in server.sessions() if s["account"] == "bob" and s["protocol"] == "sftp"])
        assert web.change("DELETE", f"/api/sessions/{others[0]}").status == 404, "another's session"
        assert web.change("DELETE", f"/api/sessions/{one['number']}").status == 204
        wait_for("its end", lambda: not of_sftp())
        assert [s["number"] for s in server.sessions() if s["number"] == others[0]]
        seen = web.get("/api/sessions").json["web"]
        assert len(seen) == 2 and [s["own"] for s in seen].count(True) == 1
        [theirs] = [s["number"] for s in seen if not s["own"]]
        assert other.state() == 200
        assert web.change("DELETE", f"/api/sessions/web/{theirs}").status == 204
        wait_for("the end of its connection", lambda: ended(other))
        assert web.change("DELETE", f"/api/sessions/web/{theirs}").status == 404
        assert web.state() == 200
        with Web(server, sign_in=False) as later:
            later.token = other.token
            assert later.state() == 401


# ---- codes ----

def test_two_steps(server):
    told(ask(server, "/api/codes/begin", user="alice", current="wrong"), 403, "wrong_password", "current")
    begun = ask(server, "/api/codes/begin", user="alice", current=PASSWORD)
    assert begun["Connection"] == "close"
    secret = begun.json["secret"]
    uri = urllib.parse.urlsplit(begun.json["uri"])
    assert (uri.scheme, uri.netloc, urllib.parse.unquote(uri.path)) == ("otpauth", "totp", "/sallyport:alice")
    assert urllib.parse.parse_qs(uri.query) == {"secret": [secret], "issuer": ["sallyport"]}
    assert re.fullmatch(r"(M\d+ \d+h\d+v1h-\d+z)+", begun.json["qr"]["path"]) and begun.json["qr"]["size"] > 20
    assert login(server).status == 200, "not in force before its first code"
    with Web(server) as web:
        wrong = f"{(int(totp(secret)) + 1) % 1000000:06}"
        told(web.change("POST", "/api/codes/confirm", json.dumps({"code": wrong}).encode(), JSON), 403, "not_allowed", "code")
        told(web.change("POST", "/api/codes/confirm", json.dumps({}).encode(), JSON), 400, "bad_request", "code")
    authenticator = Authenticator(server, "alice")
    used, recovery = authenticator.used, authenticator.recovery
    assert len(set(recovery)) >= 8
    told(login(server), 403, "code_needed", "code")
    told(login(server, code=used), 403, "wrong_code", "code")
    assert login(server, code=recovery[0]).status == 200
    told(login(server, code=recovery[0]), 403, "wrong_code", "code")
    told(login(server, password="wrong", code=recovery[1]), 403, "wrong_password", "password")
    with Web(server, sign_in=False) as web:
        page = web.form("/login", {"user": "alice", "password": PASSWORD, "next": "/"})
        assert page.status == 403 and b'data-code="yes"' in page.body and b"Enter your password once more" in page.body
        page = web.form("/login", {"user": "alice", "password": PASSWORD, "next": "/plain/", "code": "000000"})
        assert page.status == 403 and b'data-code="yes"' in page.body and b"not right" in page.body
        page = web.form("/login", {"user": "alice", "password": PASSWORD, "next": "/plain/", "code": recovery[4]})
        assert page.status == 303 and page["Location"] == "/plain/" and page.token
    with Web(server, basic=True) as web:
        assert (web.get("/api/me").status, web.get("/api/me").error) == (403, "code_needed")
    told(ask(server, "/api/password", user="alice", current=PASSWORD, new=FRESH), 403, "code_needed", "code")
    assert ask(server, "/api/password", user="alice", current=PASSWORD, code=recovery[1], new=FRESH).status == 204
    token = login(server, password=FRESH, code=recovery[2]).token
    with Web(server, sign_in=False) as web:
        web.token = token
        own = web.get("/api/account").json
        web._csrf = own["csrf"]
        assert (own["codes"], own["recovery_left"]) == ("on", len(recovery) - 4)
        told(web.change("DELETE", "/api/codes", json.dumps({"code": "000000"}).encode(), JSON), 403, "not_allowed", "code")
        assert web.change("DELETE", "/api/codes", json.dumps({"code": recovery[3]}).encode(), JSON).status == 204
        assert web.get("/api/account").json["codes"] == "off"
    assert login(server, password=FRESH).status == 200
    for text in (secret, *recovery):
        assert text not in server.log() and text not in json.dumps(server.audit())


def test_who_must_have_codes_gets_no_files_before(server):
    server.command("user", "set", "alice", "--require-codes", "yes")
    with Web(server) as web:
        for address in ("/api/me", "/api/list?path=/", "/files/x"):
            answer = web.get(address)
            assert (answer.status, answer.error) == (403, "codes_needed"), address
        own = web.get("/api/account").json
        assert own["codes_required"] is True and own["codes"] == "off"
        recovery = confirm(web, totp(begin(server, "alice")))
        assert web.get("/api/me").status == 200
        told(web.change("DELETE", "/api/codes", json.dumps({"code": recovery[0]}).encode(), JSON), 403, "not_allowed", "code")
    assert login(server, code=recovery[1]).status == 200
