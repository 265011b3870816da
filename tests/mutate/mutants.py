"""The mutants: every fact of the policy's tables changed in turn, read from the sources themselves. A
row that is written in a way that this file cannot read is an error, never left out. Used by mutate.py."""
import re
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DISPATCH, SANDBOX, FILTERS = "monitor/dispatch.c", "common/sandbox.c", "common/filters"

# What a process that was taken over would want most: one row of each, where it has none.
WANTED = ("open", "openat", "execve", "execveat", "fork", "clone", "socket", "connect", "ptrace", "kill", "tgkill", "mount",
          "setuid", "setgid", "unshare", "setns", "bpf", "keyctl", "io_uring_setup", "process_vm_readv", "process_vm_writev",
          "perf_event_open", "userfaultfd", "init_module", "memfd_create", "pidfd_getfd", "sendmmsg", "personality", "reboot")

# A handler that hears a message and does nothing: what is answered by a kill must be refused before.
DEAF = """static int on_mutant(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    (void)m, (void)s, (void)e, (void)why;
    return 0;
}

"""

# Changes that change nothing, each with why: they are counted apart. A name that no change has is an error.
EQUAL = {
    "worker_ready while STARTING: at most 1: 2": "STARTING is left by the first one, and nothing leads back",
    "worker_ready while STARTING: at most 1: UNBOUNDED": "STARTING is left by the first one, and nothing leads back",
    "auth_key while GREETED: allowed while STARTING": "its handler refuses it before a key exchange, and no row signs one there",
    "auth_key while GREETED: allowed while SPARE": "its handler refuses it before a key exchange, and no row signs one there",
    **{f"auth_key while GREETED: from {kind}": f"its handler refuses it before a key exchange, and no row signs one for {kind}"
       for kind in ("FTPS", "HTTPS")},
    **{f"sign_tls{version} while {state}: from SFTP": "its handler finds no TLS key in a session of SFTP"
       for version in (13, 12) for state in ("GREETED", "OPEN")},
    **{f"sign_exchange while {state}: from {kind}": "its handler refuses it: such a worker is told no nonce, without which no exchange fits"
       for state in ("GREETED", "OPEN") for kind in ("FTPS", "HTTPS")},
    **{f"worker_end while GREETED|KNOWN|OPEN: at most 1: {most}": "in ENDING nothing is heard" for most in ("2", "UNBOUNDED")},
    **{f"agent_wanted while KNOWN: at most 1: {most}": "KNOWN is left by the first one, and nothing leads back" for most in ("2", "UNBOUNDED")},
    **{f"agent_wanted while KNOWN: from {kind}": "no session of this kind is ever KNOWN" for kind in ("SFTP", "FTPS")},
    **{f"{message}: heard while STARTING|SPARE|GREETED|CHECKING|KNOWN|OPEN (each)": "it carries a descriptor, which nobody may send to the monitor: it is refused before"
       for message in ("client", "agent_setup", "agent_report_link", "upload_opened", "store_audit_source", "outbox_link", "notify_setup", "notify_outbox")},
    **{f"auth_code while GREETED: allowed while {state}": "its handler refuses a code that is not due, and none is due in this state"
       for state in ("STARTING", "SPARE", "KNOWN", "OPEN")},
}


class Unreadable(Exception):
    pass


@dataclass
class Mutant:
    name: str
    path: str  # of the source that is changed
    text: str  # of it, changed
    test: tuple  # ("hostile", message), ("filters", program, call) or ("closed",)
    cells: tuple = ()  # hostile: what must be told, each; empty: anything
    counts: int = 1
    group: str = field(default="")


def read(path):
    return (TOP / path).read_text()


# ---- the dispatch ------------------------------------------------------------------------------
RULE = re.compile(r"^    \{MSG_(\w+), +([^,]+), +([^,]+), +(\w+), +(\w+), +(\w+)\},$", re.M)


def states():
    return re.findall(r"^ *STATE\((\w+), \"\w+\"\)", read("monitor/monitor.h"), re.M)


def kinds():
    found = re.search(r"^enum worker_kind \{ (.*), WORKER_KINDS \};", read("monitor/monitor.h"), re.M)
    if not found:
        raise Unreadable("monitor/monitor.h: the kinds of worker")
    return re.findall(r"WORKER_(\w+)", found[1])


def messages():
    """Those that travel: what is only ever inside another is no message to common/message.c."""
    parts = re.findall('#include "(.*)"', read("common/messages.def"))
    found = re.findall(r"^MESSAGE\((\w+), (\w+),", "".join(read(part) for part in parts), re.M)
    return [name for name, link in found if link != "NESTED"]


def stands(state, kind):
    """The columns of matrix.txt for a state; KNOWN is HTTPS' alone."""
    if state == "KNOWN" and kind != "HTTPS":
        return ()
    return ("greeted", "keyed", "coded") if state == "GREETED" else (state.lower(),)


def kinds_of(column, source):
    """Those that a row's column names: K_ALL, another set that is defined there, or K(...) | K(...)."""
    if column == "K_ALL":
        return kinds()
    if column.startswith("K_"):
        column = re.search(rf"^#define {column} +\((.*)\)$", source, re.M)[1]
    return re.findall(r"K\((\w+)\)", column)


def dispatch():
    source = read(DISPATCH)
    rows = list(RULE.finditer(source))
    if not rows or len(rows) != len(re.findall(r"^ *\{MSG_", source, re.M)):
        raise Unreadable(f"{DISPATCH}: a row of the table")
    marker = source.index("// clang-format off\nstatic const struct rule {")
    for row in rows:
        yield from rule_mutants(source, marker, rows, row)
    heard = {row[1] for row in rows}
    live = [s for s in states() if s != "ENDING"]  # there nothing is looked up
    for message in messages():
        if message in heard:
            continue
        added = f"    {{MSG_{message}, K_ALL, {'|'.join(f'S({s})' for s in live)}, UNBOUNDED, on_mutant, STAY}},\n"
        text = source[:marker] + DEAF + source[marker:rows[0].start()] + added + source[rows[0].start():]
        cells = tuple(f"matrix: {kind.lower()}: {message} while {stand}:" for kind in kinds() for s in live for stand in stands(s, kind))
        yield Mutant(f"{message}: heard while {'|'.join(live)} (each)", DISPATCH, text, ("hostile", message), cells, len(live))


def rule_mutants(source, marker, rows, row):
    message, kind, state, most, handler, after = row.groups()
    mine = re.findall(r"S\((\w+)\)", state)
    mine_kinds = kinds_of(kind, source)
    where = f"{message} while {'|'.join(mine)}"

    def changed(name, *columns, deaf=False):
        columns = list(row.groups()[1:]) if not columns else columns
        text = f"    {{MSG_{message}, {', '.join(columns)}}},"
        begin = source[:marker] + (DEAF if deaf else "") + source[marker:row.start()]
        return Mutant(f"{where}: {name}", DISPATCH, begin + text + source[row.end():], ("hostile", message))

    for k in kinds():
        others = [x for x in mine_kinds if x != k] if k in mine_kinds else mine_kinds + [k]
        yield changed(f"{'not ' if k in mine_kinds else ''}from {k}", "|".join(f"K({x})" for x in others) or "0", state, most, handler, after)
    for s in mine:
        yield changed(f"refused while {s}", kind, "|".join(f"S({x})" for x in mine if x != s) or "0", most, handler, after)
    everywhere = {s for other in rows if other[1] == message for s in re.findall(r"S\((\w+)\)", other[3])}
    for s in states():
        if s not in everywhere and any(stands(s, k) for k in mine_kinds) and s != "ENDING":  # in a later state, what is heard once is used up
            often = "UNBOUNDED" if most == "1" else most
            yield changed(f"allowed while {s}{', any number' if most == '1' else ''}", kind, f"{state}|S({s})", often, handler, after)
    if most == "UNBOUNDED":
        yield changed("at most any: 1000", kind, state, "1000", handler, after)
    else:
        for other in (str(int(most) + 1), "UNBOUNDED"):
            yield changed(f"at most {most}: {other}", kind, state, other, handler, after)
        if int(most) > 1:
            yield changed(f"at most {most}: {int(most) - 1}", kind, state, str(int(most) - 1), handler, after)
    handlers = sorted({other[5] for other in rows})
    yield changed("another's handler", kind, state, most, handlers[handlers.index(handler) - 1], after)
    yield changed("no handler", kind, state, most, "on_mutant", after, deaf=True)
    for other in ["STAY"] + [f"STATE_{s}" for s in states()]:
        stays = len(mine) == 1 and {other, after} == {"STAY", f"STATE_{mine[0]}"}
        if other != after and not stays:
            yield changed(f"then {other}, not {after}", kind, state, most, handler, other)


# ---- the filters -------------------------------------------------------------------------------
ROW = re.compile(r"^ROW\((\w+), (.+), (\"[^\"]*\")\)$", re.M)


def processes():
    found = re.findall(r"^PROCESS\((\w+), \"([\w-]+)\"", read("common/filters.def"), re.M)
    if sorted(f"{name.lower()}.def" for name, _ in found) != sorted(p.name for p in (TOP / FILTERS).glob("*.def")):
        raise Unreadable(f"{FILTERS}.def: not the files of {FILTERS}/")
    return found


def bent(condition):
    """A condition on arguments, each way that it could be wrong."""
    if condition == "ANY":
        return
    yield "ANY"
    if m := re.fullmatch(r"FD_IS\((\d+)\)", condition):
        yield f"FD_IS({int(m[1]) + 1})"
        yield f"FD_FROM({m[1]})"
    elif m := re.fullmatch(r"(FD_FROM\(|ARG_GE\(\d, )(\d+)\)", condition):
        yield f"{m[1]}{int(m[2]) - 1})"
        yield f"{m[1]}{int(m[2]) + 1})"
    elif m := re.fullmatch(r"ARG_EQ\((\d), (\w+)\)", condition):
        yield f"ARG_EQ({m[1]}, {m[2]} + 1)"
        yield f"ARG_BITS({m[1]}, UINT32_MAX, {m[2]})"
    elif m := re.fullmatch(r"NOT_EXECUTABLE\((\d)\)", condition):
        yield f"ARG_BITS({m[1]}, PROT_WRITE, 0)"
        yield f"ARG_BITS({m[1]}, PROT_EXEC | PROT_WRITE, 0)"
    elif condition == "PRIVATE_MEMORY":
        yield "NOT_EXECUTABLE(2)"
        yield "ARG_BITS(3, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS)"
    else:
        raise Unreadable(f"how would {condition} be changed? tests/mutate/mutants.py must know")


def filters():
    for name, program in processes():
        path = f"{FILTERS}/{name.lower()}.def"
        source = read(path)
        rows = list(ROW.finditer(source))
        if not rows or len(rows) != len(re.findall(r"^ROW\(", source, re.M)):
            raise Unreadable(f"{path}: a row")
        for row in rows:
            call, condition, why = row.groups()

            def changed(what, text):
                return Mutant(f"{program}: {call}, {condition}: {what}", path,
                              source[:row.start()] + text + source[row.end():], ("filters", program, call))

            yield changed("no such row", "")
            for other in bent(condition):
                yield changed(f"{other} instead", f"ROW({call}, {other}, {why})")
        have = {row[1] for row in rows}
        for call in WANTED:
            if call not in have:
                yield Mutant(f"{program}: {call}: one row more", path, source + f'ROW({call}, ANY, "mutant")\n', ("filters", program, call))


# ---- what makes filters and sandboxes of the tables ----------------------------------------------
PROGRAM = "common/filter_program.c"
BENT = (  # what, where, the code, what it becomes, what must notice
    ("a value in an int's bits only", PROGRAM, "need_bits(p, c->argument, UINT64_MAX, c->value)", "need_bits(p, c->argument, UINT32_MAX, c->value)", "sallyport-sftp recvmsg"),
    ("descriptors in an int's bits only", PROGRAM, "    load_half(p, argument, 1);\n    need(p, BPF_JEQ, 0);\n", "", "sallyport-sftp pread64"),
    ("descriptors without an end", PROGRAM, "    need_not(p, BPF_JGT, UINT16_MAX);\n", "    (void)need_not;\n", "sallyport-files fsync"),
    ("descriptors from one more", PROGRAM, "need(p, BPF_JGE, least)", "need(p, BPF_JGT, least)", "sallyport-sftp pread64"),
    ("descriptors from one less", PROGRAM, "need(p, BPF_JGE, least)", "need(p, BPF_JGE, least - 1)", "sallyport-sftp pread64"),
    ("memory may be executed", PROGRAM, "need_bits(p, 2, PROT_EXEC, 0)", "need_bits(p, 2, 0, 0)", "sallyport-sftp mmap"),
    ("memory may be shared", PROGRAM, "MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS", "MAP_ANONYMOUS, MAP_ANONYMOUS", "sallyport-sftp mmap"),
    ("memory may be a file", PROGRAM, "MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS", "MAP_TYPE, MAP_PRIVATE", "sallyport-sftp mmap"),
    ("bits are not looked at", PROGRAM, "need_bits(p, c->argument, c->mask, c->value)", "need_bits(p, c->argument, 0, 0)", "sallyport-sftp mprotect"),
    ("the upper half of bits is not looked at", PROGRAM, "half < 2; half++", "half < 1; half++", "sallyport-sftp recvmsg"),
    ("conditions are left out", PROGRAM, "if (!by_number)", "if (by_number && !by_number)", "sallyport-sftp recvmsg"),
    ("calls of another architecture are let through", PROGRAM, "ARCHITECTURE, 1, 0)", "ARCHITECTURE, 1, 1)", "sallyport-sftp"),
    ("an error instead of the end", SANDBOX, "filter_load(&filter, SECCOMP_RET_KILL_PROCESS)", "filter_load(&filter, SECCOMP_RET_ERRNO | EPERM)", "sallyport-sftp execve"),
    ("logged instead of the end", SANDBOX, "filter_load(&filter, SECCOMP_RET_KILL_PROCESS)", "filter_load(&filter, SECCOMP_RET_LOG)", "sallyport-sftp execve"),
    ("the monitor is told EPERM", SANDBOX, "filter_load(&filter, SECCOMP_RET_ERRNO | ENOSYS)", "filter_load(&filter, SECCOMP_RET_ERRNO | EPERM)", "sallyportd ptrace"),
    ("the monitor's refusals are logged only", SANDBOX, "filter_load(&filter, SECCOMP_RET_ERRNO | ENOSYS)", "filter_load(&filter, SECCOMP_RET_LOG)", "sallyportd ptrace"),
    ("children's rows are not in the monitor's filter", SANDBOX, "p = PROCESS_MONITOR + 1; p < PROCESS_COUNT", "p = PROCESS_COUNT; p < PROCESS_COUNT", "sallyportd openat2"),
)
STEP = re.compile(r"^    \{\"([^\"]+)\", LAYER_\w+, (\w+), \w+\},\n", re.M)


def sandbox():
    for what, where, old, new, notices in BENT:
        source = read(where)
        if source.count(old) != 1:
            raise Unreadable(f"{where}: {old}: {source.count(old)} times")
        yield Mutant(f"sandbox: {what}", where, source.replace(old, new), ("filters", *notices.split()))
    source = read(SANDBOX)
    steps = list(STEP.finditer(source))
    if len(steps) < 8:
        raise Unreadable(f"{SANDBOX}: the table of steps")
    for step in steps:
        yield Mutant(f"sandbox: without the step \"{step[1]}\"", SANDBOX, source[:step.start()] + source[step.end():], ("closed",))


def everything():
    """All mutants, and how many changes change nothing."""
    found = [(group, m) for group, make in (("dispatch", dispatch), ("filters", filters), ("sandbox", sandbox)) for m in make()]
    for group, mutant in found:
        mutant.group = group
    mutants = [m for _, m in found]
    names = [m.name for m in mutants]
    if twice := {n for n in names if names.count(n) > 1}:
        raise Unreadable(f"two mutants of one name: {sorted(twice)[0]}")
    if stale := set(EQUAL) - set(names):
        raise Unreadable(f"tests/mutate/mutants.py: no such change: {sorted(stale)[0]}")
    return [m for m in mutants if m.name not in EQUAL], len(EQUAL)
