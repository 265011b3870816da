"""What clients and the operator do while a fault is armed, and what must hold afterwards whatever failed:
nobody is let in by a wrong proof, and what was acknowledged is there."""
import base64
import contextlib
import ftplib
import hashlib
import hmac
import http.client
import io
import json
import logging
import os
import re
import shutil
import socket
import stat
import struct
import time

import paramiko
import paramiko.sftp
from paramiko.sftp import CMD_CLOSE, CMD_EXTENDED

import ftps_clients
import https_clients
from server import Trouble, wait_for

logging.getLogger("paramiko").setLevel(logging.CRITICAL)

PASSWORD = "correct horse"
FIXED = bytes(range(256)) * 300  # what `fixed` holds: never changed
TIMEOUT = 25
# paramiko 2 has this type under another name than paramiko 3.
int64 = getattr(paramiko.sftp, "int64", None) or paramiko.py3compat.long
TROUBLES = (OSError, EOFError, paramiko.SSHException, socket.timeout, ftplib.Error, http.client.HTTPException)
CHANGED, RESET = "anchor velvet tundra quince 7", "another velvet quince tundra 8"  # by erin herself; by a link
ADDRESS = "erin@example.org"
MAIL_SECONDS = 5  # for a link, which may have been lost with a fault
ACCOUNTS = ("alice", "bob", "carol", "dave", "erin")
AGENTS = {"login alice", "login bob", "login carol", "dave's list", "dave's program"}  # what each agent's session is known by


class Let(AssertionError):
    """Somebody was let in who should not be."""


@contextlib.contextmanager
def connection(port):
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as s:
        t = paramiko.Transport(s)
        t.banner_timeout = t.handshake_timeout = t.auth_timeout = TIMEOUT
        try:
            t.start_client(timeout=TIMEOUT)
            yield t
        finally:
            t.close()


def refused(login, *arguments):
    """A wrong proof: only a refusal, or the end of the connection, is right."""
    try:
        login(*arguments)
    except paramiko.AuthenticationException:
        return
    raise Let(f"{login.__name__}{arguments[:1]} was let in")


def close(sftp, f):
    """paramiko's own close swallows the answer, which is what acknowledges an upload."""
    f.flush()
    f._closed = True
    sftp._request(CMD_CLOSE, f.handle)


def upload(sftp, name, data, mode="wb"):
    f = sftp.open(name, mode)
    for at in range(0, len(data), 32768):
        f.write(data[at:at + 32768])
    close(sftp, f)


def extended(sftp, name, *parts):
    sftp._request(CMD_EXTENDED, name, *parts)


class Run:
    """One pass over everything. Steps that fail are kept in self.failed; what they acknowledged is in
    self.done; self.judge() looks whether it is so."""

    def __init__(self, server, keys, number):
        self.server, self.keys, self.number = server, keys, number
        self.data = os.urandom(70000)
        self.small = f"small {number}\n".encode() * 50
        self.done = {}
        self.failed = []
        self.log_from = len(server.log())
        self.audit_from = audit_end(server)

    def step(self, what, do, *arguments):
        """True when it was acknowledged."""
        try:
            self.done[what] = do(*arguments)
            return True
        except TROUBLES as trouble:
            self.failed.append(f"{what}: {trouble!r}")
            return False

    def all(self):
        self.step("alice's connection", self.by_password)
        self.step("bob's connection", self.by_key)
        self.step("carol's connection", self.by_ftps)
        self.step("dave's connections", self.by_https)
        self.step("erin's affairs", self.by_herself)
        self.step("change", self.change)

    def change(self):
        done = self.server.command("user", "set", "alice", "--email", f"n{self.number}@example.org", check=False)
        self.warned = "not in the audit log" in done.stderr
        if done.returncode != 0:
            raise OSError(done.stderr)

    # -- alice: by password; her uploads appear when whole, and are put on the disk

    def by_password(self):
        with connection(self.server.port) as t:
            refused(t.auth_password, "nobody", PASSWORD)
            refused(t.auth_password, "alice", "wrong")
            t.auth_password("alice", PASSWORD)
            self.done["login alice"] = True
            with t.open_sftp_client() as sftp:
                sftp.get_channel().settimeout(TIMEOUT)
                self.transfers(sftp)

    def transfers(self, sftp):
        put = self.step("put", upload, sftp, "new", self.data)
        self.step("replace", upload, sftp, "kept", self.small)
        self.step("get", self.get, sftp)
        self.step("list", self.list, sftp)
        if put:
            self.step("rename", sftp.rename, "new", "moved")
        moved = "moved" if "rename" in self.done else "new"
        self.step("chmod", sftp.chmod, moved, 0o640)
        self.step("times", sftp.utime, moved, (1000, 2000))
        self.step("mkdir", sftp.mkdir, "folder")
        self.step("symlink", sftp.symlink, "fixed", "link")
        self.step("readlink", sftp.readlink, "link")
        self.step("real path", sftp.normalize, "link")
        self.step("copy", self.copy, sftp)
        self.step("hard link", extended, sftp, "hardlink@openssh.com", "fixed", "hard")
        self.step("space", extended, sftp, "statvfs@openssh.com", "/")
        self.step("broken off", self.break_off, sftp)

    def get(self, sftp):
        with sftp.open("fixed", "rb") as f:
            got = f.read()
        if got != FIXED:
            raise AssertionError(f"`fixed` was read as {len(got)} other bytes, without an error")

    def list(self, sftp):
        names = {a.filename for a in sftp.listdir_attr(".")}
        if not {"fixed", "kept"} <= names or any(n.startswith(".sallyport") for n in names):
            raise AssertionError(f"a listing without an error has {names}")

    def copy(self, sftp):
        with sftp.open("fixed", "rb") as one:
            two = sftp.open("copy", "wb")
            extended(sftp, "copy-data", one.handle, int64(0), int64(0), two.handle, int64(0))
            close(sftp, two)

    def break_off(self, sftp):
        """An upload that never ends: nothing of it may be seen, nor stay."""
        f = sftp.open("unfinished", "wb")
        f.write(self.small)
        f.flush()
        f._closed = True

    # -- bob: by key; his files are written in place, and what he removes goes to his trash

    def by_key(self):
        with connection(self.server.port) as t:
            refused(t.auth_publickey, "bob", self.keys["wrong"])
            t.auth_publickey("bob", self.keys["bob"])
            self.done["login bob"] = True
            with t.open_sftp_client() as sftp:
                sftp.get_channel().settimeout(TIMEOUT)
                self.step("bob's put", upload, sftp, "new", self.data)
                self.step("bob's replace", upload, sftp, "kept", self.small)
                self.step("bob's resume", upload, sftp, "kept", b"more", "ab")
                self.step("bob's cut", sftp.truncate, "cut", 3)
                self.step("bob's fsync", self.sync, sftp)
                self.step("bob's mkdir", sftp.mkdir, "folder")
                self.step("bob's rmdir", sftp.rmdir, "folder")
                self.step("bob's remove", sftp.remove, "fixed")

    def sync(self, sftp):
        f = sftp.open("cut", "r+b")
        extended(sftp, "fsync@openssh.com", f.handle)
        close(sftp, f)

    # -- carol: over FTPS, with passive data connections, and an active one

    def by_ftps(self):
        with contextlib.closing(ftps_clients.session(self.server, login=False, timeout=TIMEOUT)) as ftp:
            ftp.auth()
            try:
                ftp.login("carol", "wrong")
                raise Let("carol was let in with a wrong password")
            except ftplib.error_perm:
                pass
            ftp.login("carol", PASSWORD)
            self.done["login carol"] = True
            ftp.prot_p()
            self.step("carol's put", ftp.storbinary, "STOR new", io.BytesIO(self.data))
            self.step("carol's get", self.get_by_ftps, ftp)
            self.step("carol's list", self.list_by_ftps, ftp)
            ftp.set_pasv(False)
            self.step("carol's active put", ftp.storbinary, "STOR active", io.BytesIO(self.small))

    def get_by_ftps(self, ftp):
        got = []
        ftp.retrbinary("RETR fixed", got.append)
        if b"".join(got) != FIXED:
            raise AssertionError(f"`fixed` was read as {sum(map(len, got))} other bytes over FTPS, without an error")

    def list_by_ftps(self, ftp):
        names = {name for name, _ in ftp.mlsd()}
        if not {"fixed", "kept"} <= names:
            raise AssertionError(f"a listing over FTPS without an error has {names}")

    # -- dave: over HTTPS, by a web session, and with his password in each request

    def by_https(self):
        with contextlib.closing(https_clients.Web(self.server, "dave", sign_in=False)) as web:
            if web.sign_in(password="wrong").token:
                raise Let("dave was signed in with a wrong password")
            if not web.sign_in().token:
                raise OSError("dave cannot sign in")
            self.done["login dave"] = True
            self.step("dave's list", self.list_by_https, web)
            self.step("dave's put", told, web.put, "/new", self.data)
            self.step("dave's get", self.get_by_https, web)
            self.step("dave's program", self.by_program)
            if self.step("dave's sign out", told, web.sign_out) and web.state() == 200:
                self.done["dave's token lives"] = True

    def by_program(self):
        with contextlib.closing(https_clients.Web(self.server, "dave", basic=True)) as web:
            self.get_by_https(web)

    def get_by_https(self, web):
        got = told(web.read, "/fixed").body
        if got != FIXED:
            raise AssertionError(f"`fixed` was read as {len(got)} other bytes over HTTPS, without an error")

    def list_by_https(self, web):
        answer = told(web.list, "/").json
        if "error" in answer:
            raise OSError(f"the listing says: {answer['error']}")
        names = {entry["name"] for entry in answer["entries"]}
        if not {"fixed", "kept"} <= names:
            raise AssertionError(f"a listing over HTTPS without an error has {names}")

    # -- erin: codes, a key, another password, and one by a mailed link; over HTTPS, nothing but her own account

    def ask(self, what, **request):
        """On a connection of its own, which is nobody's."""
        with contextlib.closing(https_clients.Web(self.server, "erin", sign_in=False)) as web:
            return post(web, what, **request)

    def enter(self, web, password, code):
        """Signed in with both steps?"""
        pairs = {"user": "erin", "password": password, "code": code, "next": "/"}
        answer = web.form("/login", pairs, {"Origin": web.origin, "Sec-Fetch-Site": "same-origin", "Cookie": None})
        if answer.token:
            web.token, web._csrf = answer.token, None
        return bool(answer.token)

    def by_herself(self):
        self.step("erin's link", self.link, PASSWORD)
        password = RESET if "erin's link" in self.done else self.whose((PASSWORD, RESET))
        with contextlib.closing(https_clients.Web(self.server, "erin", password=password, sign_in=False)) as web:
            if not web.sign_in().token:
                raise OSError("erin cannot sign in")
            web._csrf = told(web.get, "/api/account").json["csrf"]  # what /api/me says takes an agent
            secret = self.ask("codes/begin", user="erin", current=password)["secret"]
            recovery = post(web, "codes/confirm", code=code_of(secret))["recovery"]
            self.done["erin's codes"] = True
            self.step("erin's account", self.own, web)
            self.step("erin's key", self.key, web)
            self.step("erin's steps", self.two_steps, password, recovery[0])
            self.step("erin's password", self.ask_change, password, recovery[1])

    def link(self, password):
        """Used once, by whoever has it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.server.mail)
        self.ask("lost", name="erin")
        try:
            wait_for("a link", lambda: os.path.exists(self.server.mail), MAIL_SECONDS)
        except Trouble:
            raise OSError("no link was mailed") from None
        token = read_link(self.server.mail)
        self.ask("link", token=token)
        self.ask("link", token=token, password=RESET)
        with contextlib.closing(https_clients.Web(self.server, "erin", sign_in=False)) as web:
            if web.api("link", token=token, password=CHANGED).status < 400:
                raise Let("a link was used twice")

    def own(self, web):
        account = told(web.get, "/api/account").json
        if account["account"] != "erin" or account["codes"] != "on" or not account["web"]:
            raise AssertionError(f"erin's account is shown as {account}")

    def key(self, web):
        key = self.keys["erin"]
        result = post(web, "keys", text=f"{key.get_name()} {key.get_base64()} erin")["results"][0]
        if result["error"]:
            raise OSError(result["error"])
        told(web.change, "DELETE", f"/api/keys/{result['number']}")

    def two_steps(self, password, code):
        with contextlib.closing(https_clients.Web(self.server, "erin", sign_in=False)) as web:
            if self.enter(web, password, "000000") or self.enter(web, password, ""):
                raise Let("erin was let in without a code")
            if self.enter(web, "wrong", code):
                raise Let("erin was let in with a wrong password and a code")
            if not self.enter(web, password, code):
                raise OSError("erin's code is refused")
        with contextlib.closing(https_clients.Web(self.server, "erin", sign_in=False)) as web:
            if self.enter(web, password, code):
                raise Let("erin's code was good twice")

    def ask_change(self, password, code):
        self.ask("password", user="erin", current=password, code=code, new=CHANGED)

    def whose(self, passwords):
        """Which of these is erin's? One must be: a change that was not acknowledged was made, or not."""
        for password in passwords:
            with contextlib.closing(https_clients.Web(self.server, "erin", password=password, sign_in=False)) as web:
                answer = web.sign_in()
            if answer.token or answer.status == 403:  # signed in, or asked for a code
                return password
        raise OSError("none of erin's passwords is right")

    # -- afterwards

    def home(self, name):
        return self.server.homes / name

    def judge(self):
        """What is wrong, as sentences."""
        wrong = []
        alice, bob, carol, dave, _ = map(self.home, ACCOUNTS)
        if "lines of the audit log are being lost" in self.server.log()[self.log_from:]:
            wait_for("the line about lost lines", lambda: any(line["event"] == "audit-lost" for line in self.audit()))
        audit = self.audit()

        def need(what, true, text):
            if what in self.done and not true():
                wrong.append(f"{what} was acknowledged, and {text}")

        moved = alice / ("moved" if "rename" in self.done else "new")
        if "put" in self.done:
            there = [p for p in (alice / "new", alice / "moved") if p.exists()]
            if [p.read_bytes() for p in there] != [self.data]:
                wrong.append(f"the upload was acknowledged, and {there} holds something else")
        need("rename", lambda: not (alice / "new").exists(), "the old name is there")
        need("replace", lambda: content(alice / "kept") == self.small, "the file holds something else")
        if content(alice / "kept") not in (self.small, b"kept"):
            wrong.append("a file that is replaced when whole holds neither the old nor the new")
        need("chmod", lambda: stat.S_IMODE(moved.stat().st_mode) == 0o640, "the mode is another")
        need("times", lambda: moved.stat().st_mtime == 2000, "the time is another")
        need("mkdir", (alice / "folder").is_dir, "there is no folder")
        need("symlink", lambda: os.readlink(alice / "link") == "fixed", "the link is another")
        need("hard link", lambda: content(alice / "hard") == FIXED, "the file is another")
        need("copy", lambda: content(alice / "copy") == FIXED, "the copy is another")
        if (alice / "unfinished").exists():
            wrong.append("an upload that broke off appeared")
        need("bob's put", lambda: content(bob / "new") == self.data, "the file holds something else")
        if "bob's replace" in self.done and "bob's resume" in self.done and content(bob / "kept") != self.small + b"more":
            wrong.append("bob's replacing and resuming were acknowledged, and the file holds something else")
        need("bob's cut", lambda: content(bob / "cut") == b"cut", "the file has another size")
        if "bob's mkdir" in self.done and "bob's rmdir" in self.done and (bob / "folder").exists():
            wrong.append("bob's rmdir was acknowledged, and the folder is there")
        need("bob's remove", lambda: not (bob / "fixed").exists(), "the file is there")
        if FIXED not in [content(bob / "fixed")] + [content(p) for p in (bob / ".trash").glob("* fixed")]:
            wrong.append("bob's file is neither in its place nor in the trash")
        need("carol's put", lambda: content(carol / "new") == self.data, "the file holds something else")
        need("carol's active put", lambda: content(carol / "active") == self.small, "the file holds something else")
        need("dave's put", lambda: content(dave / "new") == self.data, "the file holds something else")
        if "dave's token lives" in self.done and "lines of the audit log are being lost" not in self.server.log()[self.log_from:]:
            wrong.append("dave's signing out was acknowledged, and his token is good")
        need("erin's password", lambda: self.whose((CHANGED,)), "the old one is good")
        if content(alice / "fixed") != FIXED:
            wrong.append("a file was changed that nobody changed")
        if "change" in self.done:
            email = self.server.json("user", "show", "alice")["email"]
            if email != f"n{self.number}@example.org":
                wrong.append(f"the account's change was acknowledged, and the store has {email}")
        return wrong + self.judge_audit(audit)

    def audit(self):
        with open(self.server.place / "state/audit.log", "rb") as f:
            f.seek(self.audit_from)
            return [json.loads(line) for line in f.read().splitlines()]

    def judge_audit(self, audit):
        """Every login, transfer and change that was acknowledged has its line, or a line says that lines
        are missing."""
        blamed = [f"the audit log has a security event: {line['text']}" for line in audit if line["event"] == "security" and "does not read its answers" not in line["text"]]
        if blamed or any(line["event"] in ("reports-missing", "audit-lost") for line in audit):
            return blamed
        expected = [
            ("login alice", dict(event="login", account="alice")), ("login bob", dict(event="login", account="bob")),
            ("login carol", dict(event="login", account="carol", protocol="ftps")),
            ("login dave", dict(event="login", account="dave", protocol="https")),
            ("dave's put", dict(event="upload", account="dave", path="/new", result="ok")),
            ("carol's put", dict(event="upload", account="carol", path="/new", result="ok")),
            ("put", dict(event="upload", account="alice", path="/new", result="ok")),
            ("replace", dict(event="modify", account="alice", path="/kept", result="ok")),
            ("rename", dict(event="rename", path="/new", to="/moved", result="ok")),
            ("mkdir", dict(event="mkdir", account="alice", path="/folder", result="ok")),
            ("erin's link", dict(event="account-change", text="erin: password changed, by a mailed link")),
            ("erin's codes", dict(event="account-change", text="erin: codes for two-step login turned on")),
            ("erin's password", dict(event="account-change", text="erin: password changed")),
            ("bob's put", dict(event="upload", account="bob", path="/new", result="ok")),
            ("bob's remove", dict(event="remove", account="bob", path="/fixed", result="ok")),
        ]
        if not getattr(self, "warned", False):
            expected.append(("change", dict(event="account-change", account="alice")))
        return [
            f"{what} was acknowledged, and the audit log has no line of it"
            for what, fields in expected
            if what in self.done and not any(all(line.get(k) == v for k, v in fields.items()) for line in audit)
        ]


def told(ask, *arguments):
    """An answer over HTTPS that says that it was done."""
    answer = ask(*arguments)
    if answer.status >= 400:
        raise OSError(f"{ask.__name__}: {answer}")
    return answer


def code_of(secret):
    """What an authenticator shows now (RFC 6238)."""
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6:06}"


def read_link(path):
    """The token of the link in a message."""
    with open(path, encoding="utf-8") as f:
        return re.search(r"/link#([A-Za-z0-9_-]{43})", f.read())[1]


def post(web, what, **request):
    """A question in JSON; the answer, where there is one."""
    answer = told(web.change, "POST", f"/api/{what}", json.dumps(request).encode(), {"Content-Type": "application/json"})
    return answer.json if answer.status == 200 else None


def content(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def audit_end(server):
    """Where the audit log's whole lines end: half a one, of a store that was killed, is cut off at the next start."""
    return (server.place / "state/audit.log").read_bytes().rfind(b"\n") + 1


def next_session(server, keys):
    """A session after a fault, without one: it works in full."""
    with connection(server.port) as t:
        refused(t.auth_password, "alice", "wrong")
        t.auth_password("alice", PASSWORD)
        with t.open_sftp_client() as sftp:
            for folder in (".", "folder"):  # a listing removes what uploads of dead agents left
                with contextlib.suppress(FileNotFoundError):
                    sftp.listdir(folder)
            upload(sftp, "after", b"after")
            with sftp.open("fixed", "rb") as f:
                assert f.read() == FIXED
    with contextlib.closing(https_clients.Web(server, "dave", basic=True)) as web:
        told(web.list, "/")


def reset(server):
    """The accounts as at first; their files are made behind the server's back."""
    server.command("user", "codes", "erin", "--remove", check=False)  # refused where there are none
    server.command("user", "passwd", "erin", "--password-stdin", "--weak", stdin=PASSWORD + "\n")
    for name in ACCOUNTS:
        home = server.homes / name
        for entry in os.scandir(home):
            if entry.name == ".trash":
                shutil.rmtree(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                os.rmdir(entry.path)
            elif entry.name not in ("fixed", "kept", "cut"):
                os.unlink(entry.path)
        for file, data in (("fixed", FIXED), ("kept", b"kept"), ("cut", b"cut too long")):
            path = home / file
            if content(path) != data:
                server.put_file(file, data, name)
