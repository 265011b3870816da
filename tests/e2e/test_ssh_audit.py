"""How the handshake looks to those who judge it."""
import json
import re
import subprocess

import pytest

import clients
import sshlow
from conftest import need


def ssh_audit(server):
    """Lines of ssh-audit that warn or fail."""
    need("ssh-audit")
    options = subprocess.run(["ssh-audit", "--help"], capture_output=True, text=True, check=False).stdout
    quick = ["--skip-rate-test"] if "--skip-rate-test" in options else []
    done = subprocess.run(["ssh-audit", "-n", *quick, "-p", str(server.port), "127.0.0.1"], capture_output=True, text=True, check=False)
    assert "(gen) banner: SSH-2.0-" in done.stdout, done.stdout + done.stderr
    # The marker of strict key exchange is no algorithm; ssh-audit of Debian 12 does not know it yet.
    return [line for line in done.stdout.splitlines() if re.search(r"\[(fail|warn)\]", line) and "kex-strict" not in line]


def test_nothing_unexpected_with_the_defaults(shared):
    """Offered for those who need them, last: ECDSA P-256, whose curve ssh-audit holds against it, and
    the plain HMACs, without which curl of Debian 12 cannot connect."""
    others, inside = [], ""
    for line in ssh_audit(shared):
        inside = line if line.startswith("(") else inside + line
        if not re.match(r"\((key|mac)\) (ecdsa-sha2-nistp256|hmac-sha2-(256|512)) ", inside):
            others.append(line)
    assert others == []


def test_nothing_at_all_without_those(make_server):
    server = make_server({"sftp": {
        "host_key_algorithms": "ssh-ed25519,rsa-sha2-512,rsa-sha2-256",
        "macs": "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com",
    }})
    assert ssh_audit(server) == []


def test_strict_key_exchange(shared):
    assert "kex-strict-s-v00@openssh.com" in sshlow.kexinit(shared)["kex"]


def test_server_sig_algs(shared, place):
    done = clients.OpenSSH(shared, place).batch("pwd", level="DEBUG3")
    assert re.search(r"server-sig-algs=<.*rsa-sha2-256.*>", done.stderr), done.stderr[-2000:]
    assert re.search(r"server-sig-algs=<.*ssh-ed25519.*>", done.stderr)
    assert not re.search(r"server-sig-algs=<(.*,)?ssh-rsa(,.*)?>", done.stderr)
    assert "will use strict KEX ordering" in done.stderr or "strict" not in subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize("setting,field,names", [
    ("kex", "kex", ["curve25519-sha256"]),
    ("ciphers", "cipher_in", ["aes256-ctr", "aes128-ctr"]),
    ("macs", "mac_out", ["hmac-sha2-512-etm@openssh.com"]),
    ("host_key_algorithms", "host_key", ["rsa-sha2-512"]),
], ids=lambda v: v if isinstance(v, str) else None)
def test_algorithms_are_configurable(make_server, setting, field, names):
    server = make_server({"sftp": {setting: ",".join(names)}})
    offered = [n for n in sshlow.kexinit(server)[field] if not n.startswith(("kex-strict", "ext-info"))]
    assert offered == names


def test_fingerprints(shared):
    """`hostkey list` tells what ssh-keygen tells of what is on the wire."""
    scan = subprocess.run(["ssh-keyscan", "-p", str(shared.port), "127.0.0.1"], capture_output=True, text=True, check=True).stdout
    text = json.dumps(shared.json("hostkey", "list"))
    for form in ("sha256", "md5"):
        shown = subprocess.run(["ssh-keygen", "-lf", "-", "-E", form], input=scan, capture_output=True, text=True, check=True).stdout
        fingerprints = [line.split()[1] for line in shown.splitlines()]
        assert len(fingerprints) == 3
        for fingerprint in fingerprints:
            assert fingerprint.removeprefix("MD5:") in text, fingerprint
