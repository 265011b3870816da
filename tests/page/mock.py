#!/usr/bin/python3
"""A server that speaks the page's contract (docs/api.md) from folders on disk, for the page's tests.

    mock.py STATE PORT UI       STATE holds accounts.json, certificate.pem, key.pem, and what the mock keeps

It is no secure server and no fast one; what it answers, and the headers it sends, are the worker's. It can
be killed at any time and started again: sessions and uploads are on disk. STATE/modes.json, read at each
request, makes it slow or failing:
    {"delay": {"POST /api/": 0.5}, "fail": {"POST /api/rename": [500, "failed", "No."]}, "cut": {"PATCH /": 1000000},
     "rate": 2000000, "list_pause": 0.2, "list_break": 30}
"""
import base64
import gzip
import hashlib
import html
import http.server
import json
import mimetypes
import os
import pathlib
import re
import secrets
import shutil
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
import zipfile

PAGE_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; frame-src 'self'; "
               "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
PREVIEW_POLICY = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}
INLINE = re.compile(r"(image/(png|jpeg|gif|webp|avif|bmp|svg\+xml|x-icon)|text/plain|application/pdf|audio/.*|video/.*)")
CHUNK = 1 << 16
UNRESERVED = "-_.!~*'()"


class Refused(Exception):
    """An answer that is an error: status, code, sentence."""


def quote(raw):
    return urllib.parse.quote(raw, safe="/" + UNRESERVED)


def visible(text):
    """A name for a page without scripts."""
    return "".join("\ufffd" if ord(c) < 32 or c in "\x7f\u200e\u200f\u061c" or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" else c for c in text)


class State:
    """What is on disk, read anew where it may have changed."""

    def __init__(self, folder, ui):
        self.folder = pathlib.Path(folder)
        self.ui = pathlib.Path(ui)
        self.lock = threading.RLock()
        (self.folder / "uploads").mkdir(exist_ok=True)
        self.sessions = self.read("sessions.json", {})
        brand = self.read("brand.json", {})
        self.static = {p.name: p.read_bytes() for p in self.ui.iterdir() if p.suffix in TYPES and p.suffix != ".html"}
        if brand.get("accent"):
            self.static["brand.css"] = f":root {{ --brand: {brand['accent']}; }}\n".encode()
        self.hash = hashlib.sha256(b"".join(k.encode() + v for k, v in sorted(self.static.items()))).hexdigest()[:16]
        self.packed = {name: gzip.compress(body, 9) for name, body in self.static.items()}
        self.organisation = brand.get("organisation", "Harbour Office")

    def read(self, name, otherwise):
        try:
            return json.loads((self.folder / name).read_text())
        except (OSError, ValueError):
            return otherwise

    def modes(self):
        return self.read("modes.json", {})

    def accounts(self):
        return self.read("accounts.json", {})

    def keep_sessions(self):
        with self.lock:
            (self.folder / "sessions.json").write_text(json.dumps(self.sessions))

    def template(self, name, **values):
        """The parts of a template, their placeholders filled."""
        text = (self.ui / name).read_text()
        parts = re.split(r"<!-- part: (\w+) -->\n", text)[1:]
        parts = dict(zip(parts[::2], parts[1::2]))
        common = {"static": f"/static/{self.hash}", "organisation": self.organisation}

        def fill(part, **more):
            known = {**common, **values, **more}
            return re.sub(r"\{\{(\w+)\}\}", lambda m: html.escape(str(known[m[1]]), quote=True), parts[part])
        return fill


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "mock"
    state = None

    # ---- the connection ----

    def setup(self):
        self.request.settimeout(60)
        self.request.do_handshake()
        super().setup()
        self.bound = None
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def log_request(self, code="-", size="-"):
        with open(self.state.folder / "requests.log", "a") as log:
            log.write(f"{self.command} {self.path} {code}\n")

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError, TimeoutError, OSError):
            self.close_connection = True

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.dispatch
        raise AttributeError(name)

    def dispatch(self):
        self.body_left = int(self.headers.get("Content-Length") or 0)
        self.begun = False
        target = urllib.parse.urlsplit(self.path)
        self.route = urllib.parse.unquote_to_bytes(target.path)
        self.query = dict(part.partition("=")[::2] for part in target.query.split("&") if part)
        self.modes = self.state.modes()
        for prefix, seconds in self.modes.get("delay", {}).items():
            if f"{self.command} {target.path}".startswith(prefix):
                time.sleep(seconds)
        try:
            for prefix, answer in self.modes.get("fail", {}).items():
                if f"{self.command} {target.path}".startswith(prefix):
                    raise Refused(*answer)
            self.check_origin()
            for methods, pattern, needs_session, handler in ROUTES:
                if self.command in methods and re.fullmatch(pattern, self.route, re.S):
                    self.account = self.session_account(needs_session)
                    handler(self)
                    break
            else:
                raise Refused(404, "not_found", "There is nothing at this address.")
        except Refused as refused:
            self.refuse(*refused.args)
        self.skip_body()

    def skip_body(self):
        """A small body that nobody read is read, so that the client hears the answer."""
        if self.body_left > 1 << 20:
            self.close_connection = True
        while self.body_left > 0 and not self.close_connection:
            self.read_some(CHUNK)

    def read_some(self, most):
        data = self.rfile.read1(min(most, self.body_left))
        if not data:
            raise ConnectionError
        self.body_left -= len(data)
        if self.modes.get("rate"):
            time.sleep(len(data) / self.modes["rate"])
        return data

    def body(self):
        data = b""
        while self.body_left:
            data += self.read_some(1 << 20)
        return data

    # ---- who ----

    def check_origin(self):
        origin = self.headers.get("Origin")
        if origin and origin != f"https://{self.headers['Host']}" and self.command not in ("GET", "HEAD", "OPTIONS"):
            raise Refused(403, "not_allowed", "This request comes from another site.")

    def session_account(self, needed):
        cookie = re.search(r"__Host-session=([0-9a-f]+)", self.headers.get("Cookie", ""))
        self.session = self.state.sessions.get(cookie[1]) if cookie else None
        accounts = self.state.accounts()
        name = self.session["account"] if self.session else None
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            name, _, password = base64.b64decode(basic[6:]).decode().partition(":")
            if accounts.get(name, {}).get("password") != password:
                name = None
        if name not in accounts:
            name = None
        if name and self.bound not in (None, name):
            self.close_connection = True
            raise Refused(307, self.path, "")        # the browser comes again, on another connection
        self.bound = name or self.bound
        if needed and name is None:
            if needed == "page":
                raise Refused(303, "/login", "")
            raise Refused(401, "sign_in", "Sign in first.")
        return {"name": name, **accounts[name]} if name else None

    def check_token(self, given):
        if self.session and not secrets.compare_digest(given or "", self.session["csrf"]):
            raise Refused(403, "bad_token", "The token is not this session's.")

    def need(self, *rights):
        for right in rights:
            if right not in self.account["rights"]:
                raise Refused(403, "not_allowed", "This account may not do that.")

    # ---- answers ----

    def start(self, status, kind=None, length=None, policy=PAGE_POLICY, cache="no-store", **headers):
        self.begun = True
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Security-Policy": policy, "Cache-Control": cache}.items():
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer(self, status, body=b"", kind="text/html; charset=utf-8", **headers):
        body = body.encode() if isinstance(body, str) else body
        if status == 204:
            self.start(status, None, None, **headers)
            return
        self.start(status, kind, len(body), **headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, status, value, **headers):
        self.answer(status, json.dumps(value, ensure_ascii=False) + "\n", "application/json", **headers)

    def refuse(self, status, code, message):
        if status in (303, 307):
            self.answer(status, b"", Location=code, **({"Connection": "close"} if status == 307 else {}))
        elif not self.begun:
            self.json(status, {"error": code, "message": message})

    def chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    # ---- files ----

    def disk(self, path, must=True):
        """An address' bytes as a path on disk; None where it leads out."""
        parts = [part for part in path.split(b"/") if part]
        if any(part in (b".", b"..") or b"\0" in part for part in parts):
            raise Refused(404, "not_found", "There is no such file.")
        found = os.path.join(os.fsencode(self.account["root"]), *parts)
        if must and not os.path.lexists(found):
            raise Refused(404, "not_found", "There is no such file.")
        return found

    def api_path(self, value):
        if isinstance(value, dict):
            return base64.b64decode(value["raw"])
        if not isinstance(value, str) or not value.startswith("/"):
            raise Refused(400, "bad_request", "A path is missing.")
        return value.encode()

    def query_path(self):
        return urllib.parse.unquote_to_bytes(self.query.get("path", "/"))

    def entry(self, path, name):
        link = os.path.islink(path)
        try:
            found = os.stat(path)
        except OSError:
            found = os.lstat(path)
        kind = "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "link" if link else "other"
        entry = {"name": name.decode("utf-8", "replace"), "type": kind, "size": found.st_size if kind == "file" else 0, "mtime": round(found.st_mtime, 3)}
        try:
            name.decode("utf-8")
        except UnicodeDecodeError:
            entry["raw"] = base64.b64encode(name).decode()
        if link:
            entry["link"] = True
        return entry

    def stream_entries(self, path, found):
        """found: (path on disk, name) pairs, sent as they come."""
        self.start(200, "application/json", Transfer_Encoding="chunked")
        self.chunk(b'{"path": %s, "entries": [\n' % json.dumps(path.decode("utf-8", "replace")).encode())
        lines, count = [], 0
        for one, name in found:
            if count == self.modes.get("list_break", -1):
                self.chunk((",\n".join(lines) + '\n], "error": {"error": "failed", "message": "The disk does not answer."}}\n').encode())
                self.chunk_end()
                return
            count += 1
            lines.append(json.dumps(self.entry(one, name), ensure_ascii=False))
            if len(lines) == 500:
                self.chunk((",\n".join(lines[:-1]) + ",\n").encode())
                lines = lines[-1:]
                time.sleep(self.modes.get("list_pause", 0))
        self.chunk((",\n".join(lines) + ("\n" if lines else "") + '], "count": %d}\n' % count).encode())
        self.chunk_end()

    def chunk_end(self):
        self.wfile.write(b"0\r\n\r\n")


# ---- the page ----

def shell(h):
    h.answer(200, h.state.template("app.html")("page"))


def login_page(h, status=200, user="", error="", where=None):
    h.answer(status, h.state.template("login.html", user=user, error=error, next=where or h.query.get("next", "/"))("page"))


def form_fields(h):
    return urllib.parse.parse_qsl(h.body().decode(), keep_blank_values=True)


def login(h):
    fields = dict(form_fields(h))
    name, where = fields.get("user", ""), fields.get("next", "/")
    account = h.state.accounts().get(name)
    h.close_connection = True
    if not account or account["password"] != fields.get("password"):
        login_page(h, 401, name, "User name or password is wrong. Check both and try again.", where)
        return
    if not re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", where):
        where = "/"
    token = secrets.token_hex(32)
    h.state.sessions[token] = {"account": name, "csrf": secrets.token_hex(16)}
    h.state.keep_sessions()
    h.answer(303, Location=where, Set_Cookie=f"__Host-session={token}; Path=/; Secure; HttpOnly; SameSite=Strict", Connection="close")


def logout(h):
    h.check_token(h.headers.get("X-CSRF-Token") or dict(form_fields(h)).get("csrf"))
    for token, session in list(h.state.sessions.items()):
        if session is h.session:
            del h.state.sessions[token]
    h.state.keep_sessions()
    h.close_connection = True
    h.answer(303, Location="/login", Set_Cookie="__Host-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", Connection="close")


def static(h):
    name = h.route.decode().rsplit("/", 1)[1]
    if name not in h.state.static or h.state.hash.encode() not in h.route:
        raise Refused(404, "not_found", "There is nothing at this address.")
    packed = "gzip" in h.headers.get("Accept-Encoding", "")
    h.answer(200, (h.state.packed if packed else h.state.static)[name], TYPES[os.path.splitext(name)[1]],
             cache="public, max-age=31536000, immutable", Vary="Accept-Encoding", **({"Content_Encoding": "gzip"} if packed else {}))


# ---- without scripts ----

def human(size):
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000


def plain(h, notice=""):
    path = h.route[len(b"/plain"):].rstrip(b"/")
    found = h.disk(path)
    h.need("list")
    names = sorted(os.listdir(found))
    fill = h.state.template("plain.html", account=h.account["name"], csrf=h.session["csrf"])
    out = [fill("head", folder=visible(os.path.basename(path).decode("utf-8", "replace")) or "Files")]
    if notice:
        out.append(fill("notice", notice=notice))
    if path:
        out.append(fill("above", above="/plain" + quote(os.path.dirname(path).rstrip(b"/") + b"/")))
    out.append(fill("table"))
    for name in names:
        one = h.entry(os.path.join(found, name), name)
        where = "/plain" if one["type"] == "folder" else "/files"
        when = time.gmtime(one["mtime"])
        out.append(fill("row", address=where + quote(path + b"/" + name), name=visible(one["name"]), kind=one["type"],
                        size=human(one["size"]) if one["type"] == "file" else "",
                        changed=time.strftime("%Y-%m-%d %H:%M", when), changed_iso=time.strftime("%Y-%m-%dT%H:%M:%SZ", when)))
    out += [fill("end")] + ([fill("empty")] if not names else [])
    if "write" in h.account["rights"]:
        out.append(fill("upload", here="/plain" + quote(path + b"/")))
    h.answer(200, "".join(out) + fill("foot"))


def plain_upload(h):
    boundary = b"--" + h.headers["Content-Type"].split("boundary=")[1].encode()
    fields = {}
    for part in h.body().split(boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]*)"', head)[1]
        file = re.search(rb'filename="([^"]*)"', head)
        fields[name] = (file[1] if file else None, value[:-2])
    h.check_token(fields.get(b"csrf", (None, b""))[1].decode())
    h.need("write")
    name, data = fields.get(b"file", (None, b""))
    if not name:
        plain(h, "Choose a file first.")
        return
    target = os.path.join(h.disk(h.route[len(b"/plain"):]), os.path.basename(name))
    if os.path.lexists(target):
        plain(h, "A file with this name exists already. Rename yours and upload it again.")
        return
    with open(target, "wb") as out:
        out.write(data)
    plain(h, "The file was uploaded.")


# ---- files ----

def file_get(h):
    h.need("read")
    path = h.disk(h.route[len(b"/files"):])
    if not os.path.isfile(path):
        raise Refused(404, "not_found", "There is no such file.")
    size, mtime = os.path.getsize(path), os.path.getmtime(path)
    name = os.path.basename(path)
    kind = mimetypes.guess_type(os.fsdecode(name))[0] or "application/octet-stream"
    inline = "inline" in h.query and (INLINE.fullmatch(kind) or kind.startswith("text/"))
    if kind.startswith("text/") or not INLINE.fullmatch(kind):
        kind = "text/plain; charset=utf-8" if kind.startswith("text/") and inline else kind if INLINE.fullmatch(kind) else "application/octet-stream"
    first, last = 0, size - 1
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", h.headers.get("Range", ""))
    if asked and size:
        first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
        last = min(size - 1, int(asked[2])) if asked[1] and asked[2] else size - 1
        if first >= size:
            raise Refused(416, "bad_request", "The file is shorter.")
    shown = "inline" if inline else "attachment"
    headers = {
        "Accept_Ranges": "bytes", "ETag": f'"{mtime:.3f}-{size}"', "Last_Modified": h.date_time_string(int(mtime)),
        "Content_Disposition": f"{shown}; filename*=UTF-8''" + urllib.parse.quote(name.decode("utf-8", "replace")),
        "policy": PREVIEW_POLICY if inline else PAGE_POLICY,
    }
    if asked and size:
        headers["Content_Range"] = f"bytes {first}-{last}/{size}"
    h.start(206 if asked and size else 200, kind, last - first + 1, **headers)
    if h.command == "HEAD":
        return
    with open(path, "rb") as source:
        source.seek(first)
        left = last - first + 1
        while left > 0:
            data = source.read(min(left, 1 << 18))
            if h.modes.get("rate"):
                time.sleep(len(data) / h.modes["rate"])
            h.wfile.write(data)
            left -= len(data)


def api_json(h):
    if not h.headers.get("Content-Type", "").startswith("application/json"):
        raise Refused(415, "bad_request", "JSON is expected.")
    h.check_token(h.headers.get("X-CSRF-Token"))
    try:
        return json.loads(h.body())
    except ValueError:
        raise Refused(400, "bad_request", "This is no JSON.")


def me(h):
    usage = shutil.disk_usage(h.account["root"])
    space = h.account.get("space", {"total": usage.total, "free": usage.free})
    h.json(200, {"account": h.account["name"], "organisation": h.state.organisation, "csrf": h.session["csrf"] if h.session else "",
                 "rights": h.account["rights"], "trash": False, "space": space, "now": time.time(), "connect": h.account["connect"]})


def listing(h):
    h.need("list")
    path = h.query_path()
    found = h.disk(path)
    if not os.path.isdir(found):
        raise Refused(404, "not_found", "There is no such folder.")
    h.stream_entries(path, ((one.path, one.name) for one in os.scandir(found)))


def search(h):
    h.need("list")
    path = h.query_path()
    found, text = h.disk(path), urllib.parse.unquote(h.query.get("text", "")).lower()

    def matches():
        for folder, folders, files in os.walk(found):
            for name in folders + files:
                if text in name.decode("utf-8", "replace").lower():
                    one = os.path.join(folder, name)
                    yield one, os.path.relpath(one, found)
    h.stream_entries(path, matches())


def stat(h):
    path = h.query_path()
    h.json(200, h.entry(h.disk(path), os.path.basename(path)))


def digest(h):
    h.need("read")
    sha256, md5, size = hashlib.sha256(), hashlib.md5(), 0
    with open(h.disk(h.query_path()), "rb") as source:
        while data := source.read(1 << 20):
            sha256.update(data)
            md5.update(data)
            size += len(data)
    h.json(200, {"sha256": sha256.hexdigest(), "md5": md5.hexdigest(), "size": size})


def mkdir(h):
    path = h.disk(h.api_path(api_json(h).get("path")), must=False)
    h.need("mkdir")
    try:
        os.mkdir(path)
    except FileExistsError:
        raise Refused(409, "exists", "This name exists already.")
    except FileNotFoundError:
        raise Refused(404, "not_found", "The folder above is not there.")
    h.json(201, {})


def rename(h):
    asked = api_json(h)
    h.need("rename")
    source, target = h.disk(h.api_path(asked.get("from"))), h.disk(h.api_path(asked.get("to")), must=False)
    if os.path.lexists(target):
        if os.path.isdir(target):
            raise Refused(409, "is_folder", "A folder has this name.")
        if not asked.get("replace"):
            raise Refused(409, "exists", "This name exists already.")
        h.need("overwrite")
    try:
        os.rename(source, target)
    except OSError:
        raise Refused(404, "not_found", "The folder above is not there.")
    h.answer(204)


def delete(h):
    paths = api_json(h).get("paths", [])
    h.need("delete")
    results = []
    for value in paths:
        error = None
        try:
            path = h.disk(h.api_path(value))
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        except (Refused, OSError):
            error = "It is not there any more."
        if h.modes.get("undeletable") and value in h.modes["undeletable"]:
            error = "The disk does not let go of it."
        results.append({"path": value, "error": error})
    h.json(200, {"results": results})


def zip_(h):
    fields = form_fields(h)
    h.check_token(dict(fields).get("csrf"))
    h.need("read")
    paths = {"folder": b"/"}
    names = []
    for key, value in fields:
        raw = base64.b64decode(value) if key.endswith("_raw") else value.encode()
        if key.startswith("folder"):
            paths["folder"] = raw
        elif key.startswith("name"):
            names.append(raw)
    folder = h.disk(paths["folder"])
    for name in names:
        h.disk(paths["folder"] + b"/" + name)
    h.start(200, "application/zip", Transfer_Encoding="chunked", Content_Disposition='attachment; filename="files.zip"')

    class Out:
        def write(self, data):
            h.chunk(bytes(data))
            return len(data)

        def flush(self):
            pass
    with zipfile.ZipFile(Out(), "w") as archive:
        for name in names:
            for one in walk(os.path.join(folder, name)):
                archive.write(one, os.path.relpath(one, folder).decode("utf-8", "replace"))
    h.chunk_end()


def walk(path):
    yield path
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            yield from walk(os.path.join(path, name))


# ---- tus ----

TUS = {"Tus_Resumable": "1.0.0"}


def tus_metadata(h):
    pairs = (part.strip().partition(" ")[::2] for part in h.headers.get("Upload-Metadata", "").split(",") if part.strip())
    return {key: base64.b64decode(value) for key, value in pairs}


def tus_files(h, name=None):
    name = name or h.route.decode().rsplit("/", 1)[1]
    base = h.state.folder / "uploads" / name
    about = h.state.read(f"uploads/{name}.json", None)
    if about is None or about["account"] != h.account["name"]:
        raise Refused(404, "not_found", "There is no such upload.")
    return about, base.with_suffix(".json"), base.with_suffix(".data")


def tus_check_target(h, meta):
    target = h.disk(meta["path"], must=False)
    replace = meta.get("replace") == b"yes"
    if os.path.isdir(target):
        raise Refused(409, "is_folder", "A folder has this name.")
    if os.path.lexists(target) and not replace:
        raise Refused(409, "exists", "This name exists already.")
    if os.path.lexists(target):
        h.need("overwrite")
    if not os.path.isdir(os.path.dirname(target)):
        raise Refused(404, "not_found", "The folder is not there.")
    return target


def tus_about(meta):
    return {"path": base64.b64encode(meta["path"]).decode(), "replace": meta.get("replace", b"no").decode(), "mtime": meta.get("mtime", b"").decode()}


def tus_finish(h, about, record, data):
    if data.stat().st_size < about["length"]:
        return
    meta = {"path": base64.b64decode(about["path"]), "replace": about["replace"].encode()}
    target = tus_check_target(h, meta)
    if about["mtime"]:
        os.utime(data, (time.time(), int(about["mtime"])))
    os.replace(data, target)
    record.unlink()


def tus_receive(h, data):
    """Appends the body as it comes; with a checksum, only when it is right."""
    asked = h.headers.get("Upload-Checksum")
    with open(data, "ab", buffering=0) as out:
        if asked:
            kind, _, value = asked.partition(" ")
            body = h.body()
            if hashlib.new(kind, body).digest() != base64.b64decode(value):
                raise Refused(460, "changed", "The checksum is another.")
            out.write(body)
            return
        cut = next((n for prefix, n in h.modes.get("cut", {}).items() if f"{h.command} {h.path}".startswith(prefix)), None)
        got = 0
        while h.body_left:
            piece = h.read_some(1 << 18)
            out.write(piece)
            got += len(piece)
            if cut is not None and got >= cut:
                h.connection.close()
                raise ConnectionError


def tus_create(h):
    h.check_token(h.headers.get("X-CSRF-Token"))
    h.need("write")
    meta = tus_metadata(h)
    tus_check_target(h, meta)
    name = secrets.token_hex(8)
    about = {"account": h.account["name"], "length": int(h.headers["Upload-Length"]), **tus_about(meta)}
    record = h.state.folder / "uploads" / f"{name}.json"
    data = record.with_suffix(".data")
    data.touch()
    record.write_text(json.dumps(about))
    if h.body_left:
        tus_receive(h, data)
    offset = data.stat().st_size
    tus_finish(h, about, record, data)
    h.answer(201, Location=f"/api/uploads/{name}", Upload_Offset=str(offset), **TUS)


def tus_head(h):
    about, _, data = tus_files(h)
    h.start(200, None, 0, Upload_Offset=str(data.stat().st_size), Upload_Length=str(about["length"]), **TUS)


def tus_patch(h):
    h.check_token(h.headers.get("X-CSRF-Token"))
    about, record, data = tus_files(h)
    if data.stat().st_size != int(h.headers["Upload-Offset"]):
        raise Refused(409, "changed", "The upload is at another offset.")
    if h.headers.get("Upload-Metadata"):
        about.update(tus_about(tus_metadata(h)))
        record.write_text(json.dumps(about))
    tus_receive(h, data)
    offset = data.stat().st_size
    tus_finish(h, about, record, data)
    h.answer(204, Upload_Offset=str(offset), **TUS)


def tus_delete(h):
    h.check_token(h.headers.get("X-CSRF-Token"))
    _, record, data = tus_files(h)
    record.unlink()
    data.unlink()
    h.answer(204, **TUS)


# methods, address (a pattern of bytes), who ('page': to /login without a session), handler
ROUTES = [
    (("GET",), rb"/", "page", shell),
    (("GET",), rb"/login", None, login_page),
    (("POST",), rb"/login", None, login),
    (("POST",), rb"/logout", "page", logout),
    (("GET",), rb"/static/[0-9a-f]+/[^/]+", None, static),
    (("GET",), rb"/plain(/.*)?", "page", plain),
    (("POST",), rb"/plain(/.*)?", "page", plain_upload),
    (("GET", "HEAD"), rb"/files/.+", "api", file_get),
    (("GET",), rb"/api/me", "api", me),
    (("GET",), rb"/api/list", "api", listing),
    (("GET",), rb"/api/search", "api", search),
    (("GET",), rb"/api/stat", "api", stat),
    (("GET",), rb"/api/digest", "api", digest),
    (("POST",), rb"/api/mkdir", "api", mkdir),
    (("POST",), rb"/api/rename", "api", rename),
    (("POST",), rb"/api/delete", "api", delete),
    (("POST",), rb"/api/zip", "api", zip_),
    (("POST",), rb"/api/uploads", "api", tus_create),
    (("HEAD",), rb"/api/uploads/[0-9a-f]+", "api", tus_head),
    (("PATCH",), rb"/api/uploads/[0-9a-f]+", "api", tus_patch),
    (("DELETE",), rb"/api/uploads/[0-9a-f]+", "api", tus_delete),
]


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        kind = sys.exc_info()[0]
        if not issubclass(kind, (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    folder, port, ui = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    Handler.state = State(folder, ui)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem"))
    server = Server(("127.0.0.1", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
