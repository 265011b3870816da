#!/usr/bin/python3
"""`make mutate`: the programs with one fact of the policy changed, one after the other; the tests must
notice each. A mutant is the product, compiled as make compiles it but for one source, so that nothing of
this is in the product. Prints a line for each that survives, ends with "N mutants, N survived"; exit
status 1 if any did, 2 if it could not be tried.
  mutate.py BUILD [--sample] [--seed N] [--only TEXT] [--jobs N] [--verbose] [--list]"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mutants
from mutants import TOP

SAMPLE = {"dispatch": 3, "filters": 6, "sandbox": 1}  # seconds of make check
PATIENCE_S = 300  # of a test, which has its own
CHILDREN = ("sallyport-store", "sallyport-files", "sallyport-hash", "sallyport-sftp", "sallyport-ftps", "sallyport-https")
PROGRAMS = ("sallyportd", *CHILDREN)
TESTS = ("test_filters", "test_closed", "hostile", "hostile-child")


class Failed(Exception):
    pass


class Commands:
    """What make would run to compile a source or link a program."""

    def __init__(self, build):
        self.build = build
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        made = subprocess.run(["make", "-nB", "V=1", f"VARIANT={Path(build).name}", *(f"CC={cc}" for cc in [os.environ.get("CC")] if cc),
                               *(f"{build}/{p}" for p in PROGRAMS + TESTS)], cwd=TOP, env=environment, capture_output=True, text=True)
        if made.returncode != 0:
            raise Failed(f"make -n: {made.stderr}")
        self.lines = made.stdout.splitlines()

    def line(self, target):
        found = {line for line in self.lines if f" -o {self.build}/{target} " in line}
        if len(found) != 1:
            raise Failed(f"{target}: make has {len(found)} commands for it")
        return found.pop()

    def compile(self, source, place, changed):
        """The object of a source, where changed (a path of the tree) has another text in place."""
        target = source[:-2] + ".o"
        line = self.line(target).replace(f"{self.build}/{target}", f"{place}/{target}").replace(" -I. ", f" -I{place} -I. ")
        if changed == source:
            line = line.replace(f" {source}", f" {place}/{source}")
        (TOP / place / target).parent.mkdir(parents=True, exist_ok=True)
        run(f"{line} -w")
        return target

    def link(self, program, place, target):
        line = self.line(program).replace(f" -o {self.build}/{program} ", f" -o {place}/{program} ")
        if f" {self.build}/{target}" not in line:
            raise Failed(f"{program} does not link {target}")
        (TOP / place / program).unlink(missing_ok=True)
        run(line.replace(f" {self.build}/{target}", f" {place}/{target}"))


def run(line):
    made = subprocess.run(line, shell=True, cwd=TOP, capture_output=True, text=True)
    if made.returncode != 0:
        raise Failed(f"{line}\n{made.stderr[-2000:]}")


def test(kind, build, place, all_of_it=True):
    """Run a test over the programs of a folder, or only until something fails. Returns its exit status and what it said."""
    command = {
        "hostile": lambda message: [f"{build}/hostile", "-c" if all_of_it else "-ce", "-w", "5", "-p", "matrix", "-p", "counts", "-m", message, place, "tests/hostile"],
        "filters": lambda *about: [f"{place}/test_filters", *about],
        "closed": lambda: [f"{build}/test_closed"],
    }[kind[0]](*kind[1:])
    environment = dict(os.environ, SALLYPORT_BUILD=str(TOP / place), ASAN_OPTIONS="detect_leaks=0")
    try:
        ran = subprocess.run(command, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                             timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return -1, "it never ended"
    return ran.returncode, ran.stdout + ran.stderr


class Slot:
    """A folder for one mutant at a time: the build's programs, and those that are changed."""

    def __init__(self, commands, number):
        self.commands = commands
        self.place = f"build/mutate/{number}"
        shutil.rmtree(TOP / self.place, ignore_errors=True)
        self.clear()

    def clear(self):
        place = TOP / self.place
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for program in PROGRAMS + TESTS:
            (place / program).symlink_to(TOP / self.commands.build / program)

    def make(self, mutant):
        source = mutant.path if mutant.path.endswith(".c") else "common/filters.c"
        text = TOP / self.place / mutant.path
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(mutant.text)
        target = self.commands.compile(source, self.place, mutant.path)
        programs = {"hostile": ("sallyportd",), "filters": ("test_filters",), "closed": CHILDREN}[mutant.test[0]]
        for program in programs:
            self.commands.link(program, self.place, target)

    def survivors(self, mutant, verbose):
        """The names of what was not noticed; what noticed is printed if asked for."""
        try:
            self.make(mutant)
            status, said = test(mutant.test, self.commands.build, self.place, bool(mutant.cells))
        finally:
            self.clear()
        if status == 0:
            return [mutant.name]
        if verbose:
            telling = [line for line in said.splitlines() if re.search("unexpected: |hostile: |does not|passes|only$|FAILED", line)]
            print(f"noticed: {mutant.name}: exit status {status}: {telling[0] if telling else said[-200:]}", flush=True)
        return [f"{mutant.name}: nothing said of {cell}" for cell in mutant.cells if f"unexpected: {cell}" not in said]


def check_unchanged(commands, tests, jobs):
    """Each test passes as long as nothing is changed: it is the mutant that it notices."""
    def one(kind):
        status, said = test(kind, commands.build, commands.build)
        if status != 0:
            raise Failed(f"{' '.join(kind)} fails without any change:\n{said[-3000:]}")

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(one, kind) for kind in tests]:
            done.result()
    print(f"{len(tests)} tests pass without a change", flush=True)


def choose(all_of_them, options):
    chosen = [m for m in all_of_them if options.only in m.name]
    if not options.sample:
        return chosen
    pick = random.Random(options.seed)
    return [m for group, n in SAMPLE.items() for of in [[m for m in chosen if m.group == group]] for m in pick.sample(of, min(n, len(of)))]


def try_all(commands, chosen, jobs, verbose):
    """Every mutant, some at a time. Returns how many there were and how many survived."""
    free, lock, survived = [Slot(commands, n) for n in range(jobs)], threading.Lock(), []
    tried = 0

    def one(mutant):
        nonlocal tried
        with lock:
            slot = free.pop()
        try:
            left = slot.survivors(mutant, verbose)
        except Failed as e:
            raise Failed(f"{mutant.path}: {mutant.name}: {e}") from e
        finally:
            with lock:
                free.append(slot)
        with lock:
            tried += 1
            if tried % 100 == 0:
                print(f"{tried} of {len(chosen)}", flush=True)
            for name in left:
                print(f"survived: {mutant.path}: {name}; repeat: make mutate ONLY='{mutant.name}'", flush=True)
            survived.extend(left)

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(one, m) for m in chosen]:
            done.result()
    return sum(m.counts for m in chosen), len(survived)


def main():
    parser = argparse.ArgumentParser(description="Change the policy, see the tests fail.")
    parser.add_argument("build")
    parser.add_argument("--sample", action="store_true", help="a few, chosen anew by the seed")
    parser.add_argument("--seed", type=int, help="which few")
    parser.add_argument("--only", default="", help="those whose name has this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="what noticed each")
    parser.add_argument("--list", action="store_true", help="print their names")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        everything, equal = mutants.everything()
        if options.sample and options.seed is None:
            options.seed = int.from_bytes(os.urandom(3), "big")
        chosen = choose(everything, options)
        if options.list:
            print("\n".join(f"{m.group:8} {m.name}" for m in chosen))
            return 0
        if options.sample:
            print(f"{len(chosen)} of {len(everything)} mutants; the same again: make mutate SEED={options.seed}")
            print("\n".join(f"  {m.name}" for m in chosen), flush=True)
        commands = Commands(options.build)
        tests = {(m.test if not options.sample else m.test[0]): m.test for m in chosen}
        check_unchanged(commands, tests.values(), options.jobs)
        total, survived = try_all(commands, chosen, min(options.jobs, len(chosen) or 1), options.verbose)
    except (Failed, mutants.Unreadable) as e:
        print(f"mutate: {e}", file=sys.stderr)
        return 2
    for group in SAMPLE:
        print(f"{group}: {sum(m.counts for m in chosen if m.group == group)}")
    if not options.sample and not options.only:
        print(f"not tried: {equal} changes that change nothing (tests/mutate/mutants.py says why)")
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    print(f"{total} mutants, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
