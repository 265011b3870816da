"""What the kernel says of every process of the house while clients are connected: ids, capabilities,
filters, roots, descriptors; and that no worker's memory holds a private key or a password hash."""
import io
import os
import re
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import ftps_clients
import https_clients
import sshlow
from server import IS_ROOT, Process, wait_for

WORKER_IDS = range(40000, 45000)
WORKERS = ("sallyport-sftp", "sallyport-ftps", "sallyport-https")
SANDBOXED = (*WORKERS, "sallyport-files", "sallyport-store", "sallyport-hash")
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def busy(make_shared, payload_file, keys):
    """A server with six sessions of four accounts: over SFTP one with a file open for writing and one
    for reading, over FTPS one that has transferred and is idle, over HTTPS one that was let in by a cookie
    and one by a password, both idle. Yields the server and its sessions as the command tells them."""
    server = make_shared(start=False).serve_ftps().serve_https().start()
    server.add("alice", keys=[keys["ed25519"].with_suffix(".pub")])
    server.add("bob")
    server.add("carol")
    server.add("dora")
    server.put_file("read", payload_file)
    clients = [sshlow.login(server, "alice"), sshlow.login(server, "alice"), sshlow.login(server, "bob")]
    writing = clients[0].open("/written", "wb")
    writing.write(b"x" * 100_000)
    writing.flush()
    reading = clients[1].open("/read", "rb")
    assert reading.read(1000)
    ftps = ftps_clients.session(server, "carol")
    ftps.storbinary("STOR stored", io.BytesIO(b"y" * 100_000))
    assert ftps.nlst() == ["stored"]
    browser, program = https_clients.Web(server, "dora"), https_clients.Web(server, "carol", basic=True)
    for web in (browser, program):
        assert web.put("/over-https", b"z" * 100_000).status == 201
    sessions = wait_for("six sessions", lambda: open_sessions(server, 6))
    server.tokens = [browser.token, browser.csrf]
    server.tls = tls_secrets(server)
    wait_for("spares", lambda: len(server.children("sallyport-sftp")) >= 5 and len(server.children("sallyport-ftps")) >= 3
             and len(server.children("sallyport-https")) >= 4 and server.json("status")["spares"] >= 6)
    yield server, sessions
    for client in (browser, program, ftps, server.tls[0]):
        client.close()
    for client in clients:
        client.get_channel().get_transport().close()


@pytest.fixture(scope="module")
def payload_file():
    return os.urandom(1_000_000)


def tls_secrets(server):
    """A connection to the HTTPS port, and what its two ends alone may know: each secret of its TLS
    session, as the client's key log has it."""
    context = https_clients.context_of(server, "1.3")
    context.keylog_filename = str(server.place / "keylog")
    wire = https_clients.Wire(server, context=context)
    assert wire.alive()
    lines = [line.split() for line in (server.place / "keylog").read_text().splitlines() if not line.startswith("#")]
    return wire.socket, {label: bytes.fromhex(secret) for label, _random, secret in lines if "TRAFFIC_SECRET_0" in label}


def open_sessions(server, count):
    sessions = [s for s in server.sessions() if s["account"]]
    return sessions if len(sessions) == count else None


def family(server):
    return [p for p in server.monitor.children() if p.alive()]


def test_the_family_is_complete(busy):
    server, sessions = busy
    names = [p.name for p in family(server)]
    assert names.count("sallyport-store") == 1
    assert names.count("sallyport-hash") == 2
    assert names.count("sallyport-files") == 6
    assert set(names) == set(SANDBOXED)
    assert {s["worker_pid"] for s in sessions} | {s["agent_pid"] for s in sessions} <= {p.pid for p in family(server)}


def test_no_new_privileges_and_seccomp(busy):
    server, _ = busy
    for process in family(server):
        assert process.status["NoNewPrivs"] == "1", process
        assert process.status["Seccomp"] == "2", process
    assert server.monitor.status["Seccomp"] == "2"


def test_no_capability_anywhere(busy):
    server, _ = busy
    for process in family(server):
        status = process.status
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[name], 16) == 0, (process, name)
        if IS_ROOT:
            assert int(status["CapBnd"], 16) == 0, process


@pytest.mark.needs_root
def test_the_monitor_keeps_few_capabilities(busy):
    server, _ = busy
    status = server.monitor.status
    setuid, setgid, kill, setpcap, net_bind, chroot = 7, 6, 5, 8, 10, 18
    allowed = sum(1 << bit for bit in (setuid, setgid, kill, setpcap, net_bind, chroot))
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[name], 16) & ~allowed == 0, name
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, name


@pytest.mark.needs_root
def test_ids(busy):
    server, sessions = busy
    workers = [Process(p.pid) for program in WORKERS for p in server.children(program)]
    uids = []
    for worker in workers:
        status = worker.status
        uid, gid = status["Uid"].split(), status["Gid"].split()
        assert len(set(uid)) == 1 and len(set(gid)) == 1, worker
        assert int(uid[0]) in WORKER_IDS and gid[0] == uid[0], worker
        uids.append(uid[0])
    assert len(set(uids)) == len(workers), "each worker has a uid of its own"
    for session in sessions:
        home = server.home(session["account"]).stat()
        status = Process(session["agent_pid"]).status
        assert status["Uid"].split() == [str(home.st_uid)] * 4
        assert status["Gid"].split() == [str(home.st_gid)] * 4
    assert server.home("alice").stat().st_uid != server.home("bob").stat().st_uid
    for name, number in (("sallyport-store", "39001"), ("sallyport-hash", "39002")):
        for process in server.children(name):
            assert process.status["Uid"].split() == [number] * 4
    for process in family(server):
        assert process.status["Groups"].split() == [], process


@pytest.mark.needs_root
@pytest.mark.parametrize("program", [*WORKERS, "sallyport-files", "sallyport-hash"])
def test_the_root_is_empty(busy, program):
    server, _ = busy
    assert server.children(program)
    for process in server.children(program):
        assert os.listdir(process.path / "root") == [], process


@pytest.mark.needs_root
def test_not_dumpable(busy):
    """/proc/PID belongs to root, not to the process's uid, where it is not dumpable."""
    server, _ = busy
    for process in family(server):
        assert (process.path / "status").stat().st_uid == 0 != int(process.status["Uid"].split()[0]), process
    for process in [*family(server), server.monitor]:
        if process.name != "sallyportd":
            assert re.search(r"Max core file size +0 +0 ", (process.path / "limits").read_text()), process
            assert re.search(r"Max processes +0 +0 ", (process.path / "limits").read_text()), process


def descriptors(process):
    found = {}
    for name in os.listdir(process.path / "fd"):
        try:
            target = os.readlink(process.path / "fd" / name)
            mode = os.stat(process.path / "fd" / name).st_mode
        except FileNotFoundError:
            continue
        kind = "socket" if stat.S_ISSOCK(mode) else "folder" if stat.S_ISDIR(mode) else target
        found[int(name)] = (kind, target)
    return found


@pytest.mark.needs_root
def test_descriptors_of_workers(busy):
    server, sessions = busy
    files = set()
    for session in sessions:
        found = descriptors(Process(session["worker_pid"]))
        assert all(found.pop(n)[1] == "/dev/null" for n in (0, 1)), found
        error = found.pop(2)[1]
        assert error == "/dev/null" or os.environ.get("SALLYPORT_BUILD", "").endswith("asan"), error
        assert [found.pop(n)[0] for n in (3, 4, 5)] == ["socket"] * 3, "monitor, client, agent"
        if session["protocol"] == "https":
            assert found == {}, "no file is open"
        if session["protocol"] == "ftps":
            assert found.pop(6)[1] == "/dev/null", "the place of a data connection, which there is none of"
        for number, (kind, target) in found.items():
            assert target.startswith(str(server.home(session["account"]))), (number, kind, target)
            files.add(os.path.basename(target))
    assert files == {"written", "read"}
    live = {s["worker_pid"] for s in sessions}
    for program, extra in zip(WORKERS, ({}, {6: "/dev/null"}, {})):
        spares = [p for p in server.children(program) if p.pid not in live and 4 not in descriptors(p)]
        assert spares
        for spare in spares:
            found = descriptors(spare)
            assert set(found) == {0, 1, 2, 3, *extra}, spare
            assert all(found[n][1] == target for n, target in extra.items()), spare


@pytest.mark.needs_root
def test_descriptors_of_agents(busy):
    server, sessions = busy
    for session in sessions:
        found = descriptors(Process(session["agent_pid"]))
        assert all(found.pop(n)[1] == "/dev/null" for n in (0, 1))
        found.pop(2)
        sockets = [n for n, (kind, _) in found.items() if kind == "socket"]
        assert len(sockets) == 3, found  # the monitor, the worker, the store
        for number, (kind, target) in found.items():
            if kind != "socket":
                assert target.startswith(str(server.home(session["account"]))) or target == str(server.place / "run" / "empty"), (number, target)


@pytest.mark.needs_root
def test_access_modes_of_what_a_worker_was_handed(busy):
    """Read means read-only, write means write-only."""
    server, sessions = busy
    seen = {}
    for session in sessions:
        process = Process(session["worker_pid"])
        for number, (_, target) in descriptors(process).items():
            if target.startswith(str(server.homes)):
                flags = int(re.search(r"flags:\s+(\d+)", (process.path / "fdinfo" / str(number)).read_text()).group(1), 8)
                seen[os.path.basename(target)] = flags & os.O_ACCMODE
    assert seen == {"written": os.O_WRONLY, "read": os.O_RDONLY}


def memory(process):
    """All that can be read of a process's memory, region by region."""
    with open(process.path / "maps") as maps, open(process.path / "mem", "rb", 0) as mem:
        for line in maps:
            span, permissions = line.split()[:2]
            if permissions[0] != "r" or "[vvar" in line or "[vsyscall]" in line:
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            if end - start > 1 << 33:
                continue  # a sanitizer's shadow
            mem.seek(start)
            while start < end:
                try:
                    piece = mem.read(min(end - start, 1 << 22))
                except OSError:
                    break
                if not piece:
                    break
                yield piece
                start += len(piece)


def private_numbers(server):
    """The bytes that must be nowhere: each private number, as a file has it and as OpenSSL's words."""
    for path in (server.place / "keys").iterdir():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            continue
        if isinstance(key, ed25519.Ed25519PrivateKey):
            yield path.name, key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            number = key.private_numbers().private_value.to_bytes(32, "big")
            yield path.name, number
            yield path.name, number[::-1]
        elif isinstance(key, rsa.RSAPrivateKey):
            numbers = key.private_numbers()
            for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp"):
                value = getattr(numbers, name)
                number = value.to_bytes((value.bit_length() + 7) // 8, "big")
                yield path.name, number[-64:]
                yield path.name, number[::-1][:64]


def password_hashes(server):
    found = set()
    for path in (server.place / "state").iterdir():
        found |= set(re.findall(rb"\$y\$[./A-Za-z0-9$]{40,}", path.read_bytes()))
    return found


@pytest.mark.needs_root
@pytest.mark.slow
def test_no_key_and_no_hash_in_the_memory_of_workers_and_agents(busy):
    server, _ = busy
    needles = list(private_numbers(server))
    assert {name for name, _ in needles} == {"host_ed25519", "host_ecdsa", "host_rsa", "tls.key"}
    hashes = password_hashes(server)
    assert hashes, "the store holds hashes"
    needles += [("password hash", h) for h in hashes]
    # The scan finds what is there: the monitor signs with the Ed25519 seed and the TLS key's number.
    held = b"".join(memory(server.monitor))
    for name in ("host_ed25519", "tls.key"):
        assert any(value in held for key, value in needles if key == name), f"the scan finds {name} where it is"
    token, csrf = server.tokens
    holders = {"token": [], "csrf": [], **{label: [] for label in server.tls[1]}}
    for process in [p for program in (*WORKERS, "sallyport-files") for p in server.children(program)]:
        whole = b"".join(memory(process))
        assert len(whole) > 1_000_000, process
        for name, needle in needles:
            assert needle not in whole, (process, name)
        for name, needle in {"token": token.encode(), "csrf": csrf.encode(), **server.tls[1]}.items():
            if needle in whole:
                holders[name].append(process)
    # What belongs to one connection is in its own worker's memory and in no other's.
    session, = [s for s in server.sessions() if s["account"] == "dora"]
    for name in ("token", "csrf"):
        assert [p.pid for p in holders[name]] == [session["worker_pid"]], name
    for label in server.tls[1]:
        assert len(holders[label]) <= 1 and all(p.name == "sallyport-https" for p in holders[label]), (label, holders[label])
    assert any(holders[label] for label in server.tls[1]), "the scan finds a secret of TLS where it is"
    for secret in [bytes.fromhex(token), *server.tls[1].values()]:
        assert secret not in held, "nor does the monitor keep them"


@pytest.mark.needs_root
def test_files_that_others_may_not_read(busy):
    server, _ = busy
    for path in (server.place / "keys").iterdir():
        if path.suffix not in (".pub", ".crt"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for path in (server.place / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((server.place / "state").stat().st_mode) & 0o077 == 0


def test_status_tells_what_is_in_force(busy):
    server, _ = busy
    status = server.json("status")
    assert status["sessions"] == 6
    assert status["pid"] == server.monitor.pid
    assert bool(status["privileged"]) == IS_ROOT
    text = server.command("status").stdout
    assert ("not started as root" in text) == (not IS_ROOT)


def test_the_log_holds_no_secret(busy):
    server, _ = busy
    log = server.log()
    assert PASSWORD not in log and "$y$" not in log
    for path in (server.place / "state").iterdir():
        for secret in (PASSWORD, *server.tokens):
            assert secret.encode() not in path.read_bytes(), path
        assert bytes.fromhex(server.tokens[0]) not in path.read_bytes(), path
    assert not any(token in log for token in server.tokens)
