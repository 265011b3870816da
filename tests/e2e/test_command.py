"""The operator's command without a server: it asks a store of its own. (With a server: the other
tests do everything through it; what differs is tested at the end.)"""
import contextlib
import json
import os
import pty
import re
import select
import stat
import subprocess
import time

import pytest

from conftest import need
from server import IS_ROOT, PATIENCE, programs, wait_for

DONE, REFUSED, USAGE, NO_SERVER = 0, 1, 2, 3


@pytest.fixture
def down(make_server):
    """A configured server that was never started, without host keys."""
    return make_server(start=False, own_keys=True)


def refused(server, *arguments, status=REFUSED, says="", stdin=None):
    done = server.command(*arguments, check=False, stdin=stdin)
    assert done.returncode == status, done
    # One line, from us.
    first = done.stderr.splitlines()[0]
    assert first.startswith("sallyport: ") and says in first, done.stderr
    return done


def public(keys, name):
    return keys[name].with_suffix(".pub")


def audit_texts(server, **fields):
    return [line["text"] for line in server.audit(**fields)]


# ---- the command line


@pytest.mark.parametrize(
    "line, says",
    [
        ([], None),
        (["dance"], "there is no command dance"),
        (["user"], "user needs one of: add, list, show, set, disable, enable, delete, passwd, generate-password, invite, codes"),
        (["user", "dance"], "there is no user dance"),
        (["user", "add"], "user add needs NAME"),
        (["user", "add", "a", "b"], 'what is "b"?'),
        (["user", "add", "a", "--dance"], "there is no option --dance"),
        (["user", "add", "a", "-x"], "there is no option -x"),
        (["user", "add", "a", "--yes"], "user add takes no --yes"),
        (["user", "add", "a", "--email"], "--email needs a value: ADDRESS"),
        (["user", "add", "a", "--email=x@y", "--email=x@y"], "--email is given twice"),
        (["user", "add", "a", "--durable=yes"], "--durable takes no value"),
        (["user", "list", "--json", "x"], 'what is "x"?'),
        (["-c"], "-c needs a file"),
        (["completion", "fish"], '"fish" is neither bash nor zsh'),
    ],
)
def test_wrong_lines(down, line, says):
    done = down.command(*line, check=False)
    assert done.returncode == USAGE and done.stdout == ""
    if says:
        assert says in done.stderr.splitlines()[0]
    else:
        assert "usage: sallyport" in done.stderr
    assert not list((down.place / "state").iterdir())


@pytest.mark.parametrize(
    "option, says",
    [
        ("--uid=0", "is not a number from 1 to"),
        ("--uid=4294967295", "is not a number from 1 to"),
        ("--uid=-1", "is not a number"),
        ("--gid=x", "is not a number"),
        ("--expires=tomorrow", "is not a time"),
        ("--expires=2030-02-30", "is not a time"),
        ("--expires=2030-13-01", "is not a time"),
        ("--rights=fly", "is not all, none or a list of: list, read, write, overwrite, delete, rename, mkdir"),
        ("--rights=read,,list", "is not all"),
        ("--bandwidth=5X", "is not a size"),
        ("--bandwidth=99999999999999999999", "is not a size"),
        ("--max-sessions=1.5", "is not a number from 0 to 1000000"),
        ("--home=", "a folder is needed"),
    ],
)
def test_wrong_values(down, option, says):
    refused(down, "user", "add", "x", option, status=USAGE, says=says)
    assert down.json("user", "list") == []


def test_help_and_version(down):
    assert re.fullmatch(r"sallyport \d+\.\d+\n", down.command("--version").stdout)
    text = down.command("--help").stdout
    for line in ("user add NAME", "key remove NAME", "audit verify", "-c FILE"):
        assert line in text
    text = down.command("user", "set", "--help").stdout
    assert "--no-durable" in text and "--password-stdin" not in text


def test_bad_configuration(down):
    down.configure({"sftp": {"port": "many"}})
    done = refused(down, "user", "list")
    assert re.match(rf"sallyport: {re.escape(str(down.conf))}:\d+: sftp.port: \"many\" is not a number", done.stderr)
    done = down.command("check", check=False)
    assert done.returncode == REFUSED and "FAIL" in done.stdout and "many" in done.stdout


# ---- accounts


def test_add_show_list(down):
    down.command(
        "user", "add", "Bob", "--email", "bob@example.org", "--rights", "list,read", "--durable", "--both", "--max-sessions", "2",
        "--bandwidth", "3M", "--expires", "2030-01-31T12:00Z", "--password-stdin", "--weak", stdin="secret words\n",
    )
    account = down.json("user", "show", "Bob")
    home = account.pop("home")
    assert home == str(down.homes / "Bob")
    uid = account["uid"]
    assert uid == (50000 if IS_ROOT else os.geteuid())
    created = account.pop("created")
    assert created.startswith("20") and created.endswith("Z")
    assert account.pop("password_changed") == created
    assert account == {
        "name": "Bob", "status": "enabled", "email": "bob@example.org", "uid": uid, "gid": account["gid"],
        "expires": "2030-01-31T12:00:00Z", "password": True, "keys": 0, "rights": ["list", "read"], "folders": [], "durable": True,
        "atomic": False, "trash": False, "both": True, "data_fresh": False, "lax_close": False, "max_sessions": 2, "bandwidth": 3 << 20,
        "last_login": None, "email_confirmed": True, "new_email": "", "invited_until": None, "codes": False,
        "codes_required": False, "recovery_codes": 0,
    }  # fmt: skip
    assert [a["name"] for a in down.json("user", "list")] == ["Bob"]
    row = down.command("user", "list").stdout.splitlines()
    assert row[0].split() == ["NAME", "STATUS", "UID", "PASSWORD", "KEYS", "EXPIRES", "LAST", "LOGIN", "HOME"]
    assert row[1].startswith("Bob ") and row[1].endswith(home)
    assert "Rights" in down.command("user", "show", "Bob").stdout
    # Exact, and never twice.
    refused(down, "user", "show", "bob", says='there is no account "bob"')
    refused(down, "user", "show", "x" * 100, says="there is no account")
    refused(down, "user", "add", "Bob", says="already")
    for name in ("", "a/b", "..", "-x", "a\nb", "x" * 65):
        refused(down, "user", "add", "--", name)
    assert len(down.json("user", "list")) == 1


def test_homes(down, place):
    down.command("user", "add", "one")
    home = down.homes / "one"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    account = down.json("user", "show", "one")
    assert (home.stat().st_uid, home.stat().st_gid) == (account["uid"], account["gid"])
    # Parents are made; they stay the operator's.
    deep = down.place / "deep" / "er" / "home"
    answer = down.json("user", "add", "two", "--home", deep)
    assert answer["home_made"] is True
    assert deep.stat().st_uid == answer["uid"] and deep.parent.stat().st_uid == os.geteuid()
    assert stat.S_IMODE(deep.parent.stat().st_mode) == 0o755
    # One that is there stays as it is, with a note if it is somebody else's.
    kept = down.place / "kept"
    kept.mkdir(mode=0o750)
    (kept / "file").write_text("x")
    done = down.command("user", "add", "three", "--home", kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o750 and kept.stat().st_uid == os.geteuid()
    assert ("note: " in done.stderr) == IS_ROOT
    # A file in its place.
    target = down.place / "file"
    target.write_text("x")
    done = refused(down, "user", "add", "four", "--home", target, says="is not a folder")
    assert "it has no home" in done.stderr and target.read_text() == "x"
    assert down.json("user", "show", "four")["home"] == str(target)
    # Relative to where one stands; moved by `set`.
    down.command("user", "set", "four", "--home", down.place / "moved")
    assert (down.place / "moved").is_dir()
    # A dangling link is not followed.
    (down.place / "link").symlink_to(down.place / "nowhere")
    refused(down, "user", "add", "five", "--home", down.place / "link", says="cannot be made")
    assert not (down.place / "nowhere").exists()


@pytest.mark.needs_root
def test_named_ids(down):
    answer = down.json("user", "add", "ann", "--uid", "61234", "--gid", "61235")
    assert (answer["uid"], answer["gid"]) == (61234, 61235)
    st = (down.homes / "ann").stat()
    assert (st.st_uid, st.st_gid) == (61234, 61235)


def test_set(down):
    down.add("bob", password=None, rights="read", durable=True)

    def now():
        return down.json("user", "show", "bob")

    answer = down.json("user", "set", "bob", "--rights", "+list,+mkdir,-read", "--atomic", "--trash")
    assert answer["rights"] == ["list", "mkdir"] and answer["durable"] and answer["atomic"] and answer["trash"]
    down.command("user", "set", "bob", "--no-durable", "--rights", "all", "--email", "b@c")
    assert len(now()["rights"]) == 7 and not now()["durable"] and now()["atomic"] and now()["email"] == "b@c"
    down.command("user", "set", "bob", "--rights", "none", "--email", "", "--expires", "2020-01-01")
    assert now()["rights"] == [] and now()["email"] == "" and now()["status"] == "expired"
    down.command("user", "set", "bob", "--expires", "never")
    assert now()["expires"] is None and now()["status"] == "enabled"
    refused(down, "user", "set", "bob", status=USAGE, says="what is to be changed?")
    refused(down, "user", "set", "bob", "--atomic", "--no-atomic", status=USAGE, says="exclude each other")
    refused(down, "user", "set", "nobody", "--atomic", says="there is no account")
    before = now()
    refused(down, "user", "set", "bob", "--email", "no address", "--rights", "all")
    assert now() == before


def test_disable_enable_delete(down):
    home = down.add("bob")
    down.command("user", "disable", "bob")
    assert down.json("user", "show", "bob")["status"] == "disabled"
    down.command("user", "enable", "bob")
    assert down.json("user", "show", "bob")["status"] == "enabled"
    done = subprocess.run(
        ["setsid", str(programs() / "sallyport"), "-c", str(down.conf), "user", "delete", "bob"], capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == USAGE and "--yes deletes without asking" in done.stderr
    down.command("user", "delete", "bob", "--yes")
    refused(down, "user", "show", "bob")
    refused(down, "user", "delete", "bob", "--yes", says="there is no account")
    assert home.is_dir()


def test_the_audit_log_tells_who_did_what(down, keys):
    down.add("bob", password="very secret", keys=[public(keys, "ed25519")])
    down.command("user", "passwd", "bob", "--password-stdin", "--weak", stdin="more secret\n")
    generated = down.command("user", "generate-password", "bob").stdout.strip()
    down.command("user", "set", "bob", "--rights", "read")
    down.command("user", "disable", "bob")
    down.command("key", "remove", "bob", "ed25519 test")
    down.command("user", "delete", "bob", "--yes")
    texts = audit_texts(down, event="account-change", account="bob")
    for text, begin in zip(texts, ["added: uid", "key added: SHA256:", "password changed", "password generated",
                                   "rights set, rights now read", "disabled", "key removed: SHA256:", "deleted"], strict=True):  # fmt: skip
        assert text.startswith(begin) and f"(uid {os.getuid()}" in text, text
    whole = (down.place / "state" / "audit.log").read_text()
    for secret in ("very secret", "more secret", generated, "$y$"):
        assert secret not in whole
    down.command("audit", "verify")


# ---- passwords


def stored_hash(server, name):
    """As the store has it, through SQLite's own tool."""
    need("sqlite3")
    return subprocess.run(
        ["sqlite3", str(server.place / "state" / "accounts.db"), f"SELECT password FROM accounts WHERE name = '{name}'"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


@pytest.mark.parametrize(
    "stdin, says",
    [
        ("", "no password came"),
        ("\n", "the password is empty"),
        ("x" * 512 + "\n", "too long: 511 bytes are the most"),
        ("a\tb\n", "control character (0x09)"),
        ("secret\r\n", "control character (0x0d)"),
        ("a\0b\n", "control character (0x00)"),
    ],
)
def test_bad_passwords(down, stdin, says):
    refused(down, "user", "add", "bob", "--password-stdin", stdin=stdin, says=says)
    assert down.json("user", "list") == []


@pytest.mark.parametrize(
    "password, says",
    [
        ("Tr0ub4dor&3", "fewer than 12 characters"),
        ("ééééüüüüßß", "fewer than 12 characters"),
        ("Password2024!", "words that many take"),
        ("1qaz@WSX3edc", "keys side by side"),
    ],
)
def test_weak_passwords(down, password, says):
    """Refused, with the reason and the way around, wherever an operator gives one."""
    down.add("bob", password=None)
    stdin = password + "\n"
    refused(down, "user", "passwd", "bob", "--password-stdin", stdin=stdin, says=says)
    refused(down, "user", "add", "amy", "--password-stdin", stdin=stdin, says="(--weak takes it all the same)")
    assert down.json("user", "show", "bob")["password"] is False and len(down.json("user", "list")) == 1
    down.command("user", "passwd", "bob", "--password-stdin", "--weak", stdin=stdin)
    assert down.json("user", "show", "bob")["password"] is True
    down.command("user", "passwd", "bob", "--password-stdin", stdin="gravel oyster tundra\n")


def test_generated_passwords(down):
    answer = down.json("user", "add", "bob", "--generate-password")
    texts = {answer["generated_password"]}
    out = down.command("user", "add", "amy", "--generate-password").stdout
    texts.add(re.search(r"^password: (\S+)$", out, re.M)[1])
    texts.add(down.command("user", "generate-password", "bob").stdout.strip())
    texts.add(down.json("user", "generate-password", "bob")["password"])
    assert len(texts) == 4
    for text in texts:
        assert re.fullmatch(r"[a-hjkmnp-zA-HJKMNP-Z2-9]{20}", text)
    refused(down, "user", "add", "eve", "--generate-password", "--password-stdin", stdin="x\n", says="exclude each other")


def test_remove_password(down):
    down.add("bob")
    assert down.json("user", "show", "bob")["password"] is True
    down.command("user", "passwd", "bob", "--remove")
    assert down.json("user", "show", "bob")["password"] is False
    assert "nothing opens it" in down.command("check").stdout


def at_terminal(server, arguments, answers):
    """Run at a terminal of its own; answers: (what is asked, what is typed). Returns status, screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        program = str(programs() / "sallyport")
        os.execv(program, [program, "-c", str(server.conf), *arguments])
    screen = b""
    end = time.monotonic() + 20 * PATIENCE
    answers = list(answers)
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            piece = os.read(terminal, 4096)
            if not piece:
                break
            screen += piece
            if answers and screen.rstrip().endswith(answers[0][0].encode()):
                time.sleep(0.05)  # the echo is switched off right after the question
                os.write(terminal, answers.pop(0)[1])
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), screen.decode(errors="replace")


def test_password_at_a_terminal(down):
    down.add("bob", password=None)
    first, second = "New password for bob:", "Once more:"
    status, screen = at_terminal(down, ["user", "passwd", "bob"], [(first, b"pass one\n"), (second, b"pass one\n")])
    assert status == REFUSED and "fewer than 12 characters" in screen and "--weak" in screen
    assert down.json("user", "show", "bob")["password"] is False
    status, screen = at_terminal(down, ["user", "passwd", "bob", "--weak"], [(first, b"pass one\n"), (second, b"pass one\n")])
    assert status == DONE, screen
    assert "pass one" not in screen and "password of bob changed" in screen
    assert down.json("user", "show", "bob")["password"] is True
    status, screen = at_terminal(down, ["user", "passwd", "bob"], [(first, b"pass one\n"), (second, b"pass two\n")])
    assert status == REFUSED and "the two differ; nothing was changed" in screen
    status, screen = at_terminal(down, ["user", "passwd", "bob"], [(first, b"pass\x03")])
    assert status == REFUSED and "cancelled" in screen
    status, screen = at_terminal(down, ["user", "delete", "bob"], [("[y/N]", b"n\n")])
    assert status == REFUSED and "nothing was deleted" in screen
    status, screen = at_terminal(down, ["user", "delete", "bob"], [("[y/N]", b"y\n")])
    assert status == DONE and "account bob deleted" in screen


# ---- public keys


def fingerprints(path):
    return [
        subprocess.run(["ssh-keygen", "-l", "-E", form, "-f", str(path)], capture_output=True, text=True, check=True).stdout.split()
        for form in ("sha256", "md5")
    ]


@pytest.mark.parametrize("kind", ["ed25519", "rsa2048", "rsa3072", "ecdsa256", "ecdsa384", "ecdsa521"])
def test_every_type_and_its_fingerprints(down, keys, kind):
    down.add("bob", password=None)
    down.command("key", "add", "bob", public(keys, kind))
    [key] = down.json("key", "list", "bob")
    sha256, md5 = fingerprints(public(keys, kind))
    assert [str(key["bits"]), key["sha256"], key["md5"]] == [sha256[0], sha256[1], md5[1]]
    assert key["comment"] == f"{kind} test" and key["type"] == public(keys, kind).read_text().split()[0]
    assert key["last_used"] is None and key["added"].endswith("Z")


def test_forms_of_one_key(down, keys, place):
    """However it comes, it is the same key: added once, there already ever after."""
    down.add("bob", password=None)
    line = public(keys, "rsa2048").read_text()
    rfc4716 = subprocess.run(["ssh-keygen", "-e", "-f", str(public(keys, "rsa2048"))], capture_output=True, text=True, check=True).stdout
    forms = {"line": line, "without a comment": " ".join(line.split()[:2]), "rfc4716": rfc4716, "windows": rfc4716.replace("\n", "\r\n")}
    with contextlib.suppress(FileNotFoundError):
        forms["puttygen"] = subprocess.run(["puttygen", "-L", str(keys["rsa2048"])], capture_output=True, text=True, check=True).stdout
    for name, text in forms.items():
        [row] = json.loads(down.command("--json", "key", "add", "bob", "-", stdin=text).stdout)
        assert row["result"] == ("added" if name == "line" else "already there"), name
    [row] = down.json("key", "add", "bob", "--text", line)
    assert row["result"] == "already there"
    assert len(down.json("key", "list", "bob")) == 1


def test_private_keys_are_refused(down, keys, place):
    down.add("bob", password=None)
    texts = [keys["ed25519"].read_text(), public(keys, "ed25519").read_text() + keys["rsa2048"].read_text()]
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["puttygen", str(keys["rsa2048"]), "-O", "private", "-o", str(place / "k.ppk")], check=True)
        texts.append((place / "k.ppk").read_text())
    for text in texts:
        done = refused(down, "key", "add", "bob", "-", stdin=text, says="this is a private key")
        assert "PRIVATE" not in done.stdout + done.stderr
    assert down.json("key", "list", "bob") == []


def test_a_file_of_many(down, keys, place):
    down.add("bob", password=None)
    weak = place / "weak"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", str(weak)], check=True)
    path = place / "authorized_keys"
    path.write_text(
        "# mine\n\n" + public(keys, "ed25519").read_text() + "command=\"ls\" " + public(keys, "rsa2048").read_text()
        + weak.with_suffix(".pub").read_text() + "nonsense\n" + public(keys, "ecdsa256").read_text()
    )  # fmt: skip
    done = refused(down, "--json", "key", "add", "bob", path, says="authorized_keys:4: this has options before it, which do not count here")
    assert "authorized_keys:5: this is too weak: RSA of 1024 bits, 2048 are the least" in done.stderr
    assert "authorized_keys:6: this is not a public key" in done.stderr
    rows = json.loads(done.stdout)
    assert [(r["line"], r["result"]) for r in rows] == [(3, "added"), (4, "refused"), (5, "refused"), (6, "refused"), (7, "added")]
    assert [k["comment"] for k in down.json("key", "list", "bob")] == ["ed25519 test", "ecdsa256 test"]
    refused(down, "key", "add", "bob", place / "missing", says="missing: No such file or directory")
    refused(down, "key", "add", "bob", place, says="is a folder: --folder takes")
    refused(down, "key", "add", "bob", "/dev/null", says="there is no key in it")
    refused(down, "key", "add", "nobody", path, says="there is no account")
    refused(down, "key", "add", "bob", status=USAGE)


def test_a_folder_by_names(down, keys, place):
    for name in ("bob", "amy"):
        down.add(name, password=None)
    folder = place / "keys"
    folder.mkdir()
    (folder / "bob.pub").write_text(public(keys, "ed25519").read_text() + public(keys, "rsa2048").read_text())
    (folder / "amy.pub").write_text("oh no\n")
    (folder / "Bob.pub").write_text(public(keys, "ecdsa256").read_text())
    (folder / "readme.txt").write_text("not looked at")
    done = refused(down, "--json", "key", "add", "--folder", folder, says='there is no account "Bob"')
    rows = [(r["account"], r["result"]) for r in json.loads(done.stdout)]
    assert rows == [("Bob", "no such account"), ("amy", "refused"), ("bob", "added"), ("bob", "added")]
    assert down.json("key", "list", "amy") == [] and len(down.json("key", "list", "bob")) == 2


def test_remove_keys(down, keys):
    down.add("bob", password=None, keys=[public(keys, k) for k in ("ed25519", "rsa2048", "ecdsa256", "ecdsa384")])
    down.command("key", "add", "bob", "--text", " ".join(public(keys, "ecdsa521").read_text().split()[:2]) + " ed25519 test")
    rows = {k["comment"]: k for k in down.json("key", "list", "bob")}
    refused(down, "key", "remove", "bob", "nothing", says='has no key "nothing"')
    refused(down, "key", "remove", "bob", "ed25519", says='has no key "ed25519"')
    refused(down, "key", "remove", "bob", "ed25519 test", says="2 keys of bob")
    down.command("key", "remove", "bob", rows["rsa2048 test"]["sha256"])
    down.command("key", "remove", "bob", rows["ecdsa256 test"]["md5"])
    down.command("key", "remove", "bob", rows["ecdsa384 test"]["number"])
    assert {k["comment"] for k in down.json("key", "list", "bob")} == {"ed25519 test"}


def test_control_characters_stay_off_the_terminal(down, keys):
    down.add("bob", password=None)
    key = " ".join(public(keys, "ed25519").read_text().split()[:2])
    refused(down, "key", "add", "bob", "--text", f"{key} red \x1b[31m", says="control character")
    refused(down, "key", "add", "bob", "--text", f"{key} turned \u202e around", says="control characters")
    assert down.json("key", "list", "bob") == []
    done = refused(down, "user", "show", "\x1b[31m", says="\\x1b[31m")
    assert "\x1b" not in done.stderr


# ---- host keys


def test_host_keys(down):
    refused_or_empty = down.command("hostkey", "list")
    assert "there is no host key" in refused_or_empty.stderr
    made = down.json("hostkey", "generate")
    assert [k["type"] for k in made] == ["ed25519", "ecdsa", "rsa"]
    assert down.json("hostkey", "list") == made
    for key in made[1:]:  # OpenSSH before 9.6 reads no Ed25519 key of this form
        shown = subprocess.run(["ssh-keygen", "-y", "-f", key["file"]], capture_output=True, text=True, check=True).stdout
        sha256 = subprocess.run(["ssh-keygen", "-lf", "-"], input=shown, capture_output=True, text=True, check=True).stdout.split()
        md5 = subprocess.run(["ssh-keygen", "-lf", "-", "-E", "md5"], input=shown, capture_output=True, text=True, check=True).stdout.split()
        assert [str(key["bits"]), key["sha256"], key["md5"]] == [sha256[0], sha256[1], md5[1]]
    refused(down, "hostkey", "generate", says="there is a key of each type already; --force replaces them")
    refused(down, "hostkey", "generate", "--type", "rsa", says="there is such a key already")
    refused(down, "hostkey", "generate", "--type", "dsa", status=USAGE, says='"dsa" is not one of')
    assert down.json("hostkey", "list") == made
    [new] = down.json("hostkey", "generate", "--type", "ed25519", "--force")
    assert new["sha256"] != made[0]["sha256"]
    assert [k["sha256"] for k in down.json("hostkey", "list")] == [new["sha256"], made[1]["sha256"], made[2]["sha256"]]
    assert len(list((down.place / "keys").glob("host_ed25519.old-*"))) == 1
    for path in (down.place / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (down.place / "keys" / "host_rsa").chmod(0o644)
    done = refused(down, "hostkey", "list", says="others than its owner can use it; chmod 600 it")
    assert "ecdsa" in done.stdout
    assert len(down.audit(event="hostkey-change")) == 4


# ---- check, status, audit


def test_check(down, keys):
    def results():
        return {(r["what"], r["result"]) for r in json.loads(down.command("--json", "check", check=False).stdout)}

    first = results()
    assert ("configuration", "OK") in first and ("host key rsa", "WARN") in first and ("server", "OK") in first
    down.command("hostkey", "generate")
    down.add("bob", keys=[public(keys, "ed25519")])
    assert down.command("check").returncode == DONE
    assert not any(result == "FAIL" for _, result in results())
    down.home("bob").rmdir()
    (down.place / "keys" / "host_ecdsa").chmod(0o640)
    (down.place / "state").chmod(0o755)
    now = results()
    assert {("account bob", "FAIL"), ("host key ecdsa", "FAIL"), ("state folder", "FAIL")} <= now
    assert down.command("check", check=False).returncode == REFUSED
    (down.place / "state").chmod(0o700)
    log = down.place / "state" / "audit.log"
    log.write_bytes(log.read_bytes().replace(b"added", b"Added"))
    assert ("audit log", "FAIL") in results()


@pytest.mark.needs_root
def test_check_finds_closed_folders(down):
    closed = down.place / "closed"
    closed.mkdir(mode=0o700)
    down.add("bob", home=closed / "bob")
    done = down.command("check", check=False)
    assert done.returncode == REFUSED and f"cannot pass through {closed}" in done.stdout


def test_without_a_server(down):
    for line in (["session", "list"], ["session", "kill", "1"], ["reload"]):
        refused(down, *line, status=NO_SERVER, says="no server runs")
    done = down.command("status", check=False)
    assert done.returncode == NO_SERVER and "no server runs" in done.stdout
    done = down.command("--json", "status", check=False)
    assert done.returncode == NO_SERVER and json.loads(done.stdout) == {"running": False}


def test_audit_show(down):
    for name in ("amy", "bob", "eve"):
        down.add(name, password=None)
    lines = down.json("audit", "show")
    assert [line["n"] for line in lines] == [1, 2, 3]
    assert down.json("audit", "show", "--account", "bob") == lines[1:2]
    assert down.json("audit", "show", "--last", "2") == lines[1:]
    assert down.json("audit", "show", "--last", "1", "--account", "amy") == lines[:1]
    assert down.json("audit", "show", "--event", "login") == []
    assert down.json("audit", "show", "--since", "2000-01-01", "--until", "2001-01-01T00:00:00Z") == []
    assert down.json("audit", "show", "--since", lines[0]["time"][:10] + "T00:00Z") == lines
    assert down.json("audit", "show", "--session", "7") == []
    assert down.json("audit", "show", "--path-prefix", "/") == []
    text = down.command("audit", "show").stdout.splitlines()
    assert len(text) == 3 and "account-change  amy" in text[0]
    refused(down, "audit", "show", "--since", "yesterday", status=USAGE, says="is not a time")
    refused(down, "audit", "show", "--last", "0", status=USAGE)
    assert down.json("audit", "verify")["whole"] is True


def test_audit_follow(make_server):
    """Lines as they come, over rotations, none missed and none twice."""
    down = make_server({"audit": {"rotate_bytes": 4096}}, start=False)
    down.add("first", password=None)
    command = [str(programs() / "sallyport"), "-c", str(down.conf), "--json", "audit", "show", "--follow"]
    with open(down.place / "followed", "wb") as out:
        process = subprocess.Popen(command, stdout=out)
    try:
        def followed():
            return [json.loads(line)["n"] for line in (down.place / "followed").read_text().splitlines()]

        wait_for("the first line", followed)
        for i in range(30):
            down.command("user", "set", "first", "--max-sessions", i)
        wait_for("all lines", lambda: len(followed()) >= 31)
        assert followed() == list(range(1, 32))
        assert len(list((down.place / "state").glob("audit.log.*"))) >= 1
    finally:
        process.terminate()
        process.wait()


def test_completion_is_good_shell(down):
    for shell in ("bash", "zsh"):
        text = down.command("completion", shell).stdout
        assert "--generate-password" in text
        if shell == "bash":
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    script = down.command("completion", "bash").stdout + (
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport; echo "${COMPREPLY[*]}"; }\n'
        'try sallyport us; try sallyport user ""; try sallyport -c x user add bob --pass; try sallyport hostkey generate --type ""\n'
        'try sallyport completion z; try sallyport status --j\n'
    )
    out = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True).stdout.splitlines()
    assert out == [
        "user", "add list show set disable enable delete passwd generate-password invite codes", "--password-stdin", "ed25519 ecdsa rsa", "zsh", "--json",
    ]  # fmt: skip


def test_two_at_once(down):
    """Both want the store: one waits for the other, none is lost."""
    command = [str(programs() / "sallyport"), "-c", str(down.conf), "user", "add"]
    running = [subprocess.Popen([*command, f"user{i}"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) for i in range(4)]
    for process in running:
        assert process.wait(60) == DONE, process.stderr.read()
        process.stderr.close()
    assert len(down.json("user", "list")) == 4


def test_output_that_cannot_be_written(down):
    done = subprocess.run(
        [str(programs() / "sallyport"), "-c", str(down.conf), "--help"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == REFUSED and "cannot be written" in done.stderr


# ---- with a server


def test_through_the_server(make_server, keys):
    """The same answers, and a change is in force at once."""
    server = make_server()
    server.command("user", "add", "bob", "--email", "b@c", "--password-stdin", "--weak", stdin="x y z\n")
    assert server.json("user", "show", "bob")["email"] == "b@c"
    server.command("key", "add", "bob", public(keys, "ed25519"))
    assert len(server.json("key", "list", "bob")) == 1
    assert server.json("session", "list") == []
    refused(server, "session", "kill", "99", says="there is no session 99")
    refused(server, "session", "kill", "--account", "bob", says="bob has no session")
    refused(server, "session", "kill", status=USAGE)
    status = server.json("status")
    assert status["running"] is True and status["listeners"] and "seccomp" in status["sandbox"]["monitor"]
    assert json.loads(server.command("--json", "user", "disable", "bob").stdout)["sessions_ended"] == 0
    assert server.command("check").returncode == DONE
    before = {k["sha256"] for k in server.json("hostkey", "list")}
    server.command("hostkey", "generate", "--force")
    assert before.isdisjoint({k["sha256"] for k in server.json("hostkey", "list")})
