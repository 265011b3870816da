"""The FTPS servers that people have, from Debian's packages, each with TLS required on both connections,
one account, and its files in one folder; and ours."""
import os
import subprocess
import tempfile
import time
from pathlib import Path

import bench

PACKAGES = ["pure-ftpd", "vsftpd", "proftpd-core", "proftpd-mod-crypto", "libhiredis0.14", "libmemcached11",
            "libmemcachedutil2", "libhashkit2", "libpcre2-posix3"]
PASSWORD = "correct horse"


def certificate(place):
    """A key and certificate of the kind that ours makes, for all of them."""
    key, crt, both = place / "peer.key", place / "peer.crt", place / "peer.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", crt],
                   check=True, capture_output=True)
    both.write_text(key.read_text() + crt.read_text())
    both.chmod(0o600)
    return key, crt, both


def hashed(password):
    """As crypt(3) has it; pure-pw's own choice takes seconds of each login."""
    return subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True).stdout.strip()


class Peer:
    user, password = "bench", PASSWORD

    def __init__(self, root, place, port, tls):
        self.root, self.place, self.port = root, place / self.name, port
        self.key, self.crt, self.both = tls
        self.files = self.place / "files"
        self.files.mkdir(parents=True)
        self.place.chmod(0o755)
        self.env = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu")}

    def start(self):
        self.prepare()
        with open(self.place / "log", "wb") as log:
            self.process = subprocess.Popen(self.command(), env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=bench.on_server_core, cwd="/")
        time.sleep(1)
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} does not start: {(self.place / 'log').read_text()}")
        return self

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        for pid in reversed(bench.family(self.pid)):
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                pass
        self.process.wait(20)

    def own(self, path):
        os.chown(path, *self.ids)


class PureFtpd(Peer):
    name, ids = "pure-ftpd", (60001, 60001)

    def prepare(self):
        os.chown(self.files, *self.ids)
        self.env["PURE_PASSWDFILE"] = str(self.place / "passwd")
        (self.place / "passwd").write_text(f"{self.user}:{hashed(self.password)}:{self.ids[0]}:{self.ids[1]}::{self.files}/./::::::::::::\n")
        subprocess.run([self.root / "usr/bin/pure-pw", "mkdb", self.place / "pdb", "-f", self.place / "passwd"], check=True, env=self.env)

    def command(self):
        return [self.root / "usr/sbin/pure-ftpd", "-S", f"127.0.0.1,{self.port}", "-l", f"puredb:{self.place / 'pdb'}", "-Y", "3",
                "-2", self.both, "-p", "24000:24099", "-A", "-H", "-c", "200", "-C", "200", "-L", "100000:8"]


class Vsftpd(Peer):
    """Its account is the anonymous one: another would need the machine's PAM."""

    name, ids, user = "vsftpd", (1, 1), "anonymous"

    def prepare(self):
        os.chown(self.files, 0, 0)
        (self.place / "empty").mkdir()
        (self.place / "conf").write_text(f"""listen=YES
background=NO
listen_address=127.0.0.1
listen_port={self.port}
anonymous_enable=YES
no_anon_password=YES
anon_root={self.place}
ftp_username=daemon
nopriv_user=nobody
secure_chroot_dir={self.place / 'empty'}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file={self.crt}
rsa_private_key_file={self.key}
pasv_min_port=24100
pasv_max_port=24199
pasv_address=127.0.0.1
seccomp_sandbox=NO
xferlog_enable=NO
max_per_ip=0
""")
        os.chown(self.files, *self.ids)

    def command(self):
        return [self.root / "usr/sbin/vsftpd", self.place / "conf"]


class Proftpd(Peer):
    name, ids = "proftpd", (60001, 60001)

    def prepare(self):
        os.chown(self.files, *self.ids)
        passwd, group = self.place / "passwd", self.place / "group"
        passwd.write_text(f"{self.user}:{hashed(self.password)}:{self.ids[0]}:{self.ids[1]}::{self.files}:/bin/sh\n")
        group.write_text(f"{self.user}:x:{self.ids[1]}:\n")
        passwd.chmod(0o600)
        group.chmod(0o600)
        (self.place / "conf").write_text(f"""ServerType standalone
ServerName bench
ModulePath {self.root}/usr/lib/proftpd
LoadModule mod_tls.c
DefaultAddress 127.0.0.1
Port {self.port}
UseIPv6 off
User nobody
Group nogroup
PidFile {self.place}/pid
ScoreboardFile {self.place}/scoreboard
DelayEngine off
WtmpLog off
TransferLog none
SystemLog {self.place}/system.log
MaxInstances 200
AuthOrder mod_auth_file.c
AuthUserFile {passwd}
AuthGroupFile {group}
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
AllowStoreRestart on
UseSendfile off
PassivePorts 24200 24299
TLSEngine on
TLSRequired on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {self.crt}
TLSECCertificateKeyFile {self.key}
TLSOptions NoSessionReuseRequired
TLSVerifyClient off
TLSRenegotiate none
""")

    def command(self):
        return [self.root / "usr/sbin/proftpd", "-n", "-q", "-c", self.place / "conf"]


class Ours:
    name, user, password = "sallyport", "bench", PASSWORD

    def __init__(self, place):
        import server
        server.BUILD = bench.TOP / "build" / "release"
        tempfile.tempdir = str(place)  # the variable TMPDIR was read before
        self.server = server.Server({"server": {"log_level": "warning", "spare_workers": 8}})
        self.server.serve_ftps()
        before = os.sched_getaffinity(0)
        bench.on_server_core()
        self.server.start()
        os.sched_setaffinity(0, before)
        self.files = self.server.add(self.user, self.password)
        self.port, self.pid = self.server.ftps_port, self.server.process.pid
        self.crt = self.server.place / "keys" / "tls.crt"

    def own(self, path):
        home = self.files.stat()
        os.chown(path, home.st_uid, home.st_gid)

    def stop(self):
        self.server.expected_security = None
        self.server.close()


def start_all(place, free_port):
    root = bench.download(PACKAGES, bench.OUT / "peers")
    tls = certificate(Path(place))
    return [Ours(place)] + [kind(root, Path(place), free_port(), tls).start() for kind in (PureFtpd, Vsftpd, Proftpd)]
