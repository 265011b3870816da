"""make bench-https: ours beside nginx, lighttpd, Caddy and Apache of Debian, in turns, under TLS 1.3 with
AES-128-GCM. Needs root (nginx and Apache do). FAST=1: shorter, for a look; ONLY=nginx,caddy: those peers;
WORKS=bulk,10: works whose names begin so."""
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench
import web_peers

bench.clients_speak("TLS_AES_128_GCM_SHA256")
import ssl

from server import free_port

FAST = os.environ.get("FAST") == "1"
BULK = 256 << 20
RUNS = int(os.environ.get("RUNS", "1" if FAST else "5"))
SECONDS = 2 if FAST else 3
MANY, IDLE, FIRST, STARTS = 20000, 50, 50, 50


def trusting():
    """A client's context that takes any certificate; made once, as it takes longer than a connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


TRUSTING = trusting()


class Connection:
    """One connection, kept alive; requests as bytes, answers counted and dropped."""

    def __init__(self, one):
        self.one = one
        self.socket = socket.create_connection(("127.0.0.1", one.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as browsers do
        self.socket = TRUSTING.wrap_socket(self.socket, server_hostname="localhost")
        assert self.socket.cipher()[0] == "TLS_AES_128_GCM_SHA256", self.socket.cipher()
        self.space = memoryview(bytearray(262144))

    def send_head(self, method, path, *fields):
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.one.port}", *fields]
        lines += [self.one.header] if self.one.header and path != self.one.page else []
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def answer(self, good=(200, 201, 204, 206)):
        """The status and how many bytes of content came."""
        text = b""
        while b"\r\n\r\n" not in text:
            piece = self.socket.recv(65536)
            if not piece:
                raise SystemExit(f"{self.one.name}: ended in the middle: {text[:300]}")
            text += piece
        head, content = text.split(b"\r\n\r\n", 1)
        status = int(head.split()[1])
        if status not in good:
            raise SystemExit(f"{self.one.name}: {text[:300]}")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        if length is None:
            while not content.endswith(b"0\r\n\r\n") and status != 204:
                content += self.socket.recv(65536)
            return len(content)
        left = int(length.group(1)) - len(content)
        while left > 0:
            left -= self.socket.recv_into(self.space[:min(left, 262144)])
        return int(length.group(1))

    def get(self, path, *fields):
        self.send_head("GET", path, *fields)
        return self.answer()

    def put(self, path, content):
        self.send_head("PUT", path, f"Content-Length: {len(content)}")
        self.socket.sendall(content)
        self.answer()

    def close(self):
        self.socket.close()


def bulk_down(connection, one):
    for _ in range(4):
        assert connection.get(f"{one.prefix}/bulk") == BULK


def wrk(root, one, path, *fields, connections=4):
    """Requests a second, by a load generator on the clients' core."""
    command = [root / "usr/bin/wrk", "-t", "1", "-c", connections, "-d", f"{SECONDS}s"]
    for field in [*fields, *([one.header] if one.header and path.startswith(one.prefix) else [])]:
        command += ["-H", field]
    env = {**os.environ, "LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu"}
    done = subprocess.run([str(part) for part in [*command, f"https://127.0.0.1:{one.port}{path}"]], capture_output=True,
                          text=True, env=env, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"{one.name}: {done.stdout}")
    return float(re.search(r"Requests/sec: *([\d.]+)", done.stdout).group(1))


def requests(table, root, one, work, path, *fields):
    cpu, began = bench.processor_seconds(one.pid), time.monotonic()
    speed = wrk(root, one, path, *fields)
    wall = time.monotonic() - began
    time.sleep(0.3)
    used = (bench.processor_seconds(one.pid) - cpu) / (speed * wall)
    table.add(work, "speed", one.name, speed)
    table.add(work, "cpu", one.name, used)
    bench.note(f"  {work:22} {one.name:10} {speed:12.1f}/s  {used * 1e6:7.1f} us")


def starts(_table, _root, one, _content):
    """What a worker's start costs, stage by stage: it says so itself, in a log for that."""
    if one.name != "sallyport":
        return
    stages = {}
    with one.another({"log_level": "debug", "spare_workers": 2}) as server:
        for _ in range(STARTS):
            with TRUSTING.wrap_socket(socket.create_connection(("127.0.0.1", server.https_port))):
                pass
            time.sleep(0.05)
        for told in re.findall(r"start, in microseconds of the processor: (.*TLS.*)", server.log()):
            for stage in told.split(", "):
                name, taken = stage.rsplit(" ", 1)
                stages.setdefault(name, []).append(int(taken))
    stages["in all"] = [sum(one) for one in zip(*stages.values())]
    for name, taken in stages.items():
        bench.note(f"  start of a worker: {name:20} {statistics.median(taken):7.0f} us (least {min(taken)})")


def first_byte(table, one):
    for work, path in (("first byte", one.page), ("... of a file", f"{one.prefix}/small")):
        taken = []
        for _ in range(FIRST):
            time.sleep(0.05)  # a spare is there again
            began = time.monotonic()
            connection = Connection(one)
            connection.get(path)
            taken.append(time.monotonic() - began)
            connection.close()
        table.add(work, "milliseconds", one.name, statistics.median(taken) * 1000)
        bench.note(f"  {work:22} {one.name:10} {statistics.median(taken) * 1000:12.2f} ms")


def idle(table, one):
    before = bench.own_memory(one.pid)
    open_ones = [Connection(one) for _ in range(IDLE)]
    for connection in open_ones:
        connection.get(f"{one.prefix}/small")
    time.sleep(2)
    table.add("idle connection", "memory", one.name, (bench.own_memory(one.pid) - before) / IDLE)
    for connection in open_ones:
        connection.close()
    time.sleep(0.5)


def fill(one, source):
    (one.files / "many").mkdir()
    for i in range(MANY):
        path = one.files / "many" / f"a file with a name {i:05}.dat"
        path.touch()
        one.own(path)
    one.own(one.files / "many")
    shutil.copyfile(source, one.files / "bulk")
    (one.files / "small").write_bytes(os.urandom(10240))
    for name in ("bulk", "small"):
        one.own(one.files / name)


def bulk(table, _root, one, content):
    gigabytes = BULK / 1e9
    connection = Connection(one)
    bench.measured(table, one, "bulk down aes128-gcm", 4 * gigabytes, lambda: bulk_down(connection, one))
    if one.puts:
        with bench.warm(one.files, BULK * 5 // 4):
            bench.measured(table, one, "bulk up aes128-gcm", gigabytes, lambda: connection.put(f"{one.prefix}/up", content), 4,
                           lambda: (one.files / "up").unlink(missing_ok=True))
    connection.close()


def listing(table, _root, one, _content):
    if one.listing:
        connection = Connection(one)
        bench.measured(table, one, f"list {MANY}", 1, lambda: connection.get(one.listing), 3)
        connection.close()


def new_connections(table, root, one, _content):
    """Each with one request: for what needs no account (the peers have but files), and for a file."""
    requests(table, root, one, "new connections", one.page, "Connection: close")
    requests(table, root, one, "... for a file", f"{one.prefix}/small", "Connection: close")


WORKS = {
    "bulk": bulk,
    "list": listing,
    "10 KiB": lambda table, root, one, _: requests(table, root, one, "10 KiB kept alive", f"{one.prefix}/small"),
    "64 KiB": lambda table, root, one, _: requests(table, root, one, "64 KiB ranges", f"{one.prefix}/bulk",
                                                   "Range: bytes=1000000-1065535"),
    "new": new_connections,
    "start": starts,
    "first": lambda table, _root, one, _: first_byte(table, one),
    "idle": lambda table, _root, one, _: idle(table, one),
}


def wanted_works():
    names = tuple(os.environ.get("WORKS", "").split(","))
    return [work for name, work in WORKS.items() if name.startswith(names)]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() != 0:
        sys.exit("bench-https: needs root: the peers do")
    bench.pin_self()
    table = bench.Table("https")
    place = tempfile.mkdtemp(prefix="sallyport-bench-", dir=bench.place_of_files())
    os.chmod(place, 0o755)
    wanted = os.environ.get("ONLY", "").split(",")
    servers = []
    try:
        source = Path(place) / "source"
        with open(source, "wb") as f:
            for _ in range(BULK >> 20):
                f.write(os.urandom(1 << 20))
        content = source.read_bytes()
        root, servers = web_peers.start_all(Path(place), free_port)
        for one in servers:
            fill(one, source)
        measured = [one for one in servers if wanted == [""] or one.name in (*wanted, "sallyport")]
        for run in range(RUNS):
            bench.note(f"run {run + 1} of {RUNS}")
            for work in wanted_works():
                for one in bench.in_turns(measured, run):
                    work(table, root, one, content)
        table.finish("sallyport")
    finally:
        for one in servers:
            one.stop()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
