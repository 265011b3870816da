"""Bad configurations, ports, folders and reloads: one clear line each, before anything is started."""
import fcntl
import os
import signal
import re
import signal
import socket
import subprocess
import threading

import pytest

import clients
import sshlow
from server import ENVIRONMENT, IS_ROOT, programs, wait_for

BAD = [  # file, line that is named, what the message says
    ("[sftp]\nprot = 2022\n", 2, r"no setting \"prot\""),
    ("[sftp]\nport = 0\n", 2, r"port"),
    ("[sftp]\nport = 65536\n", 2, r"port"),
    ("[sftp]\nport = ssh\n", 2, r"\"ssh\""),
    ("[sftp]\nport = 20 22\n", 2, r"port"),
    ("\n\n[limits]\ntries = -1\n", 4, r"tries"),
    ("[limits]\ntries =\n", 2, r"tries: \"\" is not a number"),
    ("[sftp]\nlisten =\n", 2, r"a value is needed"),
    ("[ftp]\nport = 21\n", 1, r"no section .*sftp"),
    ("port = 22\n", 1, r"before any \[section\]"),
    ("[sftp\nport = 22\n", 1, r"without its \]"),
    ("[sftp]\njust words\n", 2, r"neither"),
    ("[sftp]\nport = 2022\nport = 2023\n", 3, r"line 2 already"),
    ("[server]\nworker_ids = 40000-39000\n", 2, r"worker_ids"),
    ("[server]\nworker_ids = 40000-50000\naccount_ids = 50000-51000\n", 3, r"overlap"),
    ("[server]\nstore_id = 40001\n", 2, r"overlap"),
    ("[server]\nlog = paper\n", 2, r"stderr"),
    ("[sftp]\nlisten = 127.0.0.1 localhost\n", 2, r"localhost"),
    ("[sftp]\nlisten = 127.0.0.1 127.0.0.1\n", 2, r"cannot both"),
    ("[sftp]\nenabled = perhaps\n", 2, r"perhaps"),
    ("[sftp]\nrekey_bytes = 1K\n", 2, r"rekey_bytes"),
    ("[sftp]\nrekey_bytes = 99999999999999999999G\n", 2, r"rekey_bytes"),
    ("[limits]\npenalty_exempt = 10.0.0.0/33\n", 2, r"10\.0\.0\.0/33"),
    ("[sftp]\nbanner = " + "x" * 5000 + "\n", 2, r"longer than"),
    ("[sftp]\nbanner = x\n" + (" " + "x" * 150 + "\n") * 40, 29, r"banner"),
    ("[sftp]\nport = 2022\x01\n", 2, r"control byte"),
]


@pytest.fixture
def idle(make_server):
    return make_server(start=False, own_keys=True)


def sallyportd(*arguments, timeout=20):
    return subprocess.run([str(programs() / "sallyportd"), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT)


@pytest.mark.parametrize("text,line,what", BAD, ids=range(len(BAD)))
def test_a_bad_line_is_named(idle, text, line, what):
    idle.conf.write_text(text)
    for options in (["-t"], ["-f"]):
        done = sallyportd(*options, "-c", idle.conf)
        assert done.returncode == 2
        assert re.search(rf"{re.escape(str(idle.conf))}:{line}: .*{what}", done.stderr), done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert os.listdir(idle.place / "keys") == [] and os.listdir(idle.place / "state") == []


@pytest.mark.parametrize("path", ["/nonexistent/sallyport.conf", "/", "/dev/null/x"])
def test_a_file_that_cannot_be_read(path):
    done = sallyportd("-t", "-c", path)
    assert done.returncode == 2
    assert path in done.stderr and len(done.stderr.splitlines()) == 1


def test_an_unknown_option_is_refused():
    done = sallyportd("--what")
    assert done.returncode == 2 and "usage" in done.stderr


def test_check_and_dump(idle):
    done = sallyportd("-t", "-c", idle.conf)
    assert done.returncode == 0, done.stderr
    dump = sallyportd("-T", "-c", idle.conf)
    assert dump.returncode == 0
    assert re.search(rf"^port *= *{idle.port}$", dump.stdout, re.MULTILINE)
    again = idle.place / "again.conf"
    again.write_text(dump.stdout)
    assert sallyportd("-T", "-c", again).stdout == dump.stdout, "a dump is a configuration"


def fails_to_start(server, what, options=()):
    done = sallyportd("-f", "-c", server.conf, *options)
    assert done.returncode != 0
    assert re.search(what, done.stderr), done.stderr
    return done


def test_a_port_that_is_taken(idle):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier test may linger on the port
        other.bind(("127.0.0.1", idle.port))
        other.listen()
        fails_to_start(idle, rf"127\.0\.0\.1:{idle.port}.*[Ii]n use|{idle.port}.*in use")
    assert not (idle.place / "state" / "accounts.db").exists(), "nothing was started"


def test_an_address_that_is_not_here(idle):
    idle.configure({"sftp": {"listen": "203.0.113.77"}})
    fails_to_start(idle, r"203\.0\.113\.77")


def test_programs_that_are_not_there(idle):
    idle.configure({"server": {"programs": idle.place / "nothing"}})
    fails_to_start(idle, r"nothing")


def says(server, what, seconds=20):
    """Start it, wait for a line, end it: for troubles of the store, which is tried again and again."""
    process = subprocess.Popen([str(programs() / "sallyportd"), "-f", "-c", str(server.conf)], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    lines = ""
    try:
        for line in process.stderr:
            lines += line
            if re.search(what, line):
                return
        raise AssertionError(f"/{what}/ was not said:\n{lines}")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_state_folder_that_cannot_be_written(idle):
    (idle.place / "state").chmod(0o500)
    try:
        says(idle, r"accounts\.db .*(opened|written)|state")
    finally:
        (idle.place / "state").chmod(0o700)


def test_a_state_folder_that_is_a_file(idle):
    (idle.place / "state").rmdir()
    (idle.place / "state").write_text("")
    fails_to_start(idle, r"state")


def test_a_database_that_is_garbage(idle):
    (idle.place / "state" / "accounts.db").write_bytes(os.urandom(8192))
    if IS_ROOT:
        os.chown(idle.place / "state" / "accounts.db", 39001, 39001)
    says(idle, r"accounts\.db (is no database|is damaged)")
    assert (idle.place / "state" / "accounts.db").stat().st_size == 8192, "it is left for a look"


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"], ids=["empty", "text", "pem"])
def test_a_host_key_that_is_garbage(idle, content):
    path = idle.place / "keys" / "host_ed25519"
    path.write_bytes(content)
    path.chmod(0o600)
    fails_to_start(idle, r"host_ed25519")
    assert path.read_bytes() == content


def test_a_host_key_that_others_can_read(idle):
    idle.start()
    idle.stop()
    (idle.place / "keys" / "host_rsa").chmod(0o644)
    fails_to_start(idle, r"host_rsa")


def test_host_keys_stay_the_same(idle):
    idle.start()
    before = {p.name: p.read_bytes() for p in (idle.place / "keys").iterdir()}
    assert {"host_ed25519", "host_ecdsa", "host_rsa"} <= set(before)
    idle.restart()
    assert {p.name: p.read_bytes() for p in (idle.place / "keys").iterdir()} == before


def test_reload_takes_what_can_change(server, place):
    client = clients.OpenSSH(server, place)
    server.configure({"sftp": {"banner": "welcome to the gate"}})
    assert "not reloaded" not in server.reload()
    done = client.batch("pwd", level="INFO")
    assert "welcome to the gate" in done.stderr


def test_reload_drops_no_session(server, place):
    with clients.Paramiko(server, place).session() as sftp:
        with sftp.open("/file", "wb") as f:
            f.write(b"before")
            server.configure({"limits": {"tries": 2}})
            server.reload()
            f.write(b" and after")
        assert sftp.stat("/file").st_size == 16


@pytest.mark.parametrize("settings,what", [
    ({"sftp": {"port": 1}}, r"sftp\.port cannot change"),
    ({"limits": {"tries": "many"}}, r":\d+: .*many"),
], ids=["fixed", "bad"])
def test_a_reload_that_is_refused_changes_nothing(server, place, settings, what):
    server.configure(settings)
    assert re.search(r"not reloaded.*" + what, server.reload())
    clients.OpenSSH(server, place).batch("pwd")


def test_a_reload_without_readable_keys_changes_nothing(server):
    before = sshlow.kexinit(server)["host_key"]
    for garbled in ("host_ecdsa", "host_ed25519", "host_rsa"):
        path = server.place / "keys" / garbled
        good = path.read_bytes()
        path.write_bytes(b"junk")
        assert "not reloaded" in server.reload()
        for _ in range(4):  # spares of before, then workers started since
            assert sshlow.kexinit(server)["host_key"] == before
        path.write_bytes(good)
    assert "not reloaded" not in server.reload()
    assert sshlow.kexinit(server)["host_key"] == before


def test_reloads_during_logins(server):
    """Spares are replaced at each reload; no client notices."""
    for _ in range(8):
        server.process.send_signal(signal.SIGHUP)
        client = sshlow.login(server)
        server.process.send_signal(signal.SIGHUP)
        assert client.listdir("/") == []
        client.get_channel().get_transport().close()


def test_rsa_keys_where_only_sha2_512_is_taken(server, place, keys):
    server.add_key("alice", keys["rsa2048"].with_suffix(".pub"))
    server.configure({"sftp": {"public_key_algorithms": "rsa-sha2-512"}})
    assert "not reloaded" not in server.reload()
    options = ["-oBatchMode=yes", "-oIdentitiesOnly=yes", "-i", str(keys["rsa2048"]), *clients.ssh_options(server)]
    subprocess.run(["sftp", *options, "-P", str(server.port), "-b", "-", "alice@127.0.0.1"], input="pwd\n", text=True,
                   check=True, timeout=60, capture_output=True)


def test_a_log_that_nobody_reads_stalls_nobody(idle):
    """A terminal that was stopped, a pager that waits."""
    idle.configure({"limits": {"connections_per_address": 500}})  # their workers may end later than they
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([str(programs() / "sallyportd"), "-c", str(idle.conf)], stdin=subprocess.DEVNULL,
                               stdout=writer, stderr=writer, cwd="/", env=ENVIRONMENT)
    os.close(writer)
    idle.process = process
    wait_for("the server's greeting", idle.greets, 20)
    for _ in range(150):  # each leaves a line: far more than this pipe holds
        with socket.create_connection(("127.0.0.1", idle.port), 20) as s:
            s.settimeout(20)
            assert s.recv(4) == b"SSH-"
    os.read(reader, 1 << 20)
    idle.greets()
    wait_for("the loss, told", lambda: idle.greets() and b"found no reader" in os.read(reader, 1 << 20), 20)
    os.close(reader)


def test_reload_by_command(server):
    server.command("reload")
    server.configure({"limits": {"tries": "many"}})
    done = server.command("reload", check=False)
    assert done.returncode != 0 and "many" in done.stderr


def test_a_key_replaced_at_a_reload(server, place):
    """Sessions that began with the old host key go on and rekey with it; new ones see the new."""
    old = (server.place / "keys" / "host_ed25519").read_bytes()
    with clients.Paramiko(server, place).session() as sftp:
        server.command("hostkey", "generate", "--type", "ed25519", "--force")
        assert (server.place / "keys" / "host_ed25519").read_bytes() != old
        server.reload()
        transport = sftp.get_channel().get_transport()
        transport.renegotiate_keys()
        assert sftp.listdir("/") == []
    (server.place / "known_hosts").unlink(missing_ok=True)
    clients.OpenSSH(server, place).batch("pwd")


def test_the_monitor_ends_with_status_0_when_its_terminal_is_gone(make_server):
    """A log that goes nowhere any more stops nothing."""
    server = make_server(start=False)
    reader, writer = os.pipe()
    server.process = subprocess.Popen([str(programs() / "sallyportd"), "-f", "-c", str(server.conf)], stderr=writer, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    os.close(writer)
    wait_for("the greeting", server.greets, 20)
    os.close(reader)
    server.add()
    server.command("status")


def test_systemd_is_told(make_server):
    """sd_notify(3): ready, reloading and ready again, stopping; each when it is so."""
    server = make_server(start=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(server.place / "notify"))
        told.settimeout(20)
        os.chmod(server.place / "notify", 0o666)
        with open(server.log_path, "ab") as log:
            server.process = subprocess.Popen(
                [str(programs() / "sallyportd"), "-f", "-c", str(server.conf)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=ENVIRONMENT | {"NOTIFY_SOCKET": str(server.place / "notify")})
        assert told.recv(256) == b"READY=1"
        assert server.greets()
        server.process.send_signal(signal.SIGHUP)
        assert [told.recv(256), told.recv(256)] == [b"RELOADING=1", b"READY=1"]
        server.process.send_signal(signal.SIGTERM)
        assert told.recv(256) == b"STOPPING=1"
        assert server.process.wait(20) == 0
