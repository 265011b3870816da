"""The FTPS clients that people have, behind one set of verbs: put, get, names, rename, delete,
resume in both directions, mirror. Each drives the real program against one server and account;
`implicit` and `tls` ("1.2", "1.3" or None) say how it connects, where the program can be told.
"""
import ftplib
import os
import shutil
import socket
import ssl

from clients import Client

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


def session(server, user="alice", password="correct horse", host="127.0.0.1", implicit=False, tls=None, resume=True, login=True, timeout=60):
    """A logged-in ftplib connection with protected data; the caller closes it."""
    context = ssl.create_default_context(cafile=str(server.place / "keys" / "tls.crt"))
    least, most = VERSIONS[tls]
    if least:
        context.minimum_version, context.maximum_version = least, most
    ftp = Session(resume=resume, implicit=implicit, context=context)
    ftp.connect(host, server.implicit_port if implicit else server.ftps_port, timeout)
    if implicit and login:
        ftplib.FTP.login(ftp, user, password)
        ftp.prot_p()
    elif login:
        ftp.login(user, password)
        ftp.prot_p()
    return ftp


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


ALL = {"lftp": Lftp, "curl": Curl, "rclone": Rclone, "ftplib": Ftplib}


def available(program):
    return shutil.which(program) is not None
