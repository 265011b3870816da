"""What every `make bench-X` shares: servers and clients pinned to a core each, the processor time of a
server with all its processes, runs in turns (machines drift within seconds: only ratios of one run
count), the table and build/bench/X.json."""
import atexit
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "e2e"))
OUT = TOP / "build" / "bench"
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]


def note(text):
    print(text, file=sys.stderr, flush=True)


def pin_self():
    """This process, and the clients that it starts."""
    os.sched_setaffinity(0, {CLIENT_CORE})


def clients_speak(suite):
    """TLS 1.3 with one cipher suite, for every client of this process. Before ssl is loaded, which has no
    call for it."""
    with tempfile.NamedTemporaryFile("w", suffix=".cnf", delete=False) as f:
        f.write(f"""openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = default
[default]
MinProtocol = TLSv1.3
Ciphersuites = {suite}
""")
    atexit.register(os.unlink, f.name)
    os.environ["OPENSSL_CONF"] = f.name


def on_server_core():
    os.sched_setaffinity(0, {SERVER_CORE})


def family(pid):
    """A process and all below it."""
    found = [pid]
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in children:
        found += family(int(child))
    return found


def processor_seconds(pid):
    """Of a process, those below it, and those of theirs that have ended and were waited for."""
    total = 0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(n) for n in fields[11:15])
    return total / TICK


def measured(table, one, work, amount, act, rounds=1, before=None):
    """One run: speed (amount a second) and processor time of the server, of the best round; what comes
    before each is not counted."""
    taken = []
    for _ in range(rounds):
        if before:
            before()
        time.sleep(0.2)
        cpu, began = processor_seconds(one.pid), time.monotonic()
        act()
        wall = time.monotonic() - began
        time.sleep(0.3)
        taken.append((processor_seconds(one.pid) - cpu, wall))
    used, wall = min(taken)
    table.add(work, "speed", one.name, amount / wall)
    table.add(work, "cpu", one.name, used)
    note(f"  {work:18} {one.name:10} {amount / wall:12.1f}/s  {used:7.2f} s")


def own_memory(pid):
    """Bytes of a process and those below it: what they share is counted in parts (PSS)."""
    total = 0
    for one in family(pid):
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


def place_of_files():
    """Memory where there is room for the files, so that no disk is measured."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 6 << 30 else None


@contextlib.contextmanager
def warm(folder, size):
    """Memory for so many bytes, at hand while this lasts. A virtual machine's host takes free memory back,
    and the first use of a page costs several times a transfer's price then; it takes runs of pages only, so
    every other one is kept in use."""
    kept, freed = (Path(folder) / name for name in ("kept", "freed"))
    page = bytes(os.sysconf("SC_PAGESIZE"))
    with open(kept, "wb", buffering=0) as one, open(freed, "wb", buffering=0) as other:
        for _ in range(size // len(page)):
            one.write(page)
            other.write(page)
    freed.unlink()
    try:
        yield
    finally:
        kept.unlink()


def download(packages, target):
    """Debian packages' files, unpacked and not installed: peers that exclude each other."""
    root = target / "root"
    if not (root / "usr").is_dir():
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", *packages], cwd=target, check=True, capture_output=True)
        for package in sorted(target.glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, root], check=True)
    return root


def in_turns(servers, run):
    """In another order each run, so that none is always after the same."""
    return servers[run % len(servers):] + servers[:run % len(servers)]


class Table:
    """figures: speed (more is better), cpu (seconds) and memory (bytes): less is better."""

    def __init__(self, name):
        self.name, self.runs, self.rows = name, {}, []

    def add(self, work, figure, server, value):
        self.runs.setdefault((work, figure), {}).setdefault(server, []).append(value)

    def finish(self, ours):
        """Figures are medians; a ratio is the median of those of each run, whose works were side by side."""
        width = max(len(work) for work, _ in self.runs)
        print(f"{'work':{width}}  figure   peer           ours        theirs      ratio  runs")
        for (work, figure), by_server in self.runs.items():
            mine = statistics.median(by_server[ours])
            for peer, values in by_server.items():
                if peer == ours:
                    continue
                theirs = statistics.median(values)
                ratios = [a / b for a, b in zip(by_server[ours], values) if b]
                ratio = statistics.median(ratios) if ratios else float("nan")
                self.rows.append({"work": work, "peer": peer, "figure": figure, "ours": mine, "theirs": theirs,
                                  "ratio": round(ratio, 3), "runs": len(values)})
                print(f"{work:{width}}  {figure:7}  {peer:13}  {mine:10.4g}  {theirs:10.4g}  {ratio:6.2f}  {len(values):4}")
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{self.name}.json").write_text(json.dumps(self.rows, indent=1) + "\n")
        print(f"speed: more is better; cpu (seconds of processor) and memory: less. {OUT / (self.name + '.json')}")
