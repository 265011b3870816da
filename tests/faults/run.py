#!/usr/bin/python3
"""`make faults`: every place of the privileged side that makes a call which can fail is made to fail, once
a run, over logins, transfers and a change of an account; and at the start of each process.

First a clean run counts the calls by place (the call, and the stack of our own code above it). Then, for the
first and the last call of each place and each error that it can have, the same again with that call failing.
Whatever failed: no process crashed, nobody was let in by a wrong proof, what was acknowledged is there and in
the audit log, the next session works, and the server is as it was: descriptors, allocations, processes, files.
Ends with "N faults injected at M sites, K unexpected"; what is unexpected is named with the command that
repeats it alone."""
import argparse
import collections
import errno
import hashlib
import json
import multiprocessing
import os
import queue
import random
import re
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/faults"), str(TOP / "tests/e2e")]

import orders as o  # noqa: E402
import paramiko  # noqa: E402
import scenario  # noqa: E402
import server as server_module  # noqa: E402

SETTLE_SECONDS = 40
REPEATS = 4  # growth that goes on so often is a leak
HASHERS = SPARES = 2
WORKERS = ("sallyport-sftp", "sallyport-ftps", "sallyport-https")
# libcrypto 3 sets itself up with its first call, and crashes by itself when it has no memory then. Both
# programs make that call at once when they start.
LIBCRYPTO_START = ("sign_prepare (", "audit_hash (audit_chain.c")
LIBCRYPTO_CRASH = re.compile(r"ended by signal 11|an end with a status of its own: -11|AddressSanitizer: SEGV|==ABORTING")
# Not steps but questions: Landlock's version is asked for twice, and libcap asks how many capabilities there
# are before it clears all of them.
QUESTIONS = {("landlock_create_ruleset", "sandbox_landlock_abi"), ("prctl", "_libcap_initialize")}


def stage(build, place):
    """The programs of the privileged side with the shim, the others as they are, in a folder where any uid
    may pass."""
    for name in o.PROGRAMS:
        shutil.copy2(build / "faults" / name, place / name)
    for name in ("sallyport", "sallyport-notify", *WORKERS):
        shutil.copy2(build / name, place / name)
    sendmail = place / "sendmail"  # a link that was mailed appears whole; what tells of changes is of no interest
    sendmail.write_text('#!/bin/sh\ncd "${0%/*}/mail" && cat > "next.$$" || exit 75\n'
                        'grep -q "/link#" "next.$$" && exec mv "next.$$" message\nexec rm "next.$$"\n')
    sendmail.chmod(0o755)
    (place / "mail").mkdir()
    (place / "mail").chmod(0o777)


class Unexpected(Exception):
    pass


class Lane:
    """A server with orders of its own, and what it looked like before."""

    def __init__(self, build, asan):
        self.programs = Path(f"/tmp/sallyport-faults-{os.getpid()}{'-asan' if asan else ''}")
        self.programs.mkdir(0o711)
        self.homes = self.programs / "homes"
        self.homes.mkdir(0o711)
        self.programs.chmod(0o711)
        self.homes.chmod(0o711)
        stage(build, self.programs)
        server_module.BUILD = self.programs
        server_module.PATIENCE = 3 if asan else 1
        self.orders = o.Orders(self.programs)
        self.server = None
        self.number = 0
        self.before = None
        self.keys = None

    def close(self):
        try:
            self.drop()
        except SystemExit:
            self.kill()
        finally:
            shutil.rmtree(self.programs, ignore_errors=True)

    # -- a server

    def make(self):
        settings = {"server": {"hashers": HASHERS, "spare_workers": SPARES, "log_level": "info"}, "limits": {"login_grace": 15},
                    "accounts": {"links_an_hour": 1000}, "mail": {"enabled": "yes", "sendmail": self.programs / "sendmail"}}
        self.server = server_module.Server(settings).serve_ftps().serve_https()
        self.server.configure({"server": {"home_base": self.homes}})
        self.server.homes = self.homes
        self.server.mail = self.programs / "mail/message"
        self.server.expected_security = None
        return self.server

    def fill(self):
        """Accounts and files."""
        for name in scenario.ACCOUNTS:
            shutil.rmtree(self.homes / name, ignore_errors=True)
        self.server.add("alice", scenario.PASSWORD, durable=True, atomic=True)
        if self.keys is None:
            self.keys = {name: paramiko.ECDSAKey.generate() for name in ("bob", "erin", "wrong")}
        key = self.keys["bob"]
        self.server.add("bob", None, keys=[f"{key.get_name()} {key.get_base64()} bob"], trash=True)
        for name in ("carol", "dave"):
            self.server.add(name, scenario.PASSWORD)
        self.server.add("erin", scenario.PASSWORD, email=scenario.ADDRESS)
        scenario.reset(self.server)

    def fresh(self):
        """A server that is ready, and has run the whole once without being counted."""
        self.drop()
        self.orders.off()
        self.orders.forget_processes()
        self.make().start()
        self.fill()
        self.settle()
        self.run()
        self.before = self.look()

    def drop(self):
        """The server's end, which must be a good one, with an audit log that is whole."""
        if self.server is None:
            return
        server, self.server = self.server, None
        try:
            if server.running():
                server.command("audit", "verify")
        finally:
            server.close()

    # -- one run

    def run(self, point=None):
        """Returns (what is wrong, what failed)."""
        self.number += 1
        run = scenario.Run(self.server, self.keys, self.number)
        wrong = []
        try:
            run.all()
        except AssertionError as trouble:
            wrong.append(str(trouble))
        if point is not None and self.orders.fired and self.is_step(point) and scenario.AGENTS <= run.done.keys():
            wrong.append("a session was opened though a step of its agent's sandbox failed")
        self.orders.off()
        self.alive()
        self.settle()
        try:
            scenario.next_session(self.server, self.keys)
        except AssertionError:
            raise
        except Exception as trouble:
            wrong.append(f"the next session did not work: {trouble!r}")
        self.settle()
        wrong += run.judge()
        wrong += self.left_behind()
        scenario.reset(self.server)
        return wrong, run.failed

    def is_step(self, point):
        """One of an agent's sandbox, without which it must not go on."""
        if point.program != o.AGENT or point.call not in o.STEPS:
            return False
        return (point.call, point.where(self.programs).split(" ")[0]) not in QUESTIONS

    def alive(self):
        if not self.server.running():
            raise Unexpected(f"the monitor ended with status {self.server.process.returncode}")

    def settle(self):
        """Until there are no sessions, and store, hashers and spares are what they were at first."""
        last = ""

        def quiet():
            nonlocal last
            self.alive()
            done = self.server.command("--json", "status", check=False)
            if done.returncode != 0:
                last = done.stderr
                return False
            s = json.loads(done.stdout)
            names = collections.Counter(p.name for p in self.server.monitor.children())
            last = f"{s} {names}"
            return s["connections"] == 0 and s["store_pid"] and s["hashers"] == HASHERS and s["spares"] == len(WORKERS) * SPARES and sum(names.values()) == 2 + HASHERS + s["spares"]  # the store and sallyport-notify

        try:
            server_module.wait_for("quiet", quiet, SETTLE_SECONDS)
        except server_module.Trouble:
            raise Unexpected(f"the server does not come to rest: {last}") from None

    def left_behind(self):
        """Temporary files, anywhere."""
        known = re.compile(r"accounts\.db(-wal|-journal)?|lock|audit\.(log|head)(\.\d+)?")
        left = [str(p) for p in self.server.homes.rglob(".sallyport-*")]
        left += [str(p) for p in (self.server.place / "state").iterdir() if not known.fullmatch(p.name)]
        return [f"{path} was left behind" for path in left]

    def look(self):
        """Descriptors and allocations of the processes that stay: {program: [(descriptors, allocations)...]}."""
        pids = {self.server.process.pid}
        for program in o.PROGRAMS[1:]:
            pids |= {p.pid for p in self.server.children(program)}
        seen = collections.defaultdict(list)
        for pid, allocations in self.orders.allocations(pids).items():
            try:
                descriptors = len(os.listdir(f"/proc/{pid}/fd"))
            except PermissionError:
                descriptors = 0
            seen[server_module.Process(pid).name].append((descriptors, allocations))
        return {name: (max(d for d, _ in v), max(a for _, a in v)) for name, v in seen.items()}

    def grown(self):
        """Sentences, and the server's new look is kept."""
        now = self.look()
        found = []
        for name, (descriptors, allocations) in now.items():
            was = self.before.get(name, (descriptors, allocations))
            if descriptors > was[0]:
                found.append(f"{name} has {descriptors - was[0]} descriptors more")
            if allocations > was[1]:
                found.append(f"{name} has {allocations - was[1]} allocations more")
        self.before = now
        return found

    # -- a point

    def session_point(self, point):
        """Returns (fired, what is wrong)."""
        if self.server is None or not self.server.running():
            self.fresh()
        log_from = len(self.server.log())
        self.orders.arm(point)
        try:
            wrong, _ = self.run(point)
        except (Unexpected, server_module.Trouble) as trouble:
            wrong = [str(trouble)]
        fired = self.orders.fired
        wrong += self.heard(log_from, point)
        if wrong:
            self.kill()
            return fired, wrong
        grown = self.grown()
        for _ in range(REPEATS):
            if not grown:
                return fired, []
            self.orders.arm(point)
            self.run()
            grown = self.grown()
        if grown:
            # Is it the fault, or does it grow anyway?
            self.run()
            if self.grown():
                grown = []
        return fired, [f"with each such fault {text}" for text in grown]

    def heard(self, log_from, point):
        """Crashes and sanitizers."""
        wrong = []
        crash = self.orders.crash()
        log = self.server.log()[log_from:] if self.server is not None else ""
        report = server_module.SANITIZER.search(log)
        if report:
            wrong.append(f"a sanitizer's report:\n{log[max(0, report.start() - 300):report.start() + 3000]}")
        if crash:
            wrong.append(crash)
        for line in log.splitlines():
            # A link that is full is its worker's doing, or would be.
            full = point.error == errno.EAGAIN and "does not read its answers" in line
            if server_module.SECURITY.search(line) and not full:
                wrong.append(f"a client was blamed: {line}")
        return wrong

    def kill(self):
        """An end without ceremony, for a server that is not what it should be."""
        server, self.server = self.server, None
        if server is None:
            return
        self.last_log = server.log()
        if server.running():
            server.kill()
        shutil.rmtree(server.place, ignore_errors=True)

    def start_point(self, point):
        """The fault at a start: a clear line and an end, or a server that works."""
        server = self.make_again()
        scenario.reset(server)
        audit_from = scenario.audit_end(server)
        self.orders.arm(point)
        wrong = []
        try:
            server.start()
        except server_module.Trouble:
            fired = self.orders.fired
            status = server.process.returncode if server.process else None
            log = server.log()
            wrong = self.heard(0, point)
            if status is None or status <= 0:
                wrong.append(f"neither a start nor an end with a status of its own: {status}\n{log[-1500:]}")
            elif not re.search(r" error: |^sallyportd: ", log, re.M):
                wrong.append(f"an end without a line that says why: {log[-500:]!r}")
            self.orders.off()
            server.killed = True
            return self.again(server, fired, wrong)
        run = scenario.Run(server, self.keys, 0)
        run.audit_from = audit_from
        try:
            run.all()
        except AssertionError as trouble:
            wrong.append(str(trouble))
        fired = self.orders.fired
        self.orders.off()
        try:
            self.settle()
            scenario.next_session(server, self.keys)
            self.settle()
            wrong += run.judge() + self.left_behind() + self.layers()
            scenario.reset(server)
        except (Unexpected, server_module.Trouble, *scenario.TROUBLES) as trouble:
            wrong.append(f"after the start: {trouble!r}")
        wrong += self.heard(0, point)
        if wrong:
            self.kill()
            return fired, wrong
        try:
            self.drop()
        except server_module.Trouble as trouble:
            wrong.append(f"at the end: {trouble}")
        return fired, wrong

    def again(self, server, fired, wrong):
        """After a start that failed, the next one without a fault must not."""
        try:
            server.start()
            self.settle()
        except (Unexpected, server_module.Trouble) as trouble:
            wrong.append(f"the next start failed too: {trouble}")
            self.kill()
            return fired, wrong
        self.drop()
        return fired, wrong

    def layers(self):
        """No layer of any sandbox is missing."""
        now = self.server.json("status")["sandbox"]
        return [f"{name}'s sandbox has {now[name]}, not {self.sandbox[name]}" for name in now if now[name] != self.sandbox[name]]

    # -- starts begin with the state of a server that was set up

    def template(self):
        path = self.programs / "state"
        if not path.exists():
            self.make().start()
            self.fill()
            self.settle()
            scenario.next_session(self.server, self.keys)
            self.settle()
            scenario.reset(self.server)
            self.sandbox = self.server.json("status")["sandbox"]
            self.server.stop()
            self.copy(self.server.place / "state", path)
            self.drop()
        return path

    def make_again(self):
        """A server that was set up, not started."""
        self.drop()
        template = self.template()
        self.orders.off()
        self.orders.forget_processes()
        server = self.make()
        self.copy(template, server.place / "state")
        return server

    @staticmethod
    def copy(one, other):
        shutil.copytree(one, other, dirs_exist_ok=True)
        if os.geteuid() == 0:
            for path in (one, *one.rglob("*")):
                st = path.lstat()
                os.lchown(other / path.relative_to(one), st.st_uid, st.st_gid)

    # -- counting

    def count(self):
        """The places of a start, and those of a session."""
        server = self.make_again()
        self.orders.count(o.START)
        server.start()
        scenario.Run(server, self.keys, 0).all()
        self.orders.off()
        self.settle()
        self.fresh()
        self.orders.count(o.SESSION)
        wrong, failed = self.run()
        if wrong or failed:
            raise Unexpected(f"without any fault: {wrong} {failed}\n{self.server.log()[-3000:]}")
        self.before = self.look()
        return self.orders.sites()


# ---- the whole ------------------------------------------------------------------------------------


def end_in_order():
    """Ctrl-C and SIGTERM end the servers too, also of a run in the background."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(f"{os.getpid()}: ended by signal {n}"))


def work(build, asan, points, results):
    """A lane: points in, (point's number, fired, what is wrong, log) out."""
    end_in_order()
    lane = Lane(build, asan)
    try:
        lane.template()
        while (item := points.get()) is not None:
            results.put((item[0], *attempt(lane, item[1])))
    finally:
        lane.close()
        results.put(None)


def attempt(lane, point):
    lane.last_log = ""
    do = lane.start_point if point.phase == o.START else lane.session_point
    try:
        fired, wrong = do(point)
        if not fired and not wrong:
            fired, wrong = do(point)
    except Exception:  # this program's own trouble is unexpected too
        fired, wrong = lane.orders.fired, [traceback.format_exc()]
        lane.kill()
    known = wrong and fired and point.phase == o.START and point.error == errno.ENOMEM and point.where(lane.programs).startswith(LIBCRYPTO_START)
    crashes = [text for text in wrong if known and LIBCRYPTO_CRASH.search(text)]
    return fired, [text for text in wrong if text not in crashes], bool(crashes), lane.last_log


class Tally:
    def __init__(self, build):
        self.build, self.injected, self.unreached, self.bad, self.crashes = build, 0, 0, 0, 0
        self.sites, self.missed = set(), {}
        self.began = time.monotonic()

    def add(self, point, fired, wrong, crashed, log):
        self.crashes += crashed
        if fired:
            self.injected += 1
            self.sites.add((point.phase, point.key))
        elif not wrong:
            self.unreached += 1
            self.missed[(point.phase, point.key)] = point
        if wrong:
            self.bad += 1
            print(f"UNEXPECTED {point}\n  at {point.where(self.build / 'faults')}")
            for text in wrong:
                print("  " + text.replace("\n", "\n    "))
            print("  log:\n    " + "\n    ".join(log.splitlines()[-12:]))
            print(f"  repeat: make faults VARIANT={self.build.name} O='-p {point.name}'", flush=True)

    def tell(self):
        seconds = time.monotonic() - self.began
        if self.crashes:
            print(f"{self.crashes} times libcrypto crashed by itself in its first call at a start, without memory")
        missed = [point for site, point in self.missed.items() if site not in self.sites]
        for point in missed:
            print(f"not reached again: {point}\n  at {point.where(self.build / 'faults')}")
        print(f"{self.unreached} calls, {len(missed)} sites not reached again; {seconds:.0f} s")
        print(f"{self.injected} faults injected at {len(self.sites)} sites, {self.bad} unexpected")
        return 1 if self.bad or not self.injected else 0


def all_points(sites, options):
    points = [p for site in sites for p in o.points_of(site)]
    points.sort(key=lambda p: p.name)
    if options.point:
        points = [p for p in points if p.name in options.point]
    if options.only:
        build = options.build / "faults"
        points = [p for p in points if re.search(options.only, f"{p} at {p.where(build)}")]
    return points


def tell_sites(sites, points):
    for phase in (o.START, o.SESSION):
        for number, program in enumerate(o.PROGRAMS):
            own = [s for s in sites if s.program == number and s.calls[phase]]
            count = sum(p.phase == phase and p.program == number for p in points)
            print(f"{program}, {o.PHASES[phase]}: {sum(s.calls[phase] for s in own)} calls that can fail at {len(own)} sites, {count} faults to try")


def sample(lane, points, options, tally):
    """At random, as many as there is time for. The seed's order is one of names: a place more or less in
    another run changes nothing for the others."""
    for point in sorted(points, key=lambda p: hashlib.sha256(f"{options.seed} {p.name}".encode()).digest()):
        if time.monotonic() - tally.began > options.seconds:
            break
        tally.add(point, *attempt(lane, point))


def whole(build, asan, points, options, tally):
    todo, results = multiprocessing.Queue(), multiprocessing.Queue()
    todo.cancel_join_thread()  # an end does not wait until somebody has taken all
    lanes = [multiprocessing.Process(target=work, args=(build, asan, todo, results), daemon=True) for _ in range(min(options.jobs, len(points)))]
    for item in enumerate(points):
        todo.put(item)
    for lane in lanes:
        todo.put(None)
        lane.start()
    working, done = len(lanes), 0
    while working:
        try:
            result = results.get(timeout=60)
        except queue.Empty:
            if any(lane.is_alive() for lane in lanes):
                continue
            break
        if result is None:
            working -= 1
            continue
        tally.add(points[result[0]], *result[1:])
        done += 1
        if done % 200 == 0:
            print(f"{done} of {len(points)}, {tally.bad} unexpected", flush=True)
    for lane in lanes:
        lane.join()
    if done < len(points):
        print(f"{len(points) - done} faults were not tried: {[lane.exitcode for lane in lanes]} are the lanes' exit codes")
        tally.bad += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=Path, help="build/release, build/asan")
    parser.add_argument("-t", "--seconds", type=float, help="a random sample, for so long")
    parser.add_argument("-s", "--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of the sample")
    parser.add_argument("-p", "--point", action="append", help="this one alone, as a failure named it")
    parser.add_argument("-o", "--only", help="those whose description or place matches: 'sallyport-store.*fsync', 'own[.]c'")
    parser.add_argument("-j", "--jobs", type=int, default=2 * (os.cpu_count() or 1), help="servers at a time")
    parser.add_argument("-l", "--list", action="store_true", help="only count")
    options = parser.parse_args()
    end_in_order()
    build = options.build.resolve()
    tally = Tally(build)
    lane = Lane(build, "asan" in build.name)
    try:
        sites = lane.count()
        points = all_points(sites, options)
        tell_sites(sites, points)
        if options.list:
            return 0
        if options.seconds:
            print(f"a sample of {options.seconds:.0f} s, seed {options.seed}; repeat: make faults O='-t {options.seconds:.0f} -s {options.seed}'", flush=True)
            sample(lane, points, options, tally)
            return tally.tell()
    finally:
        lane.close()
    whole(build, "asan" in build.name, points, options, tally)
    return tally.tell()


if __name__ == "__main__":
    sys.exit(main())
