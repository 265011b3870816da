"""The orders that shim.c reads, and the places that it counts: orders.h as ctypes, faults.def as a table."""
import ctypes
import errno
import mmap
import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = ("sallyportd", "sallyport-store", "sallyport-files", "sallyport-hash")
MONITOR, STORE, AGENT, HASHER = range(4)
FILE, MAGIC = "faults.orders", 0x5A11FA17
OFF, COUNT, FAIL = range(3)
START, SESSION = range(2)
PHASES = ("start", "session")
SHORT = -1


def table():
    """[(name, [error...])], in the order of the shim's numbers."""
    rows = re.findall(r"^FAULT\((\w+), ([A-Z0-9, ]+)\)", (HERE / "faults.def").read_text(), re.M)
    return [(name, [SHORT if e == "SHORT" else getattr(errno, e) for e in errors.split(", ")]) for name, errors in rows]


FUNCTIONS = table()
# Steps of a sandbox: a process that goes on when one of them failed is not where it should be.
STEPS = set(re.findall(r"^FAULT\((\w+)", (HERE / "faults.def").read_text().split("/* the sandbox")[1], re.M))


def error_name(error):
    return "SHORT" if error == SHORT else errno.errorcode[error]


class Site(ctypes.Structure):
    _fields_ = [
        ("key", ctypes.c_uint64), ("caller", ctypes.c_uint64), ("program", ctypes.c_uint32),
        ("function", ctypes.c_uint32), ("calls", ctypes.c_uint32 * 2), ("frames", ctypes.c_uint64 * 12),
    ]


class Process(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_uint32), ("program", ctypes.c_uint32), ("allocations", ctypes.c_int64)]


class Layout(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32), ("size", ctypes.c_uint32), ("mode", ctypes.c_uint32), ("phase", ctypes.c_uint32),
        ("key", ctypes.c_uint64), ("caller", ctypes.c_uint64), ("program", ctypes.c_uint32),
        ("function", ctypes.c_uint32), ("error", ctypes.c_int32), ("left", ctypes.c_int32), ("fired", ctypes.c_uint32),
        ("fired_pid", ctypes.c_uint32), ("crashes", ctypes.c_uint32), ("crash_pid", ctypes.c_uint32),
        ("crash_status", ctypes.c_uint32), ("processes", ctypes.c_uint32), ("process", Process * 8192),
        ("sites", Site * 16384),
    ]


class Point:
    """One call to fail: the nth (from 0) at a place, in a phase, with an error."""

    def __init__(self, site, phase, nth, error):
        self.key, self.caller, self.program, self.function = site.key, site.caller, site.program, site.function
        self.frames = [f for f in site.frames if f]
        self.phase, self.nth, self.error = phase, nth, error

    @property
    def call(self):
        return FUNCTIONS[self.function][0]

    @property
    def name(self):
        """What run.py --point takes."""
        return f"{PHASES[self.phase]}:{self.key:016x}:{self.nth}:{error_name(self.error)}"

    def __str__(self):
        return f"{PROGRAMS[self.program]}, {PHASES[self.phase]}: {self.call} number {self.nth + 1} fails with {error_name(self.error)}"

    def where(self, build):
        """The stack of our own code, in words."""
        return lines_of(str(build / PROGRAMS[self.program]), tuple(self.frames[:8]))


@lru_cache(maxsize=4096)
def lines_of(program, frames):
    if not frames:
        return "?"
    # A return address stands behind the call: look one byte before it.
    out = subprocess.run(["addr2line", "-fse", program, *[hex(f - 1) for f in frames]], capture_output=True, text=True, check=False)
    lines = out.stdout.split("\n")
    return " < ".join(f"{name} ({place.split(' ')[0]})" for name, place in zip(lines[0::2], lines[1::2]) if not name.startswith(("_start", "__libc")))


class Orders:
    """The file beside the programs."""

    def __init__(self, programs):
        path = Path(programs) / FILE
        size = ctypes.sizeof(Layout)
        with open(path, "wb") as f:
            f.truncate(size)
        path.chmod(0o666)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.memory = mmap.mmap(fd, size)
        os.close(fd)
        self.layout = Layout.from_buffer(self.memory)
        self.layout.magic, self.layout.size = MAGIC, size

    def count(self, phase):
        self.layout.phase, self.layout.mode = phase, COUNT

    def off(self):
        self.layout.mode = OFF

    def arm(self, point):
        o = self.layout
        o.mode = OFF
        o.key, o.caller, o.program, o.function = point.key, point.caller, point.program, point.function
        o.error, o.left, o.fired = point.error, point.nth, 0
        o.mode = FAIL

    @property
    def fired(self):
        return self.layout.fired > 0

    def crash(self):
        """How a process ended that nobody here killed, once; None: none did."""
        o = self.layout
        if o.crashes == 0:
            return None
        o.crashes = 0
        return f"process {o.crash_pid} was ended by signal {o.crash_status & 0x7F}"

    def allocations(self, pids):
        """{pid: allocations alive}."""
        o = self.layout
        found = {}
        for i in range(min(o.processes, len(o.process))):
            if o.process[i].pid in pids:
                found[o.process[i].pid] = o.process[i].allocations
        return found

    def forget_processes(self):
        self.layout.processes = 0

    def sites(self):
        found = []
        for site in self.layout.sites:
            if site.key:
                copy = Site()
                ctypes.memmove(ctypes.byref(copy), ctypes.byref(site), ctypes.sizeof(Site))
                found.append(copy)
        return found


def points_of(site):
    """The first and the last call of a place, with each error that its function can have. A start is every
    process's, and the first session after it; for agents, which have a start in every session, and for
    places that are called later too, that is less or nothing."""
    numbers = [(SESSION, n) for n in sorted({0, site.calls[SESSION] - 1}) if site.calls[SESSION]]
    if site.calls[START] and site.program != AGENT:
        numbers += [(START, n) for n in sorted({0} if site.calls[SESSION] else {0, site.calls[START] - 1})]
    for phase, nth in numbers:
        for error in FUNCTIONS[site.function][1]:
            yield Point(site, phase, nth, error)
