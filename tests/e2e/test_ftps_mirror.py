"""FTPS: many small files there and back, each with a data connection of its own. A file by itself, as it
takes as long as all the others of FTPS."""
import os

import pytest

from ftps_clients import client_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"), [("lftp", 200), ("rclone", 200), *(pytest.param(name, 1000, marks=pytest.mark.long) for name in ("lftp", "rclone"))])
def test_mirror(ftps, place, folder, name, count):
    """Files there and back, with their contents."""
    client = client_of(name, ftps, place)
    (place / "up").mkdir()
    for i in range(count):
        (place / "up" / f"{i:04}").write_bytes(b"%d\n" % i * i)
    client.mirror_up(place / "up", f"/{folder}/there")
    client.mirror_down(f"/{folder}/there", place / "down")
    for i in range(count):
        assert (place / "down" / f"{i:04}").read_bytes() == b"%d\n" % i * i
    assert len(os.listdir(place / "down")) == count
