#!/usr/bin/python3
"""Writes the inputs that the fuzz targets begin with: tests/fuzz/corpus/NAME/WHAT, from the schema
(common/messages.def) and real samples. Run by `make fuzz-seeds`; the files are checked in, and inputs
in them that no seed here makes (regressions, named regression-*) are left alone."""
import base64
import hashlib
import re
import struct
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).resolve().parent / "corpus"


def string(data):
    return struct.pack(">I", len(data)) + data


# ---- messages, as messages.def says ------------------------------------------------------------
def schema():
    parts = re.findall('#include "(.*)"', (TOP / "common/messages.def").read_text())
    text = "".join((TOP / part).read_text() for part in parts)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    shared = re.search(r"#define ACCOUNT_FIELDS\(m\)(.*?)#endif", text, re.S)
    field = re.compile(r"F_(U8|U32|U64|I64|STR|BLOB|SECRET)\(\w+, (\w+)")
    account = field.findall(shared[1])
    found = {}
    for body in re.findall(r"^MESSAGE\((.*?)^END\(", text, re.S | re.M):
        name = body.split(",")[0]
        fields = account if "ACCOUNT_FIELDS(" in body else []
        own = field.findall(body)
        # Where the account's fields stand among the others: before or after the message's own.
        first = body.find("ACCOUNT_FIELDS(")
        before = [f for f in own if body.find(f"F_{f[0]}({name}, {f[1]}") < first]
        found[name] = (before if fields else []) + fields + [f for f in own if f not in before or not fields]
    return found


SCHEMA = schema()
NUMBER = {name: i + 1 for i, name in enumerate(SCHEMA)}
SIZES = {"U8": "<B", "U32": "<I", "U64": "<Q", "I64": "<q"}


def fields(name, /, **values):
    out = b""
    for kind, field in SCHEMA[name]:
        value = values.pop(field, 0 if kind in SIZES else b"")
        if kind in SIZES:
            out += struct.pack(SIZES[kind], value)
        else:
            out += struct.pack("<I", len(value)) + value
    assert not values, values
    return out


def message(name, number=5, /, **values):
    return struct.pack("<II", NUMBER[name], number) + fields(name, **values)


def nested(*messages):
    return b"".join(struct.pack("<I", len(m)) + m for m in messages)


def sample_value(kind, field):
    if kind in SIZES:
        return {"type": 0o100644, "error": 13, "flags": 3}.get(field, 1)
    return {"path": b"/a/b", "records": nested(REPORT), "name": b"alice", "user": b"alice", "home": b"/srv/alice"}.get(field, field.encode())


REPORT = message("report", 0, time_ms=1750000000000, operation=1, path=b"/a\xff\n\"b", other=b"/c", size=5, bytes_read=7, duration_ms=3)


def messages():
    for name, own in SCHEMA.items():
        filled = fields(name, **{field: sample_value(kind, field) for kind, field in own})
        yield name, struct.pack("<H", NUMBER[name]) + filled
    for name in ("folder", "directory_entry", "report"):
        own = {field: sample_value(kind, field) for kind, field in SCHEMA[name]}
        yield f"{name}-nested", struct.pack("<H", NUMBER[name]) + nested(message(name, 0, **own), message(name, 0))


# ---- SSH ---------------------------------------------------------------------------------------
def kexinit(kex, host_key):
    lists = [kex, host_key, b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b""]
    return b"\x14" + bytes(16) + b"".join(map(string, lists)) + bytes(5)


def preimage(kex, host_key=b"ssh-ed25519", server=b"SSH-2.0-sallyport_0.1"):
    parts = [b"SSH-2.0-OpenSSH_9.2", server, kexinit(kex + b",ext-info-c", host_key), kexinit(kex, b"ssh-ed25519,rsa-sha2-512"),
             string(b"ssh-ed25519") + string(bytes(32)), b"e" * 32, b"f" * 32, b"\0\x80k"]
    return b"".join(map(string, parts))


KEX = [b"mlkem768x25519-sha256", b"sntrup761x25519-sha512@openssh.com", b"curve25519-sha256", b"ecdh-sha2-nistp384",
       b"diffie-hellman-group16-sha512", b"diffie-hellman-group1-sha1"]


def preimages():
    for kex in KEX:
        yield kex.decode().split("@")[0], preimage(kex)
    yield "rsa", preimage(KEX[2], b"rsa-sha2-512,rsa-sha2-256")
    yield "cut", preimage(KEX[2])[:-1]


def public_lines():
    """The keys that tests/unit/sshkey_samples.h has, as ssh-keygen and PuTTYgen wrote them."""
    text = re.sub(r'"\s*\n\s*"', "", (TOP / "tests/unit/sshkey_samples.h").read_text())
    return [line.encode() for line in re.findall(r'\{"((?:ssh|ecdsa|sk)-[^"\\]*)",', text)]


def blobs():
    return {line.split()[0].decode(): base64.b64decode(line.split()[1]) for line in reversed(public_lines())}


ALGORITHMS = [("ssh-ed25519",) * 2, ("ecdsa-sha2-nistp256",) * 2, ("ecdsa-sha2-nistp384",) * 2, ("ecdsa-sha2-nistp521",) * 2,
              ("rsa-sha2-256", "ssh-rsa"), ("rsa-sha2-512", "ssh-rsa"), ("sk-ssh-ed25519@openssh.com",) * 2,
              ("sk-ecdsa-sha2-nistp256@openssh.com",) * 2]


def userauth():
    der = bytes.fromhex("3006020101020101")
    for number, (algorithm, kind) in enumerate(ALGORITHMS):
        blob = blobs().get(kind)
        if blob is None:
            continue
        signature = der if "ecdsa" in algorithm else bytes(256) if kind == "ssh-rsa" else bytes(64)
        yield algorithm.split("@")[0], bytes([number, 1, 7, 0]) + struct.pack("<H", len(blob)) + blob + signature
    small = string(b"ssh-ed25519") + string(b"\x01" + bytes(31))
    yield "small-order", bytes([0, 0, 0, 0]) + struct.pack("<H", len(small)) + small + b"\x01" + bytes(63)
    one = string(b"ssh-rsa") + string(b"\x01") + string(b"\0" + b"\xff" * 256)
    yield "rsa-exponent-1", bytes([5, 0, 0, 0]) + struct.pack("<H", len(one)) + one + bytes(256)


def passwords():
    texts = ["correct horse battery staple", "P@ssw0rd2024!!", "1qaz@WSX3edc", "drowssaP 12.03.1987", "abcabcabcabc", "kX9#mQ2zLp0v", "ПАРОЛЬ123456", "日本日本日本日本", "kzpkpzkzpzkp", "é" * 256]
    for i, text in enumerate(texts):
        yield f"{i:02}", text.encode()


def sshkeys():
    lines = public_lines()
    for i, line in enumerate(lines):
        yield f"line-{i:02}", line + b"\n"
        if i < 4:
            yield f"blob-{i}", base64.b64decode(line.split()[1])
    short = lines[0].split()[1]
    block = b"---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"two \\\r\nlines\"\r\nx-other: y\r\n" + short[:40] + b"\r\n" + short[40:]
    yield "rfc4716", block + b"\r\n---- END SSH2 PUBLIC KEY ----\r\n"
    yield "rfc4716-cut", block
    yield "authorized-keys", b"\xef\xbb\xbf# mine\n\n" + lines[0] + b"\nfrom=\"a b\",no-pty " + lines[0] + b"\nssh-dss AAAA x\n"
    yield "pem", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" + lines[0]
    yield "private", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n"
    yield "putty", b"PuTTY-User-Key-File-3: ssh-ed25519\n"
    yield "quoted", b"\"" + lines[0] + b"\"\n*\n"


# ---- the rest ----------------------------------------------------------------------------------
def wire():
    steps = bytes([0, 1, 2, 3, 3, 4 + 5 * 5])
    yield "all-types", bytes([len(steps)]) + steps + b"\x07" + struct.pack(">IQ", 5, 6) + string(b"text") + string(b"") + b"12345"
    yield "lying-length", bytes([1, 3]) + b"\xff\xff\xff\xff" + b"abc"
    yield "lists", b"\0" + b"curve25519-sha256,aes" + b"a,curve25519-sha256,,"
    yield "one-list", b"\0" + b"ssh-ed25519,ssh-ed25519"


def config():
    text = (TOP / "common/settings.def").read_text()
    sections = {}
    for section, name, default in re.findall(r'^SETTING\((\w+), (\w+), \w+, (?:\([^)]*\)|"[^"]*"), ([^,]+),', text, re.M):
        if default.startswith('"'):
            sections.setdefault(section, []).append(f"{name} = {default.strip(chr(34))}\n")
    for section, lines in sections.items():
        yield section, f"# defaults\n[{section}]\n{''.join(lines)}".encode()
    yield "mixed", b"[sftp]\nlisten = 127.0.0.1 ::1\nport=22\nbanner = a; b\n[limits]\npenalty_exempt = 10.0.0.0/8 ::/0 1.2.3.4\n"
    yield "sizes", b"[sftp]\nrekey_bytes = 1M\n[limits]\nbandwidth = 12K\n[audit]\nrotate_bytes = 4096\n"
    yield "numbers", b"[server]\numask = 0777\nworker_ids = 1-999\nhash_cost = 11\nspare_workers = 0\n"
    yield "twice", b"[sftp]\nport = 1\nport = 2\n"
    yield "unknown", b"[sftp]\nno_such = 1\n"
    yield "no-section", b"port = 1\n"
    yield "too-large", b"[sftp]\nport = 65536\nrekey_bytes = 18446744073709551616\n"
    yield "crlf", b"\xef\xbb\xbf[sftp]\r\nport = 2022\r\n"
    yield "relative", b"[server]\nstate_dir = state\n"


def audit():
    for what in range(5):
        yield f"changed-{what}", bytes([1, 5, what, 3, 0, what % 3]) + b"\x04abcd\x02ef\x00\x03ghi\x01j"
    yield "byte", bytes([1, 11, 5 * 32, 200, 1, 4]) + b"\x10a line of the log"
    line = b'{"n":1,"text":"x","prev":"' + b"0" * 64 + b'"}'
    head = b"%020d %s\n" % (1, hashlib.sha256(line).hexdigest().encode())
    yield "files-whole", bytes([0, 1]) + head[:1] + b""
    yield "files", bytes([0, 1]) + head + struct.pack("<H", len(line) + 1) + line + b"\n" + line
    yield "files-no-head", bytes([0, 0]) + struct.pack("<H", 0) + line + b"\n" + b'{"n":2,"prev":"\\u0000"}\n{"n":1,"n":2}\n'


def report():
    def said(data, fds=0):
        return bytes([fds]) + struct.pack("<H", len(data)) + data

    two = nested(REPORT, message("report", 0, operation=2, error=2, path=b"/p"))
    yield "one", said(message("report_batch", first=1, count=1, records=nested(REPORT)))
    yield "two-then-again", said(message("report_batch", first=1, count=2, records=two)) * 2
    yield "missing", said(message("report_batch", first=1, count=2, records=two)) + said(message("report_batch", first=9, count=2, records=two))
    yield "wrong-count", said(message("report_batch", first=1, count=3, records=two))
    yield "wrong-number", said(message("report_batch", first=2**64 - 1, count=2, records=two))
    yield "unknown-operation", said(message("report_batch", first=1, count=1, records=nested(message("report", 0, operation=255))))
    yield "impossible-time", said(message("report_batch", first=1, count=1, records=nested(message("report", 0, operation=1, time_ms=2**63))))
    yield "other-message", said(message("report_taken", number=1))
    yield "descriptors", said(message("report_batch", first=1, count=1, records=nested(REPORT)), 1)
    yield "descriptors-alone", said(b"", 2)


def sftp():
    def request(kind, body, number=1):
        packet = bytes([kind]) + struct.pack(">I", number) + body
        return struct.pack(">I", len(packet)) + packet

    path, none, handle = string(b"/a/b"), struct.pack(">I", 0), string(struct.pack(">I", 0))
    requests = {
        "open-read": request(3, path + struct.pack(">I", 1) + none) + request(5, handle + struct.pack(">QI", 0, 32768)) + request(4, handle),
        "open-write": request(3, path + struct.pack(">I", 0x1A) + none) + request(6, handle + struct.pack(">Q", 0) + string(b"data")) + request(4, handle),
        "listing": request(11, path) + request(12, handle) + request(12, handle) + request(4, handle),
        "attributes": request(17, path) + request(7, path) + request(8, handle) + request(9, path + struct.pack(">IQ", 1, 5)) + request(10, handle + struct.pack(">II", 4, 0o644)),
        "names": request(13, path) + request(14, path + none) + request(15, path) + request(16, path) + request(18, path + path) + request(19, path) + request(20, path + path),
        "extended": b"".join(request(200, string(name) + body) for name, body in [
            (b"posix-rename@openssh.com", path + path), (b"statvfs@openssh.com", path), (b"fstatvfs@openssh.com", handle),
            (b"hardlink@openssh.com", path + path), (b"fsync@openssh.com", handle), (b"lsetstat@openssh.com", path + none),
            (b"limits@openssh.com", b""), (b"expand-path@openssh.com", path), (b"home-directory", string(b"")),
            (b"copy-data", handle + struct.pack(">QQ", 0, 0) + handle + struct.pack(">Q", 0)), (b"check-file-name", path + string(b"sha256") + struct.pack(">QQI", 0, 0, 0)),
            (b"no-such", b"")]),
        "attributes-all": request(9, path + struct.pack(">I", 0x8000000F) + struct.pack(">QIIIII", 5, 7, 8, 0o644, 1, 2) + struct.pack(">I", 1) + string(b"a") + string(b"b")),
        "too-long": struct.pack(">I", 300000) + b"\3",
        "unknown": request(99, path) + request(255, b""),
    }
    for name, data in requests.items():
        yield name, b"\0\0" + data
        yield name + "-in-pieces", b"\x06\3" + data
    yield "no-init", b"\1\0" + struct.pack(">IBI", 5, 1, 3) + requests["listing"]


def ftps():
    """Four bytes: how it begins, pieces of the data connection, length of the upload; the upload; pieces of the control connection."""
    def session(text, how=0, piece=0, upload=b"", pieces=0):
        return bytes([how, piece, len(upload)]) + upload + bytes([pieces]) + text.replace(b"\n", b"\r\n")

    verbs = re.findall(r'^VERB\("(\w+)", \w+, \w+, (\w+)', (TOP / "ftps-worker/verbs.def").read_text(), re.M)
    every = b"".join(verb.encode() + (b"\n" if kind == "NONE" else b" x\n") for verb, kind in verbs if verb != "QUIT")
    for name, how in (("open", 0), ("clear", 2), ("secure", 3)):
        yield f"every-verb-{name}", session(every, how)
    yield "login", session(b"FEAT\nAUTH TLS\nPBSZ 0\nPROT P\nUSER alice\nPASS secret\nPWD\nQUIT\n", 2 | 2 << 6)
    yield "login-refused", session(b"USER alice\nPASS x\nUSER alice\nPASS x\n", 3)
    yield "download", session(b"TYPE I\nEPSV\nRETR a\nEPSV\nREST 4990\nRETR a\nPASV\nRANG 1 9\nRETR a\nTYPE A\nEPSV\nRETR a\n" * 2)
    yield "download-in-pieces", session(b"TYPE A\nEPSV\nRETR a\n" * 3, 0, 7, b"", 3)
    yield "upload", session(b"TYPE I\nEPSV\nSTOR a\nPASV\nREST 3\nSTOR a\nEPSV\nAPPE a\nEPSV\nSTOU\n" * 2, 0, 0, b"a\r\nb\r")
    yield "upload-ascii", session(b"EPSV\nSTOR a\n" * 4, 0, 1, b"a\r\nb\r\rc\n\r")
    yield "upload-cut", session(b"EPSV\nSTOR a\n" * 4, 8, 3, b"abcdef")
    yield "not-resumed", session(b"EPSV\nRETR a\n" * 4, 4)
    yield "client-leaves", session(b"EPSV\nRETR a\nEPSV\nLIST\n" * 3, 32)
    yield "listings", session(b"EPSV\nLIST\nEPSV\nNLST -a *a*\nEPSV\nMLSD\nSTAT /\nMLST\nOPTS MLST size;\nEPSV\nMLSD\nEPSV\nNLST a/[!b-d]?\n" * 3)
    yield "names", session(b'MKD a "b"\nCWD a\nPWD\nCDUP\nRNFR a\nRNTO ../b\nDELE a\nRMD a\n' * 3)
    yield "attributes", session(b"SIZE a\nMDTM a\nMDTM 20200102030405 a\nMFMT 20200102030405.5 a\nMFF modify=20200102030405;UNIX.mode=0600; a\n"
                                b"SITE CHMOD 644 a\nSITE UTIME 20200102030405 a\nSITE UTIME a 20200102030405 20200102030405 20200102030405 UTC\n" * 2)
    yield "hash", session(b"HASH a\nOPTS HASH CRC32\nHASH a\nRANG 1 5\nHASH a\n" * 3)
    yield "ports", session(b"PORT 192,0,2,7,4,1\nRETR a\nEPRT |1|192.0.2.7|1025|\nEPRT |2|::1|1025|\nEPSV 1\nEPSV 2\nEPSV ALL\nPASV\n")
    yield "ports-v6", session(b"PORT 192,0,2,7,4,1\nEPRT |2|::1|1025|\nEPSV 1\nEPSV 2\nPASV\n", 16)
    yield "telnet", session(b"\xff\xf4\xff\xf2ABOR\n\xff\xfb\x01NOOP\nCWD a\xff\xff\nCWD a\r\0b\nCWD a\rb\nCWD a\0b\n", 0, 0, b"", 1)
    yield "long-line", session(b"CWD " + b"a" * 8190 + b"\nPWD\nCWD /" + b"b/" * 2047 + b"\nMLST\nMKD c\n")


def http():
    """What is read (0 a connection, 1 a form, 2 a form of any type, 3 a value), into what pieces it is cut, and the bytes."""
    def connection(text, piece=0):
        return bytes([0, piece]) + text.replace(b"\n", b"\r\n")

    def request(*lines, line=b"GET / HTTP/1.1", body=b""):
        return b"\n".join([line, b"Host: a", *lines]) + b"\n\n" + body

    names = re.findall(r'^FIELD\(\w+, "([\w-]+)", (\w+)', (TOP / "https-worker/fields.def").read_text(), re.M)
    framing = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect"}
    for name, rule in names:
        if name not in framing:
            yield f"field-{name.lower()}", connection(request(name.encode() + b": x"))
    post = b"POST /api/x HTTP/1.1"
    yield "get", connection(request(b"Accept: text/html, */*;q=0.8", b"Accept-Encoding: gzip, br;q=0.5", b"Cookie: a=b; s=abc"))
    yield "pipelined", connection(request() + request(line=b"HEAD /files/a%20b?inline HTTP/1.1") + request(line=b"OPTIONS * HTTP/1.1"), 7)
    yield "absolute", connection(request(line=b"GET https://a/b?path=%2Fc&path HTTP/1.1") + request(line=b"GET https://b/ HTTP/1.1"))
    yield "http-1.0", connection(b"GET / HTTP/1.0\nConnection: keep-alive\n\nGET / HTTP/1.0\n\n")
    yield "length", connection(request(b"Content-Length: 5", b"Expect: 100-continue", line=post, body=b"abcde") + request())
    yield "chunked", connection(request(b"Transfer-Encoding: chunked", line=post, body=b"5\nabcde\n3;x=\"y\"\nfgh\n0\nRepr-Digest: sha-256=:AAAA:\nA: b\n\n") + request(), 3)
    yield "both-lengths", connection(request(b"Content-Length: 5", b"Transfer-Encoding: chunked", line=post, body=b"0\n\nGET"))
    yield "two-lengths", connection(request(b"Content-Length: 5", b"Content-Length: 5", line=post))
    yield "bare-lf", bytes(2) + b"GET / HTTP/1.1\nHost: a\n\n"
    yield "obs-fold", connection(request(b"A: b", b" c"))
    yield "chunk-bare-lf", bytes(2) + b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n"
    yield "conditions", connection(request(b'If-Match: "x", W/"y"', b'If-None-Match: "z"', b"If-Modified-Since: Fri, 21 Nov 2025 15:00:00 GMT") +
                                   request(b"If-Unmodified-Since: Friday, 21-Nov-25 15:00:00 GMT", b'If-Range: "x"', b"Range: bytes=0-1,-5,1000-"))
    yield "credentials", connection(request(b"Authorization: Basic YTpi", b'Cookie: s="abc"; s=abd'))
    yield "digests", connection(request(b"Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", b"Want-Repr-Digest: sha-512=3, sha-256=10"))
    yield "tus", connection(request(b"Tus-Resumable: 1.0.0", b"Upload-Length: 5", b"Upload-Metadata: path L2EvYg==,replace eWVz,x", b"Upload-Checksum: md5 1B2M2Y8AsgTpgAmY7PhCfg==", line=post))
    form = b"""--b
Content-Disposition: form-data; name="csrf"

t0k
--b
Content-Disposition: form-data; name="file"; filename="a%22.txt"
Content-Type: text/plain

he\rllo

--
--x
--b--
""".replace(b"\n", b"\r\n")
    yield "form", bytes([1, 0]) + form
    yield "form-in-pieces", bytes([1, 3]) + form
    kind = b'multipart/form-data; boundary="b"'
    yield "form-type", bytes([2, 5, len(kind)]) + kind + form
    for name, value in {"date": b"Sun, 06 Nov 1994 08:49:37 GMT", "date-850": b"Sunday, 06-Nov-94 08:49:37 GMT", "date-c": b"Sun Nov  6 08:49:37 1994",
                        "ranges": b"bytes=0-1,-5,1000-2000,1500-", "basic": b"Basic YTpi", "cookies": b"a=b; s=abc", "path": b"/files/a%20b/%C3%BC/", "query": b"path=%2Fa+b&name=c&name=d",
                        "disposition": b'form-data; name="file"; filename="a.txt"', "host": b"[::1]:8443", "base64": b"Zm9vYg==", "any": bytes(range(256)),
                        "utf-8": "\u00fc\u20ac\u2028\U0001f600\"\\".encode() + b"\xff\xc3"}.items():
        yield f"value-{name}", bytes([3, 2]) + value


def dispatch():
    def step(what, how=0, data=b""):
        return bytes([what, how]) + struct.pack("<H", len(data)) + data

    ready, exchange, end = step(1, 0), step(1, 1), step(1, 10)
    key, password, wrong, query = step(1, 2), step(1, 6), step(1, 7), step(1, 8)
    known, unknown, both = step(3, 0x11), step(3, 0), step(3, 0x19)
    hashed, agent = step(4, 0), step(5, 0)
    yield "password", exchange + password + known + hashed + agent + end
    yield "key", exchange + query + known + key + known + agent + step(1, 1, b"rekey") + end
    yield "both", exchange + key + both + password + both + hashed + agent
    for name, again in (("key", step(1, 2, b"bob")), ("password", step(1, 6, b"bob")), ("query", step(1, 8, b"bob"))):
        yield f"open-then-{name}", exchange + password + known + hashed + agent + again + known + hashed + agent
    yield "both-other-name", exchange + key + both + step(1, 6, b"bob") + both + hashed + agent
    yield "tries", exchange + (wrong + known + hashed) * 4
    yield "unknown-name", exchange + password + unknown + hashed + key + unknown
    yield "disabled", exchange + password + step(3, 0x13) + hashed + key + step(3, 0x15)
    for how, name in ((3, "flipped"), (4, "other-session"), (5, "other-name"), (11, "other-algorithm"), (12, "other-key")):
        yield f"key-{name}", exchange + step(1, how) + known + agent
    yield "key-before-exchange", key + known + agent
    yield "exchange-of-another", step(1, 13) + exchange
    yield "exchange-again", exchange + exchange
    yield "another-account", exchange + password + step(3, 0x31) + hashed + agent + key + step(3, 0x31) + agent
    yield "agent-cannot", exchange + password + known + hashed + step(5, 1)
    yield "agent-dies", exchange + password + known + hashed + step(6, 3)
    yield "agent-misused", exchange + password + known + hashed + agent + step(6, 0x0B)
    yield "store-dies", exchange + password + step(6, 1) + step(7, 6) + ready + password + known
    yield "hasher-dies", exchange + password + known + step(6, 2) + step(7, 2) + password + known + hashed + agent
    yield "worker-dies", exchange + password + step(6, 0x0C) + known
    yield "no-answer", exchange + password + step(7, 6) + known + password + known + hashed + agent
    yield "grace", exchange + step(7, 61) + password
    yield "two-clients", step(1, 0x80) + step(2, 1) + exchange + step(1, 0x81) + password + step(1, 0x82) + known + known + hashed + agent + step(5, 0x10)
    yield "operator", exchange + password + known + hashed + agent + step(8, 0) + step(8, 1) + step(7, 4)
    yield "closed-link", exchange + password + step(9, 0) + known + hashed + agent
    yield "many-clients", step(2, 0) * 5 + ready + step(1, 0x40) + step(1, 0x80)
    # The FTPS spare is the second worker; a client of it, logged in; another is the fifth (after SFTP's second).
    def acts(worker, act, data=b""):
        return step(1 + 22 * (worker // 4), (worker & 3) << 6 | act, data)

    def ftps(act, data=b"", worker=1):
        return acts(worker, act, data)

    signed = ftps(14, b"\0") + ftps(16, b"\0")
    login = step(2, 2) + ftps(14) + ftps(6) + known + hashed + agent
    passive, active, connects = ftps(18), ftps(17), step(10, 0)
    yield "ftps-signs", step(2, 2) + signed + ftps(6) + known + hashed + agent + signed * 2
    for bent in range(1, 4):
        yield f"ftps-signs-13-bent-{bent}", login + ftps(14, bytes([0, bent]))
        yield f"ftps-signs-12-bent-{bent}", login + ftps(16, bytes([0, bent]))
    for scheme in range(1, 6):
        yield f"ftps-signs-13-scheme-{scheme}", login + ftps(14, bytes([scheme]))
        yield f"ftps-signs-12-scheme-{scheme}", login + ftps(16, bytes([scheme]))
    for identity in range(1, 4):
        yield f"ftps-signs-13-identity-{identity}", login + ftps(14, bytes([0, 0, identity]))
        yield f"ftps-signs-12-identity-{identity}", login + ftps(16, bytes([0, 0, identity]))
    yield "ftps-signs-twice", step(2, 2) + ftps(14) + ftps(14)
    yield "ftps-before-login", step(2, 2) + passive
    yield "ftps-of-sftp", exchange + step(1, 14) + step(1, 18)
    yield "sftp-of-ftps", step(2, 2) + ftps(1)
    yield "ftps-reload", login + step(8, 4) + ftps(14) + step(2, 6) + ftps(0, worker=4) + ftps(14, worker=4)
    yield "ftps-passive", login + passive + connects + passive + passive + connects * 2 + step(7, 40) + ftps(10)
    yield "ftps-passive-of-another", login + passive + step(10, 1) + step(10, 2) + connects
    yield "ftps-passive-late", login + passive + step(7, 31) + connects
    yield "ftps-active", login + active + passive + active + connects
    yield "ftps-active-low", login + ftps(17, b"\0\x15")
    yield "ftps-two", login + ftps(0, worker=4) + step(2, 3) + ftps(6, worker=4) + known + hashed + step(5, 0x10) + \
        (passive + ftps(18, worker=4) + step(10, 0) + step(10, 1) + step(10, 5) + step(10, 4)) * 2 + ftps(10) + connects
    # The HTTPS spare is the third worker, the next ones are the fifth and those after it.
    def https(act, data=b"", worker=2):
        return acts(worker, act, data)

    def another(worker):
        return step(2, 8) + https(0, worker=worker)

    first, out = step(2, 8), https(27)
    logged_in = first + https(14) + https(6) + known + hashed
    signed_in = first + https(20) + known + hashed
    by_token = another(4) + https(22, worker=4) + known
    yield "https-known", logged_in + https(26) + agent + https(10)
    yield "https-agent-twice", logged_in + https(26) + https(26) + agent + https(26)
    yield "https-agent-early", first + https(26) + signed_in + https(26)
    yield "https-agent-cannot", logged_in + https(26) + step(5, 1)
    yield "https-two-accounts", logged_in + https(6, b"bob") + known + hashed + https(22)
    yield "https-signs-later", logged_in + https(14) + https(16)
    yield "https-sign-in", signed_in + by_token + https(26, worker=4) + agent + https(27, worker=4) + another(5) + https(22, worker=5) + known
    yield "https-sign-in-wrong", first + (https(21) + known + hashed) * 4
    yield "https-sign-in-both", first + https(20) + step(3, 0x19) + hashed + https(20, b"bob") + known + hashed
    yield "https-sign-in-store-dies", first + https(20) + known + step(6, 1) + hashed + step(7, 6)
    yield "https-token-both", signed_in + another(4) + https(22, worker=4) + step(3, 0x19) + (https(7, worker=4) + step(3, 0x19) + hashed) * 4
    yield "https-token-disabled", signed_in + another(4) + https(22, worker=4) + step(3, 0x13) + https(6, worker=4) + known
    yield "https-token-of-another", signed_in + another(4) + https(22, worker=4) + step(3, 0x31) + https(26, worker=4) + agent
    yield "https-tokens", first + (https(23, b"x") + known) * 9
    yield "https-token-short", first + https(23, bytes([99]))
    yield "https-token-of-sftp", step(1, 22) + known
    yield "https-two-by-token", signed_in + by_token + another(5) + https(22, worker=5) + known + https(27, worker=4)
    yield "https-sign-out-by-password", logged_in + out
    yield "https-remembered", logged_in + another(4) + https(6, worker=4) + known + https(26, worker=4) + agent
    yield "https-remembered-late", logged_in + step(7, 61) + another(4) + https(6, worker=4) + known + hashed
    yield "https-remembered-sign-in", logged_in + another(4) + https(20, worker=4) + known
    yield "https-remembered-disabled", logged_in + another(4) + https(6, worker=4) + step(3, 0x13) + hashed
    yield "https-tls", first + https(24, b"\1one") + https(25, b"\1one") + another(4) + https(25, b"\1", worker=4) + https(24, b"\1two", worker=4) + https(25, b"\1", worker=2)
    yield "https-tls-late", first + https(24, b"\1one") + step(7, 250) * 15 + another(4) + https(25, b"\1", worker=4)
    yield "https-tls-often", first + https(24, b"\1") * 3
    yield "https-of-ftps", step(2, 2) + ftps(24, b"x") + ftps(26)
    # Codes: the account has them on (0x80 in the store's answer), or the operator wants them (0xC0).
    coded, required, judged = step(3, 0x91), step(3, 0xD1), step(4, 1)
    code, wrong_code, link, use_link = https(31), https(32), https(33, b"\1"), https(34, b"\2")
    half, changes = first + https(6) + coded + hashed, (28, 29, 30)
    yield "code-key", exchange + key + coded + step(1, 31) + agent
    yield "code-password", exchange + password + coded + hashed + step(1, 31) + agent
    yield "code-wrong", exchange + (password + coded + hashed + step(1, 32)) * 4
    yield "code-unasked", exchange + password + known + step(1, 31)
    yield "code-required", exchange + password + required + hashed
    yield "code-other-name", exchange + password + coded + hashed + step(1, 6, b"bob") + known + hashed + step(1, 31)
    yield "code-joined", step(2, 2) + ftps(32, b"\1") + coded + hashed + agent
    yield "code-after-336", step(2, 2) + ftps(6) + coded + hashed + ftps(31) + agent
    yield "https-code", half + code + https(26) + agent
    yield "https-code-wrong", half + wrong_code + code
    yield "https-code-twice", half + code + code
    yield "https-code-token", half + https(22) + known + code
    yield "https-code-link", half + link + code
    yield "https-code-sign-in", first + https(20) + coded + hashed + code + https(20) + coded + hashed
    yield "https-code-required", first + https(6) + required + hashed + https(26)
    yield "https-code-no-answer", half + code + step(7, 6) + code
    for change in changes:
        yield f"https-change-{change}", first + https(change) + known + hashed + judged + https(6) + known + hashed
        yield f"https-change-{change}-code", first + https(change) + coded + hashed + code + judged
        yield f"https-change-{change}-then-session", first + https(change) + coded + hashed + https(6) + coded + hashed + code
        yield f"https-change-{change}-of-sftp", exchange + step(1, change) + known + hashed + agent
    yield "https-change-weak", first + https(28) + known + hashed + step(4, 3) + https(28) + known + hashed + step(4, 2)
    yield "https-change-hasher-dies", first + https(28) + known + hashed + step(6, 2)
    yield "https-link", first + link + use_link + judged + https(33, b"\3") + https(34, b"\3") + link * 6
    yield "https-link-none", first + https(33, b"\4") + https(34, b"\4") + https(33, bytes([99]))
    yield "https-link-weak", first + use_link + step(4, 3)
    yield "https-lost", first + https(35) + https(35, b"a@b") + https(35)
    yield "https-own", logged_in + b"".join(https(act, b"\1") for act in range(36, 45)) + https(26) + agent + https(36)
    yield "https-own-early", first + https(36)
    yield "https-own-at-once", logged_in + https(36) + https(26) + agent + https(36)
    yield "https-own-kill", logged_in + another(4) + https(6, worker=4) + known + https(45, worker=4)
    yield "https-own-kill-other", logged_in + another(4) + https(6, b"bob", worker=4) + known + hashed + https(45, worker=4) + https(45, b"\1", worker=4)
    for name in ("auth_code", "auth_link", "lost_password"):
        own = {field: sample_value(kind, field) for kind, field in SCHEMA[name]}
        yield f"raw-{name}", first + step(0, 0x84, message(name, **own))
    for name in ("own_show", "key_add", "key_next", "key_remove", "web_next", "web_end", "totp_confirm", "totp_remove", "session_next", "session_kill"):
        own = {field: sample_value(kind, field) for kind, field in SCHEMA[name]}
        yield f"raw-{name}", logged_in + step(0, 0x84, message(name, **own))
    for name in ("auth_token", "tls_keep", "tls_find", "agent_wanted", "sign_out"):
        own = {field: sample_value(kind, field) for kind, field in SCHEMA[name]}
        yield f"raw-{name}", first + step(0, 0x84, message(name, **own))
    for name in ("sign_tls13", "sign_tls12", "data_passive", "data_active"):
        own = {field: sample_value(kind, field) for kind, field in SCHEMA[name]}
        yield f"raw-{name}", login + step(0, 0x44, message(name, **own))
    for name in ("worker_ready", "sign_exchange", "auth_query", "auth_key", "auth_password", "worker_log", "worker_end", "verdict", "store_find", "agent_ready"):
        own = {field: sample_value(kind, field) for kind, field in SCHEMA[name]}
        yield f"raw-{name}", exchange + step(0, 4, message(name, **own))
    yield "raw-descriptors", exchange + step(0, 1, message("client", address=b"x")) + step(0, 2)
    yield "raw-answers", exchange + password + step(3, 0, message("account", 2, name=b"alice", home=b"/h", password=b"$x", key_known=1)) + \
        step(4, 0, message("hashed", 0, hash=b"$x")) + step(5, 0, message("agent_ready", 0, layers=255))


TARGETS = {"message": messages, "password": passwords, "preimage": preimages, "userauth": userauth, "sshkey": sshkeys, "wire": wire, "config": config,
           "audit": audit, "report": report, "sftp": sftp, "ftps": ftps, "http": http, "dispatch": dispatch}


def main():
    for target, seeds in TARGETS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if not old.name.startswith("regression-"):
                old.unlink()
        for name, data in seeds():
            (folder / name).write_bytes(data)
    files = [p for p in CORPUS.rglob("*") if p.is_file()]
    print(f"{len(files)} inputs, {sum(p.stat().st_size for p in files)} bytes")


if __name__ == "__main__":
    main()
