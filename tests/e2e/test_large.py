"""SFTP with what is large: a file beyond 2^31 bytes, a folder of 50,000 names."""
import os

import pytest

import clients
from conftest import sha256


@pytest.mark.slow
def test_two_gibibytes(shared, place):
    """2 GiB and a little, where signed 32-bit numbers end: mostly holes on the disk, all bytes on
    the wire; the parts that differ lie around 2^31 and at the end."""
    size = (1 << 31) + 12345
    there, back = place / "large", place / "large.back"
    with open(there, "wb") as f:
        for at in (0, (1 << 31) - 4096, (1 << 31) + 1, size - 100):
            f.seek(at)
            f.write(os.urandom(100))
        f.truncate(size)
    try:
        clients.OpenSSH(shared, place).batch(f"put {there} large", f"get large {back}", "rm large", timeout=110)
        assert os.path.getsize(back) == size
        assert sha256(there) == sha256(back)
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
