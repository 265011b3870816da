"""The audit log: who did what is in it, and a line that was changed, dropped or moved is found."""
import json
import os
import re
import shutil

import paramiko
import pytest

import clients
import sshlow
from server import wait_for


@pytest.fixture(scope="module")
def told(make_shared, tmp_path_factory, payload):
    """A server on which a known story took place, and the lines of its log."""
    server = make_shared()
    server.add("alice")
    place = tmp_path_factory.mktemp("audit")
    server.put_file("there", b"0123456789" * 100)
    clients.OpenSSH(server, place).batch(
        f"put {payload(300_000)} up", f"get there {place}/back", "rename up moved", "mkdir folder", "rmdir folder", "ln -s there link",
        "rm moved", f"put {payload(300_000)} there")
    with pytest.raises(paramiko.SSHException):
        sshlow.login(server, "alice", "wrong")
    with pytest.raises(paramiko.SSHException):
        sshlow.login(server, "nobody", "wrong")
    wait_for("the session's end in the log", lambda: server.audit(event="session-end", account="alice"))
    return server, server.audit()


def one(told, **fields):
    found = [line for line in told[1] if all(line.get(k) == v for k, v in fields.items())]
    assert len(found) == 1, (fields, found, told[1])
    return found[0]


def test_lines_are_numbered_and_dated(told):
    numbers = [line["n"] for line in told[1]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"]) for line in told[1])


def test_the_login(told):
    line = one(told, event="login")
    assert line["account"] == "alice" and line["protocol"] == "sftp" and line["address"] == "127.0.0.1"
    assert "password" in line["text"] and line["session"] > 0


def test_refusals(told):
    known, unknown = [line for line in told[1] if line["event"] == "refused"]
    assert known["account"] == "alice" and "wrong password" in known["text"]
    assert unknown["account"] == "nobody" and "no such account" in unknown["text"]


def test_transfers(told):
    up = one(told, event="upload", path="/up")
    assert up["result"] == "ok" and up["size"] == up["bytes"] == 300_000 and up["claimed"] is True and up["ms"] >= 0
    down = one(told, event="download", path="/there")
    assert down["result"] == "ok" and down["size"] == down["bytes"] == 1000
    again = one(told, event="modify", path="/there")
    assert again["size"] == 300_000


def test_other_operations(told):
    moved = one(told, event="rename")
    assert (moved["path"], moved["to"]) == ("/up", "/moved")
    assert one(told, event="mkdir")["path"] == one(told, event="rmdir")["path"] == "/folder"
    assert one(told, event="remove")["path"] == "/moved"
    assert one(told, event="symlink")["result"] == "ok"
    session = one(told, event="login")["session"]
    assert all(line["session"] == session for line in told[1] if "path" in line)


def test_an_account_change(told):
    assert any("alice" == line.get("account") and line["event"].startswith("account") for line in told[1]), told[1][:5]


def test_no_secret(told):
    text = json.dumps(told[1])
    assert "correct horse" not in text and "$y$" not in text


def test_filters(told):
    server = told[0]
    shown = server.json("audit", "show", "--event", "upload")
    assert [line["path"] for line in shown] == ["/up"]
    assert {line["account"] for line in server.json("audit", "show", "--account", "nobody")} == {"nobody"}
    assert server.json("audit", "show", "--since", "2099-01-01") == []


def copy_state(server, place):
    """A copy of the log to tamper with, and the configuration that names it."""
    state = place / "state"
    state.mkdir(mode=0o700)
    for path in (server.place / "state").glob("audit.*"):
        shutil.copy2(path, state / path.name)
    conf = place / "copy.conf"
    conf.write_text(re.sub(r"state_dir = .*", f"state_dir = {state}", server.conf.read_text()).replace(
        f"run_dir = {server.place}/run", f"run_dir = {place}/run"))
    return state / "audit.log", conf


def verify(server, conf):
    real, server.conf = server.conf, conf
    try:
        return server.command("audit", "verify", check=False)
    finally:
        server.conf = real


def test_a_whole_chain(told, place):
    log, conf = copy_state(told[0], place)
    done = verify(told[0], conf)
    assert done.returncode == 0, done.stdout + done.stderr


def drop(lines):
    return lines[:3] + lines[4:]


def change(lines):
    return [line.replace(b'"/up"', b'"/xp"') for line in lines]


def swap(lines):
    return lines[:3] + [lines[4], lines[3]] + lines[5:]


def insert(lines):
    return lines[:3] + [lines[2]] + lines[3:]


def cut_the_end(lines):
    return lines[:-2]



def empty(_lines):
    return []


@pytest.mark.parametrize("tamper", [drop, change, swap, insert, cut_the_end, empty])
def test_tampering_is_found(told, place, tamper):
    log, conf = copy_state(told[0], place)
    lines = log.read_bytes().splitlines(keepends=True)
    changed = tamper(lines)
    assert changed != lines
    log.write_bytes(b"".join(changed))
    done = verify(told[0], conf)
    assert done.returncode != 0, tamper.__name__
    assert re.search(r"audit\.(log|head)", done.stdout + done.stderr)


def test_rotation_keeps_the_chain(make_server, place, payload):
    server = make_server({"audit": {"rotate_bytes": 4096}})
    server.add()
    for round in range(1, 6):  # what comes at once is written at once, and the file is rotated after it
        clients.OpenSSH(server, place).batch(*(f"put {payload(10)} file{round}-{i}" for i in range(20)))
        wait_for("all uploads", lambda: len(server.audit(event="upload")) == 20 * round)
    files = [p for p in (server.place / "state").iterdir() if p.name.startswith("audit.log")]
    assert len(files) >= 4, files
    numbers = [line["n"] for line in server.audit()]
    assert numbers == list(range(1, len(numbers) + 1))
    server.command("audit", "verify")
    server.restart()
    server.command("audit", "verify")
    rotated = sorted(p for p in files if p.name != "audit.log")
    os.unlink(rotated[1])  # the oldest may go; one in the middle not
    assert server.command("audit", "verify", check=False).returncode != 0


def test_a_download_that_broke_off(make_server, place):
    """The line tells how far it got."""
    server = make_server()
    server.add()
    server.put_file("large", os.urandom(8_000_000))
    sftp = sshlow.login(server)
    f = sftp.open("/large", "rb")
    assert len(f.read(500_000)) == 500_000
    sftp.get_channel().get_transport().close()
    [line] = wait_for("its line", lambda: server.audit(event="download"))
    assert line["size"] == 8_000_000 and 500_000 <= line["bytes"] < 8_000_000
