"""What an account may not do is refused, whatever the client tries; what it may works."""
import os
import stat

import pytest

import clients
from conftest import same
from server import wait_for


def snapshot(folder):
    return {p.name: p.read_bytes() if p.is_file() else None for p in folder.iterdir()}


def test_an_upload_only_account(shared, place, payload):
    """A letter box: in, and never out again."""
    shared.add("box", rights="write,mkdir")
    client = clients.OpenSSH(shared, place, "box")
    client.batch(f"put {payload(100_000)} letter")
    assert same(payload(100_000), shared.home("box") / "letter")
    for line in (f"get letter {place}/x", "ls /", "rm letter", "rename letter other", f"put {payload(10)} letter"):
        assert client.batch(line, check=False).returncode != 0, line
    assert same(payload(100_000), shared.home("box") / "letter")


def test_a_read_only_account(shared, place, payload):
    shared.add("reader", rights="list,read")
    shared.put_file("book", b"text", "reader")
    client = clients.OpenSSH(shared, place, "reader")
    client.batch(f"get book {place}/book", "ls")
    for line in (f"put {payload(10)} new", f"put {payload(10)} book", "rm book", "mkdir x", "chmod 600 book", "ln -s book link"):
        assert client.batch(line, check=False).returncode != 0, line
    assert snapshot(shared.home("reader")) == {"book": b"text"}


def test_rights_changed_hold_at_the_next_login(shared, place):
    shared.add("later", rights="list")
    client = clients.OpenSSH(shared, place, "later")
    assert client.batch("mkdir x", check=False).returncode != 0
    shared.command("user", "set", "later", "--rights", "+mkdir")
    client.batch("mkdir x")


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "/../etc/passwd", "link/passwd", "a/../../../etc/passwd", "/proc/self/environ"])
def test_nothing_outside_can_be_named(shared, place, path):
    link = shared.home() / "link"
    if not link.is_symlink():
        link.symlink_to("/etc")
    done = clients.OpenSSH(shared, place).batch(f"get {path} {place}/out", check=False)
    assert done.returncode != 0 and not (place / "out").exists()


def test_special_files_are_not_opened(shared, place):
    os.mkfifo(shared.home() / "fifo")
    with clients.Paramiko(shared, place).session() as sftp:
        for mode in ("rb", "wb"):
            with pytest.raises(OSError):
                sftp.open("/fifo", mode).close()
        assert stat.S_ISFIFO(sftp.lstat("/fifo").st_mode)


def test_an_atomic_upload_appears_when_it_is_whole(shared, place, payload):
    shared.add("atom", atomic=True)
    home = shared.home("atom")
    with clients.Paramiko(shared, place, "atom").session() as sftp:
        with sftp.open("/file", "wb") as f:
            f.write(b"x" * 100_000)
            f.flush()
            assert not (home / "file").exists()
        assert (home / "file").stat().st_size == 100_000
        broken = sftp.open("/broken", "wb")
        broken.write(b"x" * 100_000)
        broken.flush()
        sftp.get_channel().get_transport().close()
    wait_for("the end of the session", lambda: not [s for s in shared.sessions() if s["account"] == "atom"])
    assert os.listdir(home) == ["file"], "what was not finished leaves nothing behind"
    clients.OpenSSH(shared, place, "atom").batch(f"put {payload(50_000)} file")
    assert same(payload(50_000), home / "file")


def test_a_durable_account(shared, place, payload):
    shared.add("safe", durable=True)
    clients.OpenSSH(shared, place, "safe").batch(f"put {payload(1_000_000)} file")
    assert same(payload(1_000_000), shared.home("safe") / "file")


@pytest.mark.needs_root
def test_accounts_cannot_reach_each_other(shared, place):
    """By uid: even a home inside another's."""
    shared.add("eve")
    with clients.Paramiko(shared, place, "eve").session() as sftp:
        (shared.home("eve") / "door").symlink_to(shared.home("alice"))
        with pytest.raises(OSError):
            sftp.listdir("/door")
    assert shared.home("eve").stat().st_uid != shared.home("alice").stat().st_uid


def test_a_home_that_is_missing(shared, place):
    home = shared.add("lost")
    home.rmdir()
    done = clients.OpenSSH(shared, place, "lost").batch("pwd", check=False)
    assert done.returncode != 0
    shared.wait_log(r"account lost: .*homes/lost")


@pytest.mark.needs_root
def test_a_home_that_is_not_readable(shared, place):
    home = shared.add("shut")
    os.chown(home, 0, 0)
    home.chmod(0o700)
    done = clients.OpenSSH(shared, place, "shut").batch("pwd", check=False)
    assert done.returncode != 0
    shared.wait_log(r"account shut: .*homes/shut")


def test_modes_follow_the_umask(make_server, place, payload):
    server = make_server({"server": {"umask": "0027"}})
    server.add()
    clients.OpenSSH(server, place).batch(f"put {payload(10)} file", "mkdir folder")
    assert stat.S_IMODE((server.home() / "file").stat().st_mode) & 0o027 == 0
    assert stat.S_IMODE((server.home() / "folder").stat().st_mode) & 0o027 == 0
