"""The web servers that people have, from Debian's packages, each with TLS and its files in one folder; and
ours, whose client shows a password that is remembered (the peers ask for none)."""
import base64
import contextlib
import os
import subprocess
import tempfile
import time

import bench
from ftp_peers import certificate

PACKAGES = ["nginx", "nginx-common", "lighttpd", "lighttpd-mod-openssl", "caddy", "apache2-bin", "libapr1", "libaprutil1", "liblua5.3-0",
            "libnghttp2-14", "wrk", "libluajit-5.1-2"]
ACCOUNT, PASSWORD = "bench", "correct horse"


class Peer:
    header, puts, listing = "", False, None
    prefix, page = "", "/small"

    def __init__(self, root, place, port, tls):
        self.root, self.place, self.port = root, place / self.name, port
        self.key, self.crt, self.both = tls
        self.files = self.place / "files"
        self.files.mkdir(parents=True)
        self.files.chmod(0o777)
        self.place.chmod(0o755)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.place),
                    "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"}

    def start(self):
        self.prepare()
        with open(self.place / "log", "wb") as log:
            self.process = subprocess.Popen([str(part) for part in self.command()], env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=bench.on_server_core, cwd="/")
        time.sleep(1.5)
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} does not start: {(self.place / 'log').read_text()}")
        return self

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def own(self, path):
        path.chmod(0o777 if path.is_dir() else 0o666)


class Nginx(Peer):
    name, puts, listing = "nginx", True, "/many/"

    def prepare(self):
        for folder in ("temp", "logs"):
            (self.place / folder).mkdir()
        (self.place / "conf").write_text(f"""
daemon off; pid {self.place}/pid; error_log {self.place}/error.log; worker_processes 1; user root root;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {self.place}/temp/body; proxy_temp_path {self.place}/temp/proxy; fastcgi_temp_path {self.place}/temp/fastcgi;
  uwsgi_temp_path {self.place}/temp/uwsgi; scgi_temp_path {self.place}/temp/scgi;
  server {{
    listen 127.0.0.1:{self.port} ssl; ssl_certificate {self.crt}; ssl_certificate_key {self.key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m; root {self.files};
    client_max_body_size 0; dav_methods PUT DELETE; autoindex on; autoindex_format json;
  }}
}}
""")

    def command(self):
        return [self.root / "usr/sbin/nginx", "-p", self.place, "-e", self.place / "error.log", "-c", self.place / "conf"]


class Lighttpd(Peer):
    name = "lighttpd"

    def prepare(self):
        (self.place / "conf").write_text(f"""
server.document-root = "{self.files}"
server.port = {self.port}
server.bind = "127.0.0.1"
server.modules = ("mod_openssl")
server.max-keep-alive-requests = 1000000
ssl.engine = "enable"
ssl.pemfile = "{self.crt}"
ssl.privkey = "{self.key}"
""")

    def command(self):
        return [self.root / "usr/sbin/lighttpd", "-D", "-f", self.place / "conf", "-m", self.root / "usr/lib/lighttpd"]


class Caddy(Peer):
    name = "caddy"

    def prepare(self):
        (self.place / "conf").write_text(f"""
{{
  admin off
  auto_https off
  servers {{
    protocols h1
  }}
}}
https://127.0.0.1:{self.port} {{
  tls {self.crt} {self.key}
  root * {self.files}
  file_server
}}
""")
        self.env["GOMAXPROCS"] = "1"

    def command(self):
        return [self.root / "usr/bin/caddy", "run", "--config", self.place / "conf", "--adapter", "caddyfile"]


class Apache(Peer):
    name = "apache"

    def prepare(self):
        modules = self.root / "usr/lib/apache2/modules"
        loads = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in
                          ("mpm_event", "authz_core", "ssl", "socache_shmcb", "mime"))
        types = self.place / "types"
        types.write_text("text/plain txt\n")
        (self.place / "conf").write_text(f"""
{loads}
ServerRoot {self.place}
ServerName 127.0.0.1
PidFile {self.place}/pid
ErrorLog {self.place}/error.log
Listen 127.0.0.1:{self.port}
User nobody
Group nogroup
TypesConfig {types}
KeepAlive On
MaxKeepAliveRequests 0
ServerLimit 2
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 128
DocumentRoot {self.files}
SSLEngine on
SSLCertificateFile {self.crt}
SSLCertificateKeyFile {self.key}
SSLSessionCache shmcb:{self.place}/ssl(512000)
<Directory {self.files}>
  Require all granted
</Directory>
""")

    def command(self):
        return [self.root / "usr/sbin/apache2", "-D", "FOREGROUND", "-f", self.place / "conf"]


class Ours:
    name, puts, listing, prefix, page = "sallyport", True, "/api/list?path=/many", "/files", "/login"

    def __init__(self, place):
        import server
        server.BUILD = bench.TOP / "build" / "release"
        tempfile.tempdir = str(place)  # the variable TMPDIR was read before
        self.make = server.Server
        self.server = self.begin({"log_level": "warning", "spare_workers": 16})
        self.port = self.server.https_port
        self.files = self.server.add(ACCOUNT, PASSWORD)
        self.pid = self.server.process.pid
        self.header = "Authorization: Basic " + base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()

    def begin(self, settings):
        before = os.sched_getaffinity(0)
        bench.on_server_core()
        one = self.make({"server": settings}).serve_https().start()
        os.sched_setaffinity(0, before)
        return one

    @contextlib.contextmanager
    def another(self, settings):
        """A server for a moment, beside the one that is measured."""
        one = self.begin(settings)
        try:
            yield one
        finally:
            one.expected_security = None
            one.close()

    def own(self, path):
        home = self.files.stat()
        os.chown(path, home.st_uid, home.st_gid)

    def stop(self):
        self.server.expected_security = None
        self.server.close()


def start_all(place, free_port):
    root = bench.download(PACKAGES, bench.OUT / "web-peers")
    tls = certificate(place)
    return root, [Ours(place)] + [kind(root, place, free_port(), tls).start() for kind in (Nginx, Lighttpd, Caddy, Apache)]
