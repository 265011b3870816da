"""SFTP with what is large: a file beyond 2^31 bytes, a folder of 50,000 names."""
import os
import subprocess

import pytest

import clients


@pytest.mark.parametrize("begun", [pytest.param(0, marks=pytest.mark.long), (1 << 31) - (32 << 20)], ids=["whole", "resumed"])
def test_two_gibibytes(shared, place, begun):
    """2 GiB and a little, where signed 32-bit numbers end: mostly holes on the disk; the parts that differ lie
    around 2^31 and at the end. All bytes on the wire, or those from shortly before it on."""
    size = (1 << 31) + 12345
    there, back = place / "large", place / "large.back"
    with open(there, "wb") as f:
        for at in (0, (1 << 31) - 4096, (1 << 31) + 1, size - 100):
            f.seek(at)
            f.write(os.urandom(100))
        f.truncate(size)
    for path in (shared.home() / "large", back):
        path.write_bytes(there.open("rb").read(100))
        os.truncate(path, begun)
    owner = shared.home().stat()
    os.chown(shared.home() / "large", owner.st_uid, owner.st_gid)
    try:
        clients.OpenSSH(shared, place).batch(f"reput {there} large", f"reget large {back}", "rm large", timeout=110)
        assert os.path.getsize(back) == size
        assert subprocess.run(["cmp", there, back]).returncode == 0
    finally:
        for path in (there, back):
            path.unlink(missing_ok=True)


@pytest.mark.slow
def test_a_folder_of_50000_lists(shared, place):
    folder = shared.home() / "many"
    folder.mkdir()
    os.chown(folder, shared.home().stat().st_uid, shared.home().stat().st_gid)
    for i in range(50_000):
        os.close(os.open(folder / f"file-{i:05}", os.O_CREAT | os.O_WRONLY, 0o644))
    names = clients.OpenSSH(shared, place).names("/many")
    assert names == {f"file-{i:05}" for i in range(50_000)}
    assert clients.Paramiko(shared, place).names("/many") == names
