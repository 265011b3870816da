"""The FTPS clients that people have, behind one set of verbs: put, get, names, rename, delete,
resume in both directions, mirror. Each drives the real program against one server and account;
`implicit` and `tls` ("1.2", "1.3" or None) say how it connects, where the program can be told.
"""
import contextlib
import ftplib
import os
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from clients import Client
from server import PATIENCE, Trouble, wait_for

VERSIONS = {None: (None, None), "1.2": (ssl.TLSVersion.TLSv1_2,) * 2, "1.3": (ssl.TLSVersion.TLSv1_3,) * 2}


class Ftps(Client):
    implicit_too = True
    versions = ("1.2", "1.3")

    def __init__(self, server, place, user="alice", password="correct horse", implicit=False, tls=None, host="127.0.0.1"):
        super().__init__(server, place, user, password)
        self.implicit, self.tls, self.host = implicit, tls, host
        self.port = server.implicit_port if implicit else server.ftps_port
        self.ca = server.place / "keys" / "tls.crt"
        self.literal = f"[{host}]" if ":" in host else host


class Lftp(Ftps):
    program = "lftp"

    def script(self, *lines, check=True):
        scheme = "ftps" if self.implicit else "ftp"
        priority = {None: "", "1.2": ":-VERS-ALL:+VERS-TLS1.2", "1.3": ":-VERS-ALL:+VERS-TLS1.3"}[self.tls]
        settings = [
            f"set ssl:ca-file {self.ca}", "set ftp:ssl-force yes", "set ftp:ssl-protect-data yes", "set net:max-retries 1",
            "set net:timeout 30", "set cmd:fail-exit yes", "set xfer:log no", f"set ssl:priority NORMAL{priority}",
        ]
        login = f"open -p {self.port} -u {self.user},{self.password.replace(' ', chr(92) + ' ')} {scheme}://{self.literal}"
        return self.run("lftp", "--norc", stdin="\n".join([*settings, login, *lines]) + "\n", check=check, timeout=110)

    def put(self, local, remote):
        self.script(f"put {local} -o {remote}")

    def get(self, remote, local):
        self.script(f"get {remote} -o {local}")

    def names(self, folder):
        return {name.rsplit("/", 1)[-1] for name in self.script(f"nlist {folder}").stdout.split("\n") if name} - {".", ".."}

    def rename(self, old, new):
        self.script(f"mv {old} {new}")

    def delete(self, path):
        self.script(f"rm {path}")

    def resume_put(self, local, remote):
        self.script(f"put -c {local} -o {remote}")

    def resume_get(self, remote, local):
        self.script(f"get -c {remote} -o {local}")

    def mirror_up(self, local, remote):
        self.script(f"mirror -R {local} {remote}")

    def mirror_down(self, remote, local):
        self.script(f"mirror {remote} {local}")


class Curl(Ftps):
    program = "curl"

    def curl(self, *options, path="/", check=True):
        url = f"{'ftps' if self.implicit else 'ftp'}://{self.literal}:{self.port}{path}"
        version = {None: [], "1.2": ["--tls-max", "1.2"], "1.3": ["--tlsv1.3"]}[self.tls]
        return self.run("curl", "-sS", "--cacert", self.ca, "--ssl-reqd", *version, "--user", f"{self.user}:{self.password}",
                        *options, url, check=check, timeout=110)

    def put(self, local, remote):
        self.curl("-T", local, path=remote)

    def get(self, remote, local):
        self.curl("-o", local, path=remote)

    def names(self, folder):
        return set(self.curl("--list-only", path=folder + "/").stdout.split()) - {".", ".."}

    def rename(self, old, new):
        self.curl("-Q", f"RNFR {old}", "-Q", f"RNTO {new}", "--head")

    def delete(self, path):
        self.curl("-Q", f"DELE {path}", "--head")

    def resume_put(self, local, remote):
        self.curl("-C", "-", "-T", local, path=remote)

    def resume_get(self, remote, local):
        self.curl("-C", "-", "-o", local, path=remote)


class Rclone(Ftps):
    """It keeps one TLS session a server: with several control connections, whose it is is chance."""

    program = "rclone"

    def rclone(self, *arguments):
        obscured = self.run("rclone", "obscure", self.password).stdout.strip()
        env = {"TYPE": "ftp", "HOST": self.host, "PORT": str(self.port), "USER": self.user, "PASS": obscured,
               "TLS" if self.implicit else "EXPLICIT_TLS": "true", "TLS_CACHE_SIZE": "32", "CONCURRENCY": "1"}
        self.env.update({f"RCLONE_CONFIG_R_{key}": value for key, value in env.items()})
        self.env.update({"SSL_CERT_FILE": str(self.ca), "RCLONE_CONFIG": "/dev/null"})
        return self.run("rclone", *arguments, "--retries", "1", timeout=110)

    versions = ()

    def put(self, local, remote):
        self.rclone("copyto", local, f"r:{remote}")

    def get(self, remote, local):
        self.rclone("copyto", f"r:{remote}", local)

    def names(self, folder):
        return set(self.rclone("lsf", f"r:{folder}").stdout.split("\n")) - {""}

    def rename(self, old, new):
        self.rclone("moveto", f"r:{old}", f"r:{new}")

    def delete(self, path):
        self.rclone("deletefile", f"r:{path}")

    def mirror_up(self, local, remote):
        self.rclone("copy", local, f"r:{remote}")

    def mirror_down(self, remote, local):
        self.rclone("copy", f"r:{remote}", local)


class Session(ftplib.FTP_TLS):
    """Python's own client. It opens each data connection with a TLS session of its own; with
    `resume` it does what every other client does. `implicit`: TLS from the first byte."""

    encoding = "utf-8"

    def __init__(self, resume=True, implicit=False, **options):
        self.resume, self.implicit = resume, implicit
        super().__init__(**options)

    def connect(self, host, port, timeout=30, source_address=None):
        if not self.implicit:
            return super().connect(host, port, timeout, source_address)
        self.host, self.port, self.timeout = host, port, timeout
        raw = socket.create_connection((host, port), timeout)
        self.af = raw.family
        self.sock = self.context.wrap_socket(raw, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            session = self.sock.session if self.resume else None
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=session)
        return conn, size


def session(server, user="alice", password="correct horse", host="127.0.0.1", implicit=False, tls=None, resume=True, login=True, timeout=60, kind=Session):
    """A logged-in ftplib connection with protected data; the caller closes it."""
    context = ssl.create_default_context(cafile=str(server.place / "keys" / "tls.crt"))
    least, most = VERSIONS[tls]
    if least:
        context.minimum_version, context.maximum_version = least, most
    ftp = kind(resume=resume, implicit=implicit, context=context)
    ftp.connect(host, server.implicit_port if implicit else server.ftps_port, timeout)
    if implicit and login:
        ftplib.FTP.login(ftp, user, password)
        ftp.prot_p()
    elif login:
        ftp.login(user, password)
        ftp.prot_p()
    return ftp


class Talk:
    """A control connection by hand: in the clear, with TLS, or logged in."""

    CLEAR, SECURE, OPEN = range(3)

    def __init__(self, server, state=CLEAR, implicit=False, user="alice", password="correct horse"):
        self.context = ssl.create_default_context(cafile=str(server.place / "keys" / "tls.crt"))
        self.socket = socket.create_connection(("127.0.0.1", server.implicit_port if implicit else server.ftps_port), 20 * PATIENCE)
        self.stream = None if implicit else self.socket.makefile("rb")
        if implicit:
            self.secure()
        self.greeting = self.reply()
        if state != self.CLEAR and not implicit:
            assert self.say("AUTH TLS").startswith("234")
            self.secure()
        if state == self.OPEN:
            for line in (f"USER {user}", f"PASS {password}", "PBSZ 0", "PROT P", "TYPE I"):
                assert self.say(line)[0] in "23"

    def secure(self):
        if self.stream is not None:
            self.stream.close()
        self.socket = self.context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, line):
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\r\n")

    def lines(self):
        """The lines of one reply; fewer than one: the connection has ended."""
        lines = []
        while not lines or lines[-1][3:4] != " " or not lines[-1][:3].isdigit() or lines[-1][:3] != lines[0][:3]:
            line = self.stream.readline().decode()
            if line == "":
                break
            assert line.endswith("\r\n"), line
            lines.append(line[:-2])
        return lines

    def reply(self):
        """The last line of a reply, or of several lines; empty: the connection has ended."""
        return (self.lines() or [""])[-1]

    def say(self, line):
        self.send(line)
        return self.reply()

    def expect(self, line, pattern):
        """The whole reply fits."""
        self.send(line)
        lines = self.lines()
        assert re.search(pattern, "\n".join(lines)), (line, pattern, lines)
        return lines

    def dial(self):
        """A data connection, without TLS yet: it begins when 150 was said (see protect)."""
        port = int(re.search(r"\|\|\|(\d+)\|", self.say("EPSV")).group(1))
        return socket.create_connection(("127.0.0.1", port), 20 * PATIENCE)

    def protect(self, data):
        return self.context.wrap_socket(data, server_hostname="127.0.0.1", session=self.socket.session)

    def fetch(self, line):
        """What a command sends on its data connection."""
        data = self.dial()
        self.expect(line, "^150 ")
        with self.protect(data) as data:
            got = b"".join(iter(lambda: data.recv(65536), b""))
        assert self.reply().startswith("226")
        return got

    def give(self, line, content):
        """The same the other way; returns the replies."""
        data = self.dial()
        before = self.expect(line, "^150 ")
        data = self.protect(data)
        data.sendall(content)
        data.unwrap().close()
        return before[-1], self.reply()


class Ftplib(Ftps):
    def session(self):
        return session(self.server, self.user, self.password, self.host, self.implicit, self.tls)

    def put(self, local, remote):
        with self.session() as ftp, open(local, "rb") as source:
            ftp.storbinary(f"STOR {remote}", source)

    def get(self, remote, local):
        with self.session() as ftp, open(local, "wb") as target:
            ftp.retrbinary(f"RETR {remote}", target.write)

    def names(self, folder):
        with self.session() as ftp:
            return {name for name, facts in ftp.mlsd(folder) if facts["type"] not in ("cdir", "pdir")}

    def rename(self, old, new):
        with self.session() as ftp:
            ftp.rename(old, new)

    def delete(self, path):
        with self.session() as ftp:
            ftp.delete(path)

    def resume_put(self, local, remote):
        with self.session() as ftp, open(local, "rb") as source:
            ftp.voidcmd("TYPE I")
            there = ftp.size(remote)
            source.seek(there)
            ftp.storbinary(f"STOR {remote}", source, rest=there)

    def resume_get(self, remote, local):
        with self.session() as ftp, open(local, "ab") as target:
            ftp.retrbinary(f"RETR {remote}", target.write, rest=os.path.getsize(local))


class Php(Ftps):
    """The ftp extension: it opens each data connection with the newest session that it was given."""

    program = "php"

    def php(self, code):
        script = self.place / "script.php"
        script.write_text(f"""<?php
$c = ftp_ssl_connect("{self.host}", {self.port}, 30) or exit(1);
ftp_login($c, "{self.user}", "{self.password}") && ftp_pasv($c, true) or exit(2);
({code}) or exit(3);
""")
        return self.run("php", "-d", "display_errors=stderr", script)

    def put(self, local, remote):
        self.php(f'ftp_put($c, "{remote}", "{local}", FTP_BINARY)')

    def get(self, remote, local):
        self.php(f'ftp_get($c, "{local}", "{remote}", FTP_BINARY)')

    def names(self, folder):
        found = self.php(f'print(implode("\\n", ftp_nlist($c, "{folder}")))').stdout.split("\n")
        return {name.rsplit("/", 1)[-1] for name in found} - {".", "..", ""}

    def rename(self, old, new):
        self.php(f'ftp_rename($c, "{old}", "{new}")')

    def delete(self, path):
        self.php(f'ftp_delete($c, "{path}")')

    def resume_put(self, local, remote):
        self.php(f'ftp_put($c, "{remote}", "{local}", FTP_BINARY, FTP_AUTORESUME)')

    def resume_get(self, remote, local):
        self.php(f'ftp_get($c, "{local}", "{remote}", FTP_BINARY, filesize("{local}"))')


class FtpSsl(Ftps):
    """netkit's ftp with TLS: it ends uploads without close_notify."""

    program = "ftp-ssl"

    def ftp(self, *lines):
        script = "\n".join([f'user {self.user} "{self.password}"', "binary", *lines, "quit"]) + "\n"
        done = self.run("ftp-ssl", "-p", "-n", "-v", "-z", "secure", "-z", f"cacert={self.ca}", self.host, self.port, stdin=script)
        if any(line[:1] in "45" and line[1:3].isdigit() for line in done.stdout.splitlines()):
            raise Trouble(done.stdout)
        return done.stdout

    def put(self, local, remote):
        self.ftp(f"put {local} {remote}")

    def get(self, remote, local):
        self.ftp(f"get {remote} {local}")

    def names(self, folder):
        lines = [line for line in self.ftp(f"nlist {folder}").splitlines()]
        return {line.rsplit("/", 1)[-1] for line in lines if line.startswith(folder)} - {".", ".."}

    def rename(self, old, new):
        self.ftp(f"rename {old} {new}")

    def delete(self, path):
        self.ftp(f"delete {path}")

    def resume_get(self, remote, local):
        self.ftp(f"reget {remote} {local}")


class FileZilla(Ftps):
    """The program itself on a display without a screen. It takes its queue and the certificate that
    it trusts from its folder; Ctrl+P starts the queue. It asks in a window, for ever, about whatever
    it does not like: then this waits in vain and shows the program's log."""

    program = "filezilla"
    OVERWRITE, RESUME = 1, 5  # what to do where there is a file already
    DOWNLOAD = 16  # flags of a row of the queue
    account = None  # what it gives by ACCT, when it is asked for more than the password
    IDLE = 3  # seconds without a line in its log: it did not hear the key, or was stopped by it

    @classmethod
    def available(cls):
        return all(map(shutil.which, ("filezilla", "Xvfb", "xdotool")))

    def configure(self, transfers):
        self.folder = self.place / "filezilla"
        self.folder.mkdir()
        self.log_path = self.place / "filezilla.log"
        self.words_path = self.place / "words"  # what the program itself says
        certificate = ssl.PEM_cert_to_DER_cert(self.ca.read_text()).hex()
        settings = {"Update Check": 0, "Greeting version": "99.0.0", "Greeting resources": "99", "Prompt password save": 0,
                    "Logging file": self.log_path, "Number of Transfers": 2, "Number of reconnections": 0}
        self.write("filezilla.xml", "Settings", "".join(f'<Setting name="{k}">{v}</Setting>' for k, v in settings.items()))
        self.write("trustedcerts.xml", "TrustedCerts", f"<Certificate><Data>{certificate}</Data><ActivationTime>1</ActivationTime>"
                   f"<ExpirationTime>4102444800</ExpirationTime><Host>{self.host}</Host><Port>{self.port}</Port>"
                   "<TrustSANs>1</TrustSANs></Certificate>")
        self.write_queue(transfers)

    def write(self, name, element, content):
        (self.folder / name).write_text('<?xml version="1.0" encoding="UTF-8"?>\n<FileZilla3 version="3.63.0" platform="*nix">'
                                        f"<{element}>{content}</{element}></FileZilla3>\n")

    def write_queue(self, transfers):
        """As the program itself keeps it (version 7 of its tables)."""
        queue = sqlite3.connect(self.folder / "queue.sqlite3")
        queue.executescript("""PRAGMA encoding = 'UTF-16le'; PRAGMA user_version = 7;
            CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, host TEXT NOT NULL, port INTEGER, user TEXT,
                password TEXT, account TEXT, keyfile TEXT, protocol INTEGER, type INTEGER, logontype INTEGER,
                timezone_offset INTEGER, transfer_mode TEXT, max_connections INTEGER, encoding TEXT, bypass_proxy INTEGER,
                post_login_commands TEXT, name TEXT, parameters TEXT, site_path TEXT DEFAULT NULL);
            CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, server INTEGER NOT NULL, source_file TEXT,
                target_file TEXT, local_path INTEGER, remote_path INTEGER, size INTEGER, error_count INTEGER, priority INTEGER,
                flags INTEGER, default_exists_action INTEGER, extra_flags TEXT);
            CREATE TABLE local_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
            CREATE TABLE remote_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);""")
        protocol = 3 if self.implicit else 4
        queue.execute("INSERT INTO servers (id, host, port, user, password, account, protocol, type, logontype, timezone_offset,"
                      " transfer_mode, max_connections, encoding, bypass_proxy) VALUES (1, ?, ?, ?, ?, ?, ?, 0, ?, 0, 'default', 0, 'Auto', 0)",
                      (self.host, self.port, self.user, self.password, self.account, protocol, 4 if self.account else 1))
        for number, (download, resume, local, remote) in enumerate(transfers, 1):
            local, remote = Path(local), Path(remote)
            source, target = (remote.name, local.name) if download else (local.name, remote.name)
            above = "".join(f" {len(part)} {part}" for part in remote.parent.parts[1:])
            queue.execute("INSERT INTO local_paths VALUES (?, ?)", (number, f"{local.parent}/"))
            queue.execute("INSERT INTO remote_paths VALUES (?, ?)", (number, f"1 0{above}"))
            queue.execute("INSERT INTO files VALUES (?, 1, ?, ?, ?, ?, ?, 0, 2, ?, ?, NULL)",
                          (number, source, target, number, number, self.size(download, local, remote), download * self.DOWNLOAD,
                           self.RESUME if resume else self.OVERWRITE))
        queue.commit()
        queue.close()

    def size(self, download, local, remote):
        return os.path.getsize(self.server.home(self.user) / remote.relative_to("/") if download else local)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @contextlib.contextmanager
    def display(self):
        """A display of its own, whose number is free; its environment. It must not begin anew when its only client, a
        look for the window, has gone: the program may just be coming."""
        reading, writing = os.pipe()
        server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-noreset", "-nolisten", "tcp"], pass_fds=[writing],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writing)
        try:
            with os.fdopen(reading) as number:
                yield {**self.env, "XDG_CONFIG_HOME": str(self.place), "DISPLAY": f":{number.readline().strip()}"}
        finally:
            server.kill()
            server.wait()

    def transfer(self, *transfers):
        """One run of the program. transfers: (download, resume, local path, path on the server)."""
        self.configure(transfers)
        with self.display() as env:
            with open(self.words_path, "w") as words:
                process = subprocess.Popen(["filezilla"], env=env, cwd=self.place, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
            try:
                self.work_off(transfers, process, env)
            except Trouble as trouble:
                raise Trouble(f"{trouble}\n{self.log()[-4000:]}") from None
            finally:
                process.kill()
                process.wait()

    def work_off(self, transfers, process, env):
        seen, since = "", 0.0

        def done():
            nonlocal seen, since
            if process.poll() is not None:
                raise Trouble(f"FileZilla ended by itself, with status {process.returncode}: {self.words_path.read_text(errors='replace')[-1000:]}")
            log, now = self.log(), time.monotonic()
            if log != seen:
                seen, since = log, now
            elif now - since > self.IDLE * PATIENCE and self.press("ctrl+p", env):
                since = now
            return log.count("226 Transfer complete") >= len(transfers) and all(
                os.path.exists(local) and os.path.getsize(local) == self.size(True, local, Path(remote))
                for _download, _resume, local, remote in transfers)

        wait_for("FileZilla's queue to be done", done, 40)

    @staticmethod
    def press(key, env):
        """Is there a window to press it in?"""
        windows = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "FileZilla"], env=env, capture_output=True, text=True)
        if not windows.stdout:
            return False
        pressed = subprocess.run(["xdotool", "windowfocus", windows.stdout.split()[-1], "key", key], env=env, capture_output=True)
        return pressed.returncode == 0


ALL = {"lftp": Lftp, "curl": Curl, "rclone": Rclone, "ftplib": Ftplib, "php": Php, "ftp-ssl": FtpSsl}


def available(program):
    return shutil.which(program) is not None


def client_of(name, ftps, place, **how):
    client = ALL[name]
    if not client.available():
        pytest.skip(f"no {client.program} here")
    if name == "ftp-ssl":
        ftps.command("user", "set", "alice", "--lax-close")
    return client(ftps, place, **how)
