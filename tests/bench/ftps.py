"""make bench-ftps: ours beside pure-ftpd, vsftpd and ProFTPD of Debian, in turns, under TLS 1.3 with
AES-128-GCM. Needs root (the peers do). FAST=1: smaller works, for a look."""
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import bench
import ftp_peers

bench.clients_speak("TLS_AES_128_GCM_SHA256")
import ssl

import ftps_clients
from server import free_port

FAST = os.environ.get("FAST") == "1"
BULK = 256 << 20
RUNS = int(os.environ.get("RUNS", "1" if FAST else "3"))
SMALL, SMALL_SIZE = 1000, 10240
MANY = 20000
LOGINS = 20
IDLE = 20


def context():
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def login(one):
    ftp = ftps_clients.Session(resume=True, context=context())
    ftp.connect("127.0.0.1", one.port)
    ftp.login(one.user, one.password)
    ftp.prot_p()
    ftp.voidcmd("TYPE I")
    assert ftp.sock.cipher()[0] == "TLS_AES_128_GCM_SHA256", ftp.sock.cipher()
    return ftp


def base(one):
    """Where the files are, as the account sees it."""
    return "/files" if one.name == "vsftpd" else ""


def store(ftp, path, content):
    with ftp.transfercmd(f"STOR {path}") as conn:
        conn.sendall(content)
        conn.unwrap()
    ftp.voidresp()


def fetch(ftp, path):
    with ftp.transfercmd(f"RETR {path}") as conn:
        space = bytearray(262144)
        while conn.recv_into(space):
            pass
    ftp.voidresp()


def bulk_down(ftp, one):
    for _ in range(4):
        fetch(ftp, f"{base(one)}/bulk")


def small_up(ftp, one):
    data = os.urandom(SMALL_SIZE)
    for i in range(SMALL):
        store(ftp, f"{base(one)}/small/{i:04}", data)


def small_down(ftp, one):
    for i in range(SMALL):
        fetch(ftp, f"{base(one)}/small/{i:04}")


def listing(ftp, one, verb):
    lines = []
    ftp.retrlines(f"{verb} {base(one)}/many", lines.append)
    if len([line for line in lines if "type=cdir" not in line and "type=pdir" not in line]) < MANY:
        raise SystemExit(f"{one.name}: {verb} shows {len(lines)} of {MANY}")


def logins(one):
    for _ in range(LOGINS):
        with login(one):
            pass


def idle(table, one):
    """Memory of a session that waits."""
    before = bench.own_memory(one.pid)
    open_ones = [login(one) for _ in range(IDLE)]
    time.sleep(1)
    table.add("idle session", "memory", one.name, (bench.own_memory(one.pid) - before) / IDLE)
    for ftp in open_ones:
        ftp.close()
    time.sleep(1)


def fill(one, source):
    for name in ("small", "many"):
        (one.files / name).mkdir()
        one.own(one.files / name)
    for i in range(MANY):
        path = one.files / "many" / f"a file with a name {i:05}.dat"
        path.touch()
        one.own(path)
    shutil.copyfile(source, one.files / "bulk")
    one.own(one.files / "bulk")


def works(table, one, source):
    gigabytes = BULK / 1e9
    with login(one) as ftp:
        content = source.read_bytes()
        bench.measured(table, one, "bulk down aes128-gcm", 4 * gigabytes, lambda: bulk_down(ftp, one))
        with bench.warm(one.files, BULK * 5 // 4):
            bench.measured(table, one, "bulk up aes128-gcm", gigabytes, lambda: store(ftp, f"{base(one)}/up", content), 4,
                     lambda: (one.files / "up").unlink(missing_ok=True))
        bench.measured(table, one, "small files up", SMALL, lambda: small_up(ftp, one))
        bench.measured(table, one, "small files down", SMALL, lambda: small_down(ftp, one))
        bench.measured(table, one, f"list {MANY}", 1, lambda: listing(ftp, one, "LIST"))
        if one.name != "vsftpd":  # has no MLSD
            bench.measured(table, one, f"mlsd {MANY}", 1, lambda: listing(ftp, one, "MLSD"))
    bench.measured(table, one, "login password", LOGINS, lambda: logins(one))
    idle(table, one)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() != 0:
        sys.exit("bench-ftps: needs root: the peers do")
    bench.pin_self()
    table = bench.Table("ftps")
    place = tempfile.mkdtemp(prefix="sallyport-bench-", dir=bench.place_of_files())
    os.chmod(place, 0o755)
    servers = []
    try:
        source = Path(place) / "source"
        with open(source, "wb") as f:
            for _ in range(BULK >> 20):
                f.write(os.urandom(1 << 20))
        servers = ftp_peers.start_all(place, free_port)
        for one in servers:
            fill(one, source)
        for run in range(RUNS):
            bench.note(f"run {run + 1} of {RUNS}")
            for one in bench.in_turns(servers, run):
                works(table, one, source)
        table.finish("sallyport")
    finally:
        for one in servers:
            one.stop()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
