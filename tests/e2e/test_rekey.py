"""New session keys in the middle of transfers, by volume and by time, asked for by either side."""
import re
import subprocess

import pytest

import clients
import sshlow
from conftest import same

SIZE = 20_000_000


def exchanges(done):
    """How often OpenSSH got new keys, the first time included (its -v tells)."""
    return len(re.findall(r"SSH2_MSG_NEWKEYS received", done.stderr))


def transfer(server, place, payload, direction, *options):
    client = clients.OpenSSH(server, place)
    server.put_file("there", payload(SIZE).read_bytes())
    line = f"put {payload(SIZE)} file" if direction == "put" else f"get there {place}/back"
    done = client.batch(line, options=options, level="DEBUG1")
    assert same(payload(SIZE), server.home() / "file" if direction == "put" else place / "back")
    return exchanges(done)


@pytest.mark.parametrize("direction", ["put", "get"])
@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"])
def test_client_by_volume(shared, place, payload, direction, cipher):
    # At most 20; how many depends on how much is under way when one begins.
    assert transfer(shared, place, payload, direction, "-o", "RekeyLimit=1M", "-c", cipher) >= 3


@pytest.mark.parametrize("direction", ["put", "get"])
def test_client_by_time(shared, place, payload, direction):
    assert transfer(shared, place, payload, direction, "-o", "RekeyLimit=default 1s", "-l", "60000") >= 2


@pytest.mark.parametrize("direction", ["put", "get"])
def test_server_by_volume(make_server, place, payload, direction):
    server = make_server({"sftp": {"rekey_bytes": "1M"}})
    server.add()
    assert transfer(server, place, payload, direction) >= 3


@pytest.mark.parametrize("direction", ["put", "get"])
def test_server_by_time(make_server, place, payload, direction):
    server = make_server({"sftp": {"rekey_seconds": 1}})
    server.add()
    assert transfer(server, place, payload, direction, "-l", "60000") >= 2


def test_both_sides_at_once(make_server, place, payload):
    server = make_server({"sftp": {"rekey_bytes": "1M", "rekey_seconds": 1}})
    server.add()
    assert transfer(server, place, payload, "put", "-o", "RekeyLimit=1M") >= 5


@pytest.mark.parametrize("key", ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"])
def test_every_host_key(make_server, place, payload, key):
    server = make_server()
    server.add()
    assert transfer(server, place, payload, "put", "-o", "RekeyLimit=2M", "-o", f"HostKeyAlgorithms={key}") >= 5


def test_every_key_exchange_that_is_offered(shared, place, payload):
    """Each with a rekey in it, of those that this machine's OpenSSH has."""
    mine = subprocess.run(["ssh", "-Q", "kex"], capture_output=True, text=True, check=True).stdout.split()
    offered = [name for name in sshlow.kexinit(shared)["kex"] if name in mine]
    assert "curve25519-sha256" in offered
    for name in offered:
        assert transfer(shared, place, payload, "put", "-o", "RekeyLimit=4M", "-o", f"KexAlgorithms={name}") >= 3


def test_paramiko_asks_in_between(shared, place, payload):
    with clients.Paramiko(shared, place).session() as sftp:
        transport = sftp.get_channel().get_transport()
        with sftp.open("/asked", "wb") as f:
            for i in range(5):
                f.write(b"x" * 300_000)
                transport.renegotiate_keys()
        assert sftp.stat("/asked").st_size == 1_500_000
