"""The server of an ordinary user. (An ordinary user's own run has all other tests for that; root
starts one as nobody here.)"""
import os

import pytest

import clients
from conftest import same
from server import IS_ROOT

NOBODY = 65534


@pytest.fixture
def ordinary(make_server):
    server = make_server(uid=NOBODY if IS_ROOT else None)
    server.add()
    return server


def test_files_go_there_and_back(ordinary, place, payload):
    client = clients.OpenSSH(ordinary, place)
    client.batch(f"put {payload(1_000_000)} there", f"get there {place}/back", "mkdir folder", "rename there folder/moved")
    assert same(payload(1_000_000), place / "back")
    assert client.names("/") == {"folder"}
    owner = NOBODY if IS_ROOT else os.getuid()
    assert (ordinary.home() / "folder" / "moved").stat().st_uid == owner


def test_what_is_weaker_is_said(ordinary):
    assert "not started as root" in ordinary.log()
    assert "not started as root" in ordinary.command("status").stdout


def test_the_sandbox_holds_all_the_same(ordinary, place):
    with clients.Paramiko(ordinary, place).session() as sftp:
        sftp.listdir("/")
        for process in ordinary.monitor.children():
            status = process.status
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", process
            assert int(status["CapEff"], 16) == 0


def test_links_lead_nowhere_outside(ordinary, place):
    (ordinary.home() / "out").symlink_to("/etc")
    (ordinary.home() / "up").symlink_to("../../..")
    done = clients.OpenSSH(ordinary, place).batch("get out/passwd", check=False)
    assert done.returncode != 0
    assert clients.Paramiko(ordinary, place).names("/up") == {"out", "up"}, "above the root is the root"
