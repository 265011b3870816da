"""Clients of the https-worker: the connection by hand, which takes every answer apart strictly; a
small client over http.client; curl and rclone. Each trusts the server's certificate and no other.

Whatever came, its head is judged: the fields that every answer has must be there (see judge)."""
import base64
import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import urllib.parse

from server import PATIENCE, Trouble

PASSWORD = "correct horse"
COOKIE = "__Host-session"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERSIONS = {None: (None, None), "1.2": (ssl.TLSVersion.TLSv1_2,) * 2, "1.3": (ssl.TLSVersion.TLSv1_3,) * 2}
EVERYWHERE = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
}


def certificate(server):
    return str(server.place / "keys" / "tls.crt")


def context_of(server, tls=None, alpn=None):
    context = ssl.create_default_context(cafile=certificate(server))
    least, most = VERSIONS[tls]
    if least:
        context.minimum_version, context.maximum_version = least, most
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def basic(user="alice", password=PASSWORD):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def quoted(path):
    """A path, as text or bytes, in an address."""
    return urllib.parse.quote(path, safe="/")


class Answer:
    """What came: status, fields (by lower-case name), content; `early`: answers 1xx before it."""

    def __init__(self, status, fields, body, early=()):
        self.status, self.pairs, self.body, self.early = status, [(n.lower(), v) for n, v in fields], body, list(early)

    def __getitem__(self, name):
        """The field's value; None where there is none. No field may come twice but Set-Cookie."""
        found = [value for key, value in self.pairs if key == name.lower()]
        assert len(found) < 2 or name.lower() == "set-cookie", (name, found)
        return found[0] if found else None

    @property
    def json(self):
        assert self["Content-Type"] == "application/json", self
        return json.loads(self.body)

    @property
    def error(self):
        """The error's code; its sentence is one."""
        told = self.json
        assert set(told) == {"error", "message"} and re.fullmatch(r"[A-Z].*[].:/?=\"]", told["message"]), told
        return told["error"]

    @property
    def token(self):
        """The session's token that it sets, "" where it clears it, None where it says nothing."""
        found = re.match(rf"{COOKIE}=([^;]*);", self["Set-Cookie"] or "")
        return found.group(1) if found else None

    def __repr__(self):
        return f"<{self.status} {self.pairs} {self.body[:300]!r}>"


def judge(answer):
    """What every answer over TLS says, of whatever kind."""
    for name, value in EVERYWHERE.items():
        assert answer[name] == value, (name, answer)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors" in policy and "unsafe-eval" not in policy, policy
    assert "script-src 'self'" in policy or policy.startswith("sandbox"), policy
    assert answer["Cache-Control"] in ("no-store", "public, max-age=31536000, immutable"), answer
    assert answer["Date"] and not answer["Server"], answer
    return answer


class Wire:
    """A connection by hand. tls: "1.2" or "1.3"; secure=False: in the clear, to the port that redirects."""

    def __init__(self, server, secure=True, host="127.0.0.1", tls=None, alpn=("http/1.1",), session=None, context=None):
        self.server, self.secure = server, secure
        self.host = f"{'[' + host + ']' if ':' in host else host}:{server.https_port if secure else server.redirect_port}"
        self.socket = socket.create_connection((host, server.https_port if secure else server.redirect_port), 20 * PATIENCE)
        if secure:
            self.context = context or context_of(server, tls, alpn)
            self.socket = self.context.wrap_socket(self.socket, server_hostname=host, session=session)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        line = self.stream.readline(65536)
        if not line.endswith(b"\n"):
            raise Trouble(f"the connection ended within a line: {line!r}")
        assert line.endswith(b"\r\n") and b"\r" not in line[:-2], line
        return line[:-2].decode("ascii")

    def exactly(self, size):
        data = self.stream.read(size)
        if len(data) != size:
            raise Trouble(f"the connection ended after {len(data)} of {size} bytes")
        return data

    def head(self):
        status = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z ]+", self.line())
        assert status
        fields = []
        while line := self.line():
            name, value = re.fullmatch(r"([A-Za-z0-9-]+): (\S(?:.*\S)?)", line).groups()
            fields.append((name, value))
        return int(status.group(1)), fields

    def chunks(self):
        data = b""
        while size := int(re.fullmatch(r"[0-9a-f]+", self.line()).group(), 16):
            data += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        assert self.line() == "", "no trailer fields are announced"
        return data

    def answer(self, head_only=False):
        """The next answer, its framing as RFC 9112 has it."""
        early, (status, fields) = [], self.head()
        while status < 200:
            assert status == 100 and not fields
            early.append(status)
            status, fields = self.head()
        answer = Answer(status, fields, b"", early)
        length, coding = answer["Content-Length"], answer["Transfer-Encoding"]
        assert length is None or coding is None, answer
        if status in (204, 304):
            assert length is None and coding is None, answer
        elif coding is not None:
            assert coding == "chunked"
            answer.body = b"" if head_only else self.chunks()
        elif length is not None:
            answer.body = b"" if head_only else self.exactly(int(length))
        elif not head_only:
            assert answer["Connection"] == "close", answer
            answer.body = self.stream.read()
        return judge(answer) if self.secure else answer

    def ask(self, line, *fields, body=b"", host=None):
        """One request, its Host field added, and the answer."""
        head = "\r\n".join([line, f"Host: {host or self.host}", *fields, "", ""])
        self.send(head.encode("latin-1") + body)
        return self.answer(head_only=line.startswith("HEAD "))

    def ends(self, seconds=10):
        """Does the connection end, without another byte?"""
        self.socket.settimeout(seconds * PATIENCE)
        try:
            return self.stream.read(1) == b""
        except (ConnectionResetError, ssl.SSLError):
            return True
        except TimeoutError:
            return False

    def alive(self):
        """Is another request answered?"""
        return self.ask("OPTIONS * HTTP/1.1").status == 204


class Web:
    """A browser's or a program's part: one connection that is kept, opened anew when an answer ended it.
    With `basic`, name and password come with each request; else sign_in gets a cookie."""

    def __init__(self, server, user="alice", password=PASSWORD, basic=False, sign_in=True, host="127.0.0.1"):
        self.server, self.user, self.password, self.basic = server, user, password, basic
        self.connection = http.client.HTTPSConnection(host, server.https_port, timeout=60 * PATIENCE, context=context_of(server))
        self.origin = f"https://{'[' + host + ']' if ':' in host else host}:{server.https_port}"
        self.token = self._csrf = None
        if sign_in and not basic:
            answer = self.sign_in()
            assert answer.status == 303 and self.token, answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def fields(self, fields):
        own = basic(self.user, self.password) if self.basic else {}
        if self.token:
            own["Cookie"] = f"other=1; {COOKIE}={self.token}"
        own.update(fields or {})
        return {name: value for name, value in own.items() if value is not None}

    def ask(self, method, address, body=None, fields=None, **more):
        kept = self.connection.sock is not None
        try:
            self.connection.request(method, address, body, self.fields(fields), **more)
            response = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self.connection.close()
            if not kept or method != "GET":
                raise
            self.connection.request(method, address, body, self.fields(fields), **more)  # as browsers do
            response = self.connection.getresponse()
        return judge(Answer(response.status, response.getheaders(), response.read()))

    def get(self, address, **fields):
        return self.ask("GET", address, fields={name.replace("_", "-"): value for name, value in fields.items()})

    def change(self, method, address, body=None, fields=None, **more):
        """With the page's token, as every change needs."""
        token = {"X-CSRF-Token": self.csrf} if self.token else {}
        return self.ask(method, address, body, {**token, **(fields or {})}, **more)

    def api(self, name, **request):
        return self.change("POST", f"/api/{name}", json.dumps(request).encode(), {"Content-Type": "application/json"})

    def form(self, address, pairs, fields=None):
        return self.ask("POST", address, urllib.parse.urlencode(pairs).encode(), {**FORM, **(fields or {})})

    def put(self, path, data, **more):
        return self.change("PUT", "/files" + quoted(path), data, **more)

    def read(self, path, **fields):
        return self.get("/files" + quoted(path), **fields)

    def list(self, path, command="list", **query):
        return self.get(f"/api/{command}?" + urllib.parse.urlencode({"path": path, **query}))

    def names(self, path="/"):
        return {entry["name"] for entry in self.list(path).json["entries"]}

    # -- signing in and out

    def sign_in(self, user=None, password=None, next="/"):
        pairs = {"user": user or self.user, "password": password or self.password, "next": next}
        answer = self.form("/login", pairs, {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "Cookie": None})
        assert answer["Connection"] == "close", "whoever comes next may be another"
        if answer.token:
            self.token, self._csrf = answer.token, None
        return answer

    @property
    def csrf(self):
        if self._csrf is None:
            self._csrf = self.get("/api/me").json["csrf"]
        return self._csrf

    def sign_out(self):
        """The cookie is kept here: what does it still open?"""
        return self.form("/logout", {"csrf": self.csrf}, {"Origin": self.origin})

    def state(self):
        """What the session still opens: 200 or 401."""
        return self.get("/api/me").status


class Curl:
    program = "curl"

    def __init__(self, server, place, user="alice", password=PASSWORD, host="127.0.0.1"):
        self.server, self.place, self.login = server, place, f"{user}:{password}"
        self.origin = f"https://{'[' + host + ']' if ':' in host else host}:{server.https_port}"

    def run(self, *options, path, check=True):
        command = ["curl", "-sS", "--cacert", certificate(self.server), "--user", self.login, *options, self.origin + path]
        return run(command, self.place, check)


class Rclone:
    """Its http backend reads HTML listings of other servers' kind: files are named to it."""

    program = "rclone"

    def __init__(self, server, place, user="alice", password=PASSWORD):
        login = f"{user}:{urllib.parse.quote(password)}"
        self.place = place
        self.env = {"SSL_CERT_FILE": certificate(server), "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_R_TYPE": "http",
                    "RCLONE_CONFIG_R_URL": f"https://{login}@127.0.0.1:{server.https_port}/files/"}

    def run(self, *arguments):
        return run(["rclone", *arguments, "--retries", "1"], self.place, env=self.env)


def run(command, place, check=True, env=None):
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=110 * PATIENCE, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(place), "LC_ALL": "C.UTF-8", **(env or {})})
    if check and done.returncode != 0:
        raise Trouble(f"{command}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def available(program):
    return shutil.which(program) is not None
