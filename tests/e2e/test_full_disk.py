"""A disk that is full: a clear error to whoever asks, nothing acknowledged lost, and all works again
when there is room. A small tmpfs plays the disk, so these need root."""
import contextlib
import os
import subprocess

import pytest

import clients
import sshlow
from server import wait_for

pytestmark = pytest.mark.needs_root


@contextlib.contextmanager
def small_disk(path, size, owner=0):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={owner},gid={owner}", "none", str(path)],
                   check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(path):
    """Write until nothing goes in any more; returns the file that is in the way."""
    filler = path / "filler"
    with open(filler, "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(b"\0" * 4096)
    return filler


def test_the_stores_disk(make_server, place, payload):
    server = make_server(start=False)
    with small_disk(server.place / "state", "2m"):
        server.start()
        server.add("alice")
        filler = fill(server.place / "state")

        # Changes are refused with a reason, and leave nothing half done.
        done = server.command("user", "add", "bob", "--password-stdin", "--weak", stdin="correct horse\n", check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
        assert "full" in done.stderr or "No space left" in done.stderr
        assert [a["name"] for a in server.json("user", "list")] == ["alice"]

        # Logins and transfers go on.
        clients.OpenSSH(server, place).batch(f"put {payload(100_000)} while-full")
        assert (server.home("alice") / "while-full").stat().st_size == 100_000

        filler.unlink()
        wait_for("room", lambda: server.command("user", "add", "bob", "--password-stdin", "--weak", stdin="correct horse\n",
                                                check=False).returncode == 0)
        # What happened while it was full is in the log, and the chain is whole.
        wait_for("the upload's line", lambda: [u for u in server.audit(event="upload") if u["path"] == "/while-full"])
        server.command("audit", "verify")
        server.stop()


@pytest.mark.parametrize("how", [{}, {"atomic": True}, {"atomic": True, "durable": True}],
                         ids=["plain", "atomic", "durable"])
def test_an_accounts_disk(make_server, place, payload, how):
    server = make_server()
    home = server.add("alice", **how)
    with small_disk(home, "4m", home.stat().st_uid):
        sftp = clients.OpenSSH(server, place)
        sftp.batch(f"put {payload(1_000_000)} kept")
        before = (home / "kept").read_bytes()
        for name in ("too-large", "kept") if how else ("too-large",):
            done = sftp.batch(f"put {payload(8_000_000)} {name}", check=False)
            assert done.returncode != 0 and "Failure" in done.stderr, done
        assert (home / "kept").read_bytes() == before
        if how:
            assert os.listdir(home) == ["kept"]  # nothing half done is left
        # OpenSSH's client shows no more than "Failure"; the reason is in the answer.
        with sshlow.login(server) as channel, pytest.raises(OSError, match="No space left on device"):
            with channel.open("/too-large", "wb") as f:
                f.write(b"x" * 8_000_000)
        with sshlow.login(server) as channel:
            for name in {"too-large"} & set(channel.listdir("/")):
                channel.remove(name)
        sftp.batch(f"put {payload(1_000_000)} after")
        assert (home / "after").read_bytes() == before
