"""Who gets in, by what, and who does not: with the clients people have, and by hand."""
import base64
import os
import subprocess
import time

import paramiko
import pytest

import clients
import sshlow
from conftest import need

AT_ONCE = 3.0  # seconds, with sanitizers and a loaded machine in mind; a wait for a time-out is 60


def ssh_login(server, place, *options, user="alice", password="", check=True):
    client = clients.OpenSSH(server, place, user, password)
    client.auth = list(options)
    return client.batch("pwd", check=check)


def refused(server, place, *options, **who):
    began = time.monotonic()
    done = ssh_login(server, place, *options, check=False, **who)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr or "Too many" in done.stderr, done.stderr
    assert time.monotonic() - began < AT_ONCE
    return done


def test_password(shared, place):
    assert "/" in ssh_login(shared, place, *clients.PASSWORD_ONLY, password="correct horse").stdout


@pytest.mark.parametrize("password", ["correct hors", "correct horse ", "Correct horse", "CORRECT HORSE", "x", "x" * 1024], ids=lambda p: p[:15])
def test_wrong_password(shared, place, password):
    refused(shared, place, *clients.PASSWORD_ONLY, password=password)


@pytest.mark.parametrize("user", ["Alice", "ALICE", "alic", "alicee", "root", "nobody", "x" * 64, "a/b", "älice"], ids=lambda n: n[:10])
def test_wrong_name(shared, place, user):
    """Names are exact; nothing tells a name that exists from one that does not."""
    told = refused(shared, place, *clients.PASSWORD_ONLY, user=user, password="correct horse").stderr
    known = refused(shared, place, *clients.PASSWORD_ONLY, password="wrong").stderr
    if user.isascii():
        assert told.replace(user, "alice") == known


def test_an_unknown_name_costs_the_same(make_server):
    """The hash is computed for names that do not exist too: told by the hashers' own processor time,
    which is next to nothing when they are not asked."""
    server = make_server({"server": {"hash_cost": 7}, "limits": {"tries": 100}})
    server.add()
    server.add("keys-only", password=None)

    def ticks():
        stats = [(p.path / "stat").read_text().rsplit(")", 1)[1].split() for p in server.children("sallyport-hash")]
        return sum(int(s[11]) + int(s[12]) for s in stats)

    def cost(t, user):
        before = ticks()
        for _ in range(9):
            with pytest.raises(paramiko.AuthenticationException):
                t.auth_password(user, "wrong", fallback=False)
        return ticks() - before

    with sshlow.transport(server) as t:
        known, unknown, without = [cost(t, user) for user in ("alice", "nobody", "keys-only")]
    assert known > 9  # it is work at all
    assert unknown > known / 3 and without > known / 3, (known, unknown, without)


@pytest.mark.parametrize("kind", ["ed25519", "rsa2048", "rsa3072", "ecdsa256", "ecdsa384", "ecdsa521"])
def test_key(make_shared, shared, place, keys, kind):
    public = keys[kind].with_suffix(".pub")
    if kind != "ed25519":
        shared.add_key("alice", public)
    ssh_login(shared, place, *clients.key_only(keys[kind]))


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
def test_rsa_with_both_hashes(shared, place, keys, algorithm):
    user = f"r{algorithm[-3:]}"
    shared.add(user, password=None, keys=[keys["rsa2048"].with_suffix(".pub")])
    ssh_login(shared, place, *clients.key_only(keys["rsa2048"]), "-o", f"PubkeyAcceptedAlgorithms={algorithm}", user=user)


def test_rsa_with_sha1_is_refused(shared, keys):
    shared.add("sha1", password=None, keys=[keys["rsa2048"].with_suffix(".pub")])
    key = paramiko.RSAKey.from_private_key_file(str(keys["rsa2048"]))
    old = {"pubkeys": ["rsa-sha2-512", "rsa-sha2-256"]}
    with sshlow.transport(shared, disabled_algorithms=old) as t:
        with pytest.raises(paramiko.AuthenticationException):
            t.auth_publickey("sha1", key)
    with sshlow.transport(shared) as t:
        t.auth_publickey("sha1", key)


def test_wrong_key(shared, place, keys):
    refused(shared, place, *clients.key_only(keys["other"]))


def test_a_key_of_another_account(shared, place, keys):
    shared.add("bob", password=None, keys=[keys["other"].with_suffix(".pub")])
    refused(shared, place, *clients.key_only(keys["ed25519"]), user="bob")
    ssh_login(shared, place, *clients.key_only(keys["other"]), user="bob")


def test_an_account_without_a_password_has_no_password(shared, place, keys):
    shared.add("nopass", password=None, keys=[keys["ed25519"].with_suffix(".pub")])
    for password in ("", "x", "*", "!"):
        refused(shared, place, *clients.PASSWORD_ONLY, user="nopass", password=password)


@pytest.mark.parametrize("form", ["openssh", "rfc4716"])
@pytest.mark.parametrize("kind", ["rsa", "ed25519", "ecdsa"])
def test_a_key_that_puttygen_made(shared, place, kind, form):
    """Its pasted line (and the file that it saves) is a key; psftp logs in with it."""
    need("puttygen")
    need("psftp")
    user = f"p-{kind}-{form}"
    private, line = place / "key.ppk", place / "line.pub"
    bits = {"rsa": ["-b", "2048"], "ecdsa": ["-b", "256"], "ed25519": []}[kind]
    subprocess.run(["puttygen", "-q", "-t", kind, *bits, "-o", str(private), "--new-passphrase", "/dev/null"], check=True, capture_output=True)
    output = {"openssh": "public-openssh", "rfc4716": "public"}[form]
    subprocess.run(["puttygen", str(private), "-O", output, "-o", str(line)], check=True)
    shared.add(user, password=None)
    if form == "openssh":
        shared.add_key(user, line.read_text().strip())
    else:
        shared.add_key(user, line)
    client = clients.Psftp(shared, place, user)
    options = client.login()
    options[options.index("-pw") : options.index("-pw") + 2] = ["-i", str(private)]
    script = place / "script"
    script.write_text("pwd\n")
    done = client.run("psftp", *options, "-b", script, f"{user}@127.0.0.1")
    assert "Remote directory is /" in done.stdout


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_fido_key(shared, kind):
    token = sshlow.Token(kind)
    shared.add(f"fido-{kind}", password=None, keys=[token.line()])
    with sshlow.transport(shared) as t:
        t.auth_publickey(f"fido-{kind}", token)
        assert paramiko.SFTPClient.from_transport(t).listdir("/") == []


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_fido_key_without_a_touch(shared, kind):
    """Flags without "user present", and a signature over other flags than are sent."""
    token = sshlow.Token(kind, flags=0x00)
    user = f"touch-{kind}"
    shared.add(user, password=None, keys=[token.line()])
    with sshlow.transport(shared) as t, pytest.raises(paramiko.AuthenticationException):
        t.auth_publickey(user, token)

    class Liar(sshlow.Token):
        def sign_ssh_data(self, data, algorithm=None):
            whole = super().sign_ssh_data(data, algorithm).asbytes()
            other = paramiko.Message()
            other.add_bytes(whole[:-5] + b"\x01" + whole[-4:])
            return other

    liar = Liar(kind, flags=0x00)
    shared.add_key(user, liar.line())
    with sshlow.transport(shared) as t, pytest.raises(paramiko.AuthenticationException):
        t.auth_publickey(user, liar)


def test_a_signature_that_is_another_keys(shared, keys):
    """The public part of a known key, a signature of another."""
    real = paramiko.Ed25519Key.from_private_key_file(str(keys["ed25519"]))
    other = paramiko.Ed25519Key.from_private_key_file(str(keys["other"]))

    class Thief(paramiko.Ed25519Key):
        def sign_ssh_data(self, data, algorithm=None):
            return other.sign_ssh_data(data)

    thief = Thief.from_private_key_file(str(keys["ed25519"]))
    assert thief.asbytes() == real.asbytes()
    began = time.monotonic()
    with sshlow.transport(shared) as t, pytest.raises(paramiko.AuthenticationException):
        t.auth_publickey("alice", thief)
    assert time.monotonic() - began < AT_ONCE


def test_both_required(shared, keys):
    shared.add("both", keys=[keys["ed25519"].with_suffix(".pub")], both=True)
    key = paramiko.Ed25519Key.from_private_key_file(str(keys["ed25519"]))
    with sshlow.transport(shared) as t:
        left = t.auth_publickey("both", key)
        assert "password" in left and "publickey" not in left
        assert not t.is_authenticated()
        t.auth_password("both", "correct horse", fallback=False)
        assert t.is_authenticated()
        paramiko.SFTPClient.from_transport(t).listdir("/")
    with sshlow.transport(shared) as t:
        t.auth_password("both", "correct horse", fallback=False)
        assert not t.is_authenticated()
        with pytest.raises(paramiko.AuthenticationException):
            t.auth_publickey("both", paramiko.Ed25519Key.from_private_key_file(str(keys["other"])))
        t.auth_publickey("both", key)
        assert t.is_authenticated()


def test_both_required_with_openssh(shared, place, keys):
    shared.add("both2", keys=[keys["ed25519"].with_suffix(".pub")], both=True)
    ssh_login(shared, place, "-o", "IdentitiesOnly=yes", "-i", str(keys["ed25519"]), user="both2", password="correct horse")
    refused(shared, place, *clients.key_only(keys["ed25519"]), user="both2")
    refused(shared, place, *clients.PASSWORD_ONLY, user="both2", password="correct horse")


def test_what_was_shown_for_one_name_is_not_shown_for_another(shared, keys):
    """Half of a login as one account does not count for another."""
    key = paramiko.Ed25519Key.from_private_key_file(str(keys["ed25519"]))
    shared.add("half", keys=[keys["ed25519"].with_suffix(".pub")], both=True)
    shared.add("whole", password="correct horse", keys=[keys["other"].with_suffix(".pub")], both=True)
    with sshlow.transport(shared) as t:
        t.auth_publickey("half", key)
        try:
            t.auth_password("whole", "correct horse", fallback=False)
        except paramiko.SSHException:
            pass  # ending the connection there is an answer too
        assert not t.is_authenticated()


def test_keyboard_interactive_only(shared, place):
    ssh_login(shared, place, "-o", "PreferredAuthentications=keyboard-interactive", password="correct horse")
    refused(shared, place, "-o", "PreferredAuthentications=keyboard-interactive", password="wrong")


def test_keyboard_interactive_of_paramiko(shared):
    with sshlow.transport(shared) as t:
        t.auth_interactive("alice", lambda _title, _instructions, prompts: ["correct horse" for _ in prompts])
        assert t.is_authenticated()


def test_none_is_refused_with_the_methods(shared):
    with sshlow.transport(shared) as t, pytest.raises(paramiko.BadAuthenticationType) as caught:
        t.auth_none("alice")
    assert {"password", "publickey"} <= set(caught.value.allowed_types)


def test_disabled_and_enabled_again(shared, place):
    shared.add("dora")
    shared.command("user", "disable", "dora")
    refused(shared, place, *clients.PASSWORD_ONLY, user="dora", password="correct horse")
    shared.command("user", "enable", "dora")
    ssh_login(shared, place, *clients.PASSWORD_ONLY, user="dora", password="correct horse")


def test_expired(shared, place):
    shared.add("old", expires="2020-01-01")
    refused(shared, place, *clients.PASSWORD_ONLY, user="old", password="correct horse")
    shared.command("user", "set", "old", "--expires", "never")
    ssh_login(shared, place, *clients.PASSWORD_ONLY, user="old", password="correct horse")


def test_a_key_added_or_removed_holds_at_the_next_login(shared, place, keys):
    shared.add("kate", password=None)
    refused(shared, place, *clients.key_only(keys["other"]), user="kate")
    shared.add_key("kate", keys["other"].with_suffix(".pub"))
    ssh_login(shared, place, *clients.key_only(keys["other"]), user="kate")
    [key] = shared.json("key", "list", "kate")
    shared.command("key", "remove", "kate", key["number"])
    refused(shared, place, *clients.key_only(keys["other"]), user="kate")


def test_a_changed_password_holds_at_the_next_login(shared, place):
    shared.add("pat")
    shared.command("user", "passwd", "pat", "--password-stdin", "--weak", stdin="another one\n")
    refused(shared, place, *clients.PASSWORD_ONLY, user="pat", password="correct horse")
    ssh_login(shared, place, *clients.PASSWORD_ONLY, user="pat", password="another one")


def test_a_deleted_account_is_gone(shared, place):
    home = shared.add("gone")
    shared.put_file("kept", b"x", "gone")
    shared.command("user", "delete", "gone", "--yes")
    refused(shared, place, *clients.PASSWORD_ONLY, user="gone", password="correct horse")
    assert (home / "kept").exists()


@pytest.mark.parametrize("password", ["pässwörd-日本", "with  blanks ", "'\"\\$`", "x" * 500], ids=["umlauts", "blanks", "quotes", "long"])
def test_passwords_are_taken_as_they_are(shared, place, password):
    user = f"pw{abs(hash(password)) % 10**8}"
    shared.add(user, password=password)
    with sshlow.transport(shared) as t:
        t.auth_password(user, password, fallback=False)
    with sshlow.transport(shared) as t, pytest.raises(paramiko.AuthenticationException):
        t.auth_password(user, password.strip() + "x", fallback=False)


@pytest.mark.parametrize("password", ["", "x" * 2000, "a\0b"], ids=["empty", "too-long", "nul"])
def test_passwords_that_cannot_be(shared, password):
    done = shared.command("user", "add", "never", "--password-stdin", stdin=password + "\n", check=False)
    assert done.returncode != 0 and len(done.stderr.splitlines()) == 1
    assert shared.command("user", "show", "never", check=False).returncode != 0


@pytest.mark.slow
def test_a_thousand_keys(shared, place, keys):
    """The last of 1,000 keys opens like the first; added as a folder of NAME.pub files."""
    shared.add("many", password=None)
    folder = place / "keys"
    folder.mkdir()
    lines = []
    for i in range(999):
        body = sshlow.string(b"ssh-ed25519") + sshlow.string(os.urandom(32))
        lines.append(f"ssh-ed25519 {base64.b64encode(body).decode()} key {i}")
    lines.append(keys["other"].with_suffix(".pub").read_text().strip())
    (folder / "many.pub").write_text("\n".join(lines) + "\n")
    shared.command("key", "add", "--folder", folder, timeout=100)
    assert len(shared.json("key", "list", "many")) == 1000
    ssh_login(shared, place, *clients.key_only(keys["other"]), user="many")


def test_logins_of_all_kinds(make_server, place, keys):
    """A short way through all of it, for the build with sanitizers."""
    server = make_server()
    server.add(keys=[keys["ed25519"].with_suffix(".pub"), keys["rsa2048"].with_suffix(".pub"), keys["ecdsa256"].with_suffix(".pub")])
    ssh_login(server, place, *clients.PASSWORD_ONLY, password="correct horse")
    for kind in ("ed25519", "rsa2048", "ecdsa256"):
        ssh_login(server, place, *clients.key_only(keys[kind]))
    refused(server, place, *clients.PASSWORD_ONLY, password="wrong")
    refused(server, place, *clients.PASSWORD_ONLY, user="nobody", password="wrong")
    refused(server, place, *clients.key_only(keys["other"]))
    ssh_login(server, place, "-o", "PreferredAuthentications=keyboard-interactive", password="correct horse")
