"""A sallyport server of a test's own: its folders, its port, its accounts, its end.

Used by every end-to-end test through the fixtures of conftest.py. It is started and ended by pid,
listens on a free port of the loopback addresses, and is looked at from outside only: through its
clients, the `sallyport` command, its log, and /proc.
"""
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SALLYPORT_BUILD", TOP / "build" / "release"))
IS_ROOT = os.geteuid() == 0
SANITIZED = "asan" in BUILD.name
PATIENCE = 3 if SANITIZED else 1  # the sanitizers' build is slower
PROGRAMS = ("sallyportd", "sallyport", "sallyport-store", "sallyport-files", "sallyport-hash", "sallyport-notify",
            "sallyport-sftp", "sallyport-ftps", "sallyport-https")

# The leak checker would need system calls that no process of the house may make.
ENVIRONMENT = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|SUMMARY: ")
SECURITY = re.compile(r": security: ")


class Trouble(AssertionError):
    """The server did not do what every server must."""


def wait_for(what, true, seconds=10.0):
    """Wait until true() is, and return what it gave; a test never sleeps for luck."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        got = true()
        if got:
            return got
        if time.monotonic() > end:
            raise Trouble(f"waited {seconds * PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.02)


def claimed_ports():
    """Ports that no other test process takes, nor the kernel for a client, one after the other and round again: a
    server that is started anew finds its own free. Whoever holds the name of the abstract socket has them."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for first in range(10000, 20000, 100):
        with contextlib.suppress(OSError):
            holder.bind(f"\0sallyport-test-{first}")
            return os.getpid(), holder, itertools.cycle(range(first, first + 100))
    raise Trouble("other test processes have all ports")


_claimed = None


def free_port():
    """A port that is free on 127.0.0.1 and, where there is one, on ::1."""
    global _claimed
    if _claimed is None or _claimed[0] != os.getpid():
        _claimed = claimed_ports()
    for port in itertools.islice(_claimed[2], 100):
        with contextlib.suppress(OSError):
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                if family == socket.AF_INET or has_ipv6():
                    with socket.socket(family) as one:
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
                        one.bind((address, port))
            return port
    raise Trouble("no free port")


def passive_range():
    """Ports for data connections, below those that the kernel gives to clients; each test process
    has its own, as several run at a time."""
    first = 20000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) * 1000
    return f"{first}-{first + 999}"


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as six:
            six.bind(("::1", 0))
        return True
    except OSError:
        return False


def make_place(name="t"):
    """A folder that every uid may pass through (pytest's own are closed to others)."""
    place = Path(tempfile.mkdtemp(prefix=f"sallyport-{name}-"))
    place.chmod(0o711)
    return place


_staged = None


def programs():
    """The build's folder, or as root a copy of it where any uid may pass: the monitor gives up the
    right to pass through other users' closed folders, and some tests start it as another user."""
    global _staged
    if not IS_ROOT or all(p.stat().st_mode & 0o001 for p in [BUILD, *BUILD.parents]):
        return BUILD
    if _staged is None:
        _staged = make_place("programs")
        for name in PROGRAMS:
            shutil.copy2(BUILD / name, _staged / name)
    return _staged


def forget_programs():
    global _staged
    if _staged is not None:
        shutil.rmtree(_staged)
    _staged = None


class Process:
    """What /proc says of a process."""

    def __init__(self, pid):
        self.pid = int(pid)
        self.path = Path("/proc") / str(pid)

    @property
    def status(self):
        return dict(line.split(":\t", 1) for line in (self.path / "status").read_text().splitlines() if ":\t" in line)

    @property
    def name(self):
        try:
            return (self.path / "comm").read_text().strip()
        except OSError:
            return ""

    def alive(self):
        try:
            return self.status["State"][0] not in "ZX"
        except (OSError, ProcessLookupError, KeyError):
            return False

    def children(self):
        try:
            text = (self.path / "task" / str(self.pid) / "children").read_text()
        except OSError:
            return []
        return [Process(pid) for pid in text.split()]

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def __repr__(self):
        return f"<{self.name} {self.pid}>"


_host_keys = {}  # of the first server: making them anew for each takes longer than most tests


class Server:
    """settings: {"limits": {"tries": 3}}, over what a test server has anyway.
    uid: start it as this user (tests that run as root only). own_keys: host keys of its own."""

    def __init__(self, settings=None, uid=None, own_keys=False):
        self.place = make_place()
        self.uid = uid
        self.port = free_port()
        self.conf = self.place / "sallyport.conf"
        self.log_path = self.place / "log"
        self.homes = self.place / "homes"
        self.process = None
        self.expected_security = 0
        self.log_from = 0
        self.killed = False
        for name in ("homes", "keys", "state", "run"):
            (self.place / name).mkdir()
        self.homes.chmod(0o711)
        (self.place / "run").chmod(0o711)
        (self.place / "keys").chmod(0o700)
        (self.place / "state").chmod(0o700)
        self.own_keys = own_keys
        for name, key in () if own_keys else _host_keys.items():
            path = self.place / "keys" / name
            path.touch(0o600)
            path.write_bytes(key)
        if uid is not None:
            for path in (self.place, *self.place.iterdir(), *(self.place / "keys").iterdir()):
                os.chown(path, uid, uid)
        self.settings = {
            "server": {
                "state_dir": self.place / "state",
                "key_dir": self.place / "keys",
                "home_base": self.homes,
                "run_dir": self.place / "run",
                "programs": programs(),
                "hash_cost": 1,
                "spare_workers": 2,
                "log_level": "debug",
            },
            "sftp": {"listen": "127.0.0.1 ::1" if has_ipv6() else "127.0.0.1", "port": self.port},
            "ftps": {"enabled": "no"},
            "https": {"enabled": "no"},
            "mail": {"sendmail": "/bin/false"},  # where a test enables mail and has no relay, none ever leaves
            "limits": {"penalty_exempt": "127.0.0.1 ::1"},
        }
        self.ftps_port = self.implicit_port = self.https_port = self.redirect_port = None
        self.configure(settings or {})
        askpass = self.place / "askpass"
        askpass.write_text('#!/bin/sh\ncase $1 in *Code*) echo "$SALLYPORT_TEST_CODE";; *) printf "%s\\n" "$SALLYPORT_TEST_PASSWORD";; esac\n')
        askpass.chmod(0o755)

    # -- configuration, start, end

    def serve_ftps(self, **settings):
        """FTPS too, explicit and implicit, on ports of its own; before the start."""
        self.ftps_port, self.implicit_port = free_port(), free_port()
        self.configure({"ftps": {
            "enabled": "yes", "listen": self.settings["sftp"]["listen"], "port": self.ftps_port, "implicit": "yes",
            "implicit_port": self.implicit_port, "passive_ports": passive_range(), **settings,
        }})
        return self

    def serve_https(self, **settings):
        """HTTPS too, and the plain HTTP that only redirects, on ports of its own; before the start."""
        self.https_port, self.redirect_port = free_port(), free_port()
        self.configure({"https": {
            "enabled": "yes", "listen": self.settings["sftp"]["listen"], "port": self.https_port,
            "redirect_port": self.redirect_port, **settings,
        }})
        return self

    def configure(self, settings):
        """Change settings and write the file; a running server is not told (see reload)."""
        for section, values in settings.items():
            self.settings.setdefault(section, {}).update(values)
        lines = []
        for section, values in self.settings.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in values.items() if value is not None]
        self.conf.write_text("\n".join(lines) + "\n")

    def start(self):
        command = [str(programs() / "sallyportd"), "-f", "-c", str(self.conf)]
        with open(self.log_path, "ab") as log:
            self.log_from = log.tell()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", user=self.uid, group=self.uid,
                extra_groups=[] if self.uid is not None else None,
                env=ENVIRONMENT,
            )
        self.killed = False
        try:
            wait_for("the server's greeting", self.greets, 20)
            wait_for("the store", lambda: self.command("user", "list", check=False).returncode == 0, 20)
        except Trouble as trouble:
            self.process.kill()
            self.process.wait()
            self.killed = True
            raise Trouble(f"{trouble}\n{self.log()[-3000:]}") from None
        if not _host_keys and not self.own_keys:
            _host_keys.update({p.name: p.read_bytes() for p in (self.place / "keys").iterdir()})
        return self

    def greets(self):
        if self.process.poll() is not None:
            raise Trouble(f"the server ended with status {self.process.returncode} at its start")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.settimeout(5)
                return s.recv(8) == b"SSH-2.0-"
        except OSError:
            return False

    @property
    def monitor(self):
        return Process(self.process.pid)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; it must end by itself, with status 0, and leave no process behind."""
        if self.process is None or self.killed:
            return
        family = self.monitor.children() if self.running() else []
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Trouble(f"the server did not end within 15 s of SIGTERM\n{self.log()[-3000:]}") from None
        self.process = None
        if status != 0:
            raise Trouble(f"the server ended with status {status}\n{self.log()[-3000:]}")
        wait_for(f"the end of {family}", lambda: not any(p.alive() for p in family), 10)

    def kill(self):
        """kill -9: for tests of what happens then."""
        self.process.kill()
        self.process.wait()
        self.killed = True

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        """SIGHUP, and wait until it has been done or refused; returns the log's new lines."""
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        wait_for("a line about the reload", lambda: re.search(r"reload|again", self.log()[before:]), 10)
        return self.log()[before:]

    def close(self):
        """The end of a test: stop, judge the log, remove everything."""
        try:
            self.stop()
            self.judge()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.place, ignore_errors=True)

    def judge(self):
        """No sanitizer spoke, and there were as many security events as the test expected."""
        log = self.log()
        report = SANITIZER.search(log)
        if report:
            raise Trouble(f"a sanitizer's report:\n{log[max(0, report.start() - 500):report.start() + 4000]}")
        events = [line for line in log.splitlines() if SECURITY.search(line)]
        if self.expected_security is not None and len(events) != self.expected_security:
            raise Trouble(
                f"{len(events)} security events, {self.expected_security} expected:\n" + "\n".join(events[:20])
                + "\n...\n" + log[-2000:]
            )

    # -- what it says

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, seconds=10.0):
        return wait_for(f"/{pattern}/ in the log", lambda: re.search(pattern, self.log()), seconds)

    # -- the operator's command

    def command(self, *arguments, stdin=None, check=True, timeout=30):
        done = subprocess.run(
            [str(programs() / "sallyport"), "-c", str(self.conf), *map(str, arguments)],
            input=stdin, text=True, capture_output=True, timeout=timeout * PATIENCE, user=self.uid, group=self.uid,
            extra_groups=[] if self.uid is not None else None,
        )
        if SANITIZER.search(done.stderr):
            raise Trouble(f"sallyport {arguments}: {done.stderr}")
        if check and done.returncode != 0:
            raise Trouble(f"sallyport {' '.join(map(str, arguments))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, **more):
        return json.loads(self.command("--json", *arguments, **more).stdout)

    def audit(self, **fields):
        """The audit log's lines, as dictionaries; only those whose fields match."""
        lines = self.json("audit", "show")
        return [line for line in lines if all(line.get(k) == v for k, v in fields.items())]

    def add(self, name="alice", password="correct horse", keys=(), **options):
        """An account. options: rights="list,read", both=True, expires=..., durable=True, ...
        Returns its home."""
        arguments = ["user", "add", name]
        for option, value in options.items():
            flag = "--" + option.replace("_", "-")
            arguments += [flag] if value is True else [flag, value]
        if password is not None:
            arguments += ["--password-stdin", "--weak"]
        self.command(*arguments, stdin=password + "\n" if password is not None else None)
        for key in keys:
            self.add_key(name, key)
        return self.homes / name

    def add_key(self, name, public):
        """public: a path of a public key's file, or (a text) the line itself."""
        if isinstance(public, Path):
            return self.command("key", "add", name, public)
        return self.command("key", "add", name, "--text", public)

    def home(self, name="alice"):
        return self.homes / name

    def put_file(self, path, data, name="alice"):
        """A file in an account's home, made behind the server's back, owned by the account."""
        target = self.home(name) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        owner = self.home(name).stat()
        with contextlib.suppress(PermissionError):
            os.chown(target, owner.st_uid, owner.st_gid)
        return target

    # -- its processes

    def children(self, program):
        return [p for p in self.monitor.children() if p.name == program[:15] and p.alive()]

    def workers(self):
        """Workers of live sessions (spares wait without a client and are not among them)."""
        return [Process(s["worker_pid"]) for s in self.sessions()]

    def agents(self):
        return [Process(s["agent_pid"]) for s in self.sessions() if s["agent_pid"]]

    def sessions(self):
        return self.json("session", "list")

    def wait_no_sessions(self):
        try:
            wait_for("the end of all sessions", lambda: not self.sessions(), 10)
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{self.sessions()}\n{self.log()[-3000:]}") from None
