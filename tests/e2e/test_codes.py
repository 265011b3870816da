"""Two-step login in clients of SFTP and FTPS; in the browser: test_account_api.py, tests/page/test_account.py."""
import ftplib
import subprocess

import paramiko
import pytest

import clients
import ftps_clients
import sshlow
from authenticator import Authenticator, begin, confirm, totp
from conftest import same
from https_clients import PASSWORD, Web
from server import wait_for

DIGITS = "correct horse 271828"  # a password that ends as if a code stood behind it
METHODS = ["password", "keyboard-interactive"]


@pytest.fixture(scope="module")
def server(make_shared):
    return make_shared(start=False).serve_ftps().serve_https().start()


@pytest.fixture
def account(server, request):
    """An account of this test alone: its name."""
    name = request.function.__name__.removeprefix("test_").replace("_", "-")[:30]
    server.add(name, password=getattr(request, "param", PASSWORD))
    return name


@pytest.fixture
def enrolled(server, account, request):
    return Authenticator(server, account, getattr(request, "param", PASSWORD))


def sftp(server, place, account, code, *options, password=PASSWORD, check=True):
    client = clients.OpenSSH(server, place, account, password)
    client.auth = options
    client.env["SALLYPORT_TEST_CODE"] = code
    return client.batch("pwd", check=check)


# ---- SFTP ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("methods", METHODS)
def test_openssh(server, place, methods):
    """The password by either method, then the code; or a key before it."""
    name = f"openssh-{methods}"
    server.add(name)
    authenticator = Authenticator(server, name)
    options = ["-o", f"PreferredAuthentications={methods},keyboard-interactive", "-o", "PubkeyAuthentication=no"]
    code = authenticator.next()
    assert "/" in sftp(server, place, name, code, *options).stdout
    again = sftp(server, place, name, code, *options, check=False)
    assert again.returncode != 0 and "Permission denied" in again.stderr, "a code is right once"
    assert "/" in sftp(server, place, name, authenticator.recovery[0], *options).stdout
    assert sftp(server, place, name, authenticator.recovery[0], *options, check=False).returncode != 0


def test_a_key_then_a_code(server, place, account, keys, enrolled):
    server.add_key(account, keys["ed25519"].with_suffix(".pub"))
    key = ["-o", "PreferredAuthentications=publickey,keyboard-interactive", "-o", "IdentitiesOnly=yes", "-i", str(keys["ed25519"])]
    wrong = sftp(server, place, account, "000000", *key, check=False)
    assert wrong.returncode != 0 and "Permission denied" in wrong.stderr
    assert "/" in sftp(server, place, account, enrolled.next(), *key).stdout
    wait_for("its line in the audit log", lambda: [line for line in server.audit(event="login", account=account) if "publickey+code" in str(line)])


def test_a_wrong_code_takes_the_password_with_it(server, account, enrolled):
    with sshlow.transport(server) as t:
        assert t.auth_password(account, PASSWORD, fallback=False) == ["keyboard-interactive"]
        with pytest.raises(paramiko.AuthenticationException):
            t.auth_interactive(account, lambda *_: ["000000"])
        prompts = []
        def answer(_title, _instructions, asked):
            prompts.extend(text for text, _ in asked)
            return [enrolled.recovery[0] if "Code" in text else PASSWORD for text, _ in asked]
        t.auth_interactive(account, answer)
        assert t.is_authenticated() and prompts == ["Password: ", "Code: "]


def test_a_password_alone_opens_nothing(server, account, enrolled):
    with sshlow.transport(server) as t:
        assert t.auth_password(account, PASSWORD, fallback=False) == ["keyboard-interactive"]
        assert not t.is_authenticated()
        with pytest.raises(paramiko.SSHException):
            t.open_session(timeout=10)


def test_psftp(server, place, account, enrolled):
    """Asks for both, where it is told no password."""
    client = clients.Psftp(server, place, account)
    words = [word for word in client.login() if word not in ("-batch", "-pw", client.password)]
    psftp = subprocess.Popen(["psftp", *words, f"{account}@127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=client.env, cwd=place, start_new_session=True)  # not at a terminal of who runs this
    said = b""
    with psftp:
        for prompt, line in ((b"| Password: ", PASSWORD), (b"| Code: ", enrolled.next()), (b"psftp> ", "quit")):
            while not said.endswith(prompt):
                byte = psftp.stdout.read(1)
                assert byte, said
                said += byte
            psftp.stdin.write(line.encode() + b"\n")
            psftp.stdin.flush()
    assert psftp.returncode == 0 and b"Remote working directory is /" in said, said


# ---- FTPS ----------------------------------------------------------------------------------------
def test_asked_by_336(server, account, enrolled):
    code = enrolled.next()
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        assert talk.say(f"USER {account}").startswith("331")
        assert talk.say(f"PASS {PASSWORD}").startswith("336")
        assert talk.say("LIST").startswith("5"), "not logged in"
        assert talk.say("PASS 000000").startswith("530")
        assert talk.say(f"PASS {code}")[0] == "5", "the password is to be shown again"
        assert talk.say(f"USER {account}").startswith("331")
        assert talk.say(f"PASS {PASSWORD}").startswith("336")
        assert talk.say(f"PASS {code}").startswith("230")
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        talk.say(f"USER {account}")
        talk.say(f"PASS {PASSWORD}")
        assert talk.say(f"ACCT {code}").startswith("530"), "a code is right once"


def test_python_gives_it_as_an_account(server, account, enrolled):
    ftp = ftps_clients.session(server, login=False)
    try:
        ftp.auth()
        assert ftplib.FTP.login(ftp, account, PASSWORD, enrolled.next()).startswith("230")
        ftp.prot_p()
        assert ftp.nlst() == []
    finally:
        ftp.close()


def test_filezilla_gives_it_as_an_account(server, place, payload, account, enrolled):
    if not ftps_clients.FileZilla.available():
        pytest.skip("no filezilla, Xvfb or xdotool here")
    client = ftps_clients.FileZilla(server, place, account)
    client.account = enrolled.next()
    client.transfer((False, False, payload(100_000), "/up"))
    assert same(payload(100_000), server.home(account) / "up")
    assert "Response: 336" in client.log() and "Command: ACCT" in client.log()


@pytest.mark.parametrize("client", [ftps_clients.Lftp, ftps_clients.Curl, ftps_clients.Rclone], ids=lambda c: c.program)
def test_joined(server, place, client):
    """Behind the password, for clients that cannot be asked."""
    name = f"joined-{client.program}"
    server.add(name)
    authenticator = Authenticator(server, name)
    assert client(server, place, name, PASSWORD + authenticator.next()).names("/") == set()
    with pytest.raises(Exception, match=r"530|[Ll]ogin|denied"):
        client(server, place, name, PASSWORD + "000000").names("/")


def test_a_password_that_ends_in_digits(server, place):
    """Is taken whole before its end is taken for a code."""
    server.add("digits", password=DIGITS)
    server.add("joined-digits", password=DIGITS)
    assert ftps_clients.Curl(server, place, "digits", DIGITS).names("/") == set()
    asked, joined = Authenticator(server, "digits", DIGITS), Authenticator(server, "joined-digits", DIGITS)
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        talk.say("USER digits")
        assert talk.say(f"PASS {DIGITS}").startswith("336")
        assert talk.say(f"PASS {asked.next()}").startswith("230")
    assert ftps_clients.Curl(server, place, "joined-digits", DIGITS + joined.next()).names("/") == set()


def test_nothing_goes_behind_a_password_without_codes(server, account):
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        for text in (PASSWORD + "123456", "123456", "wrong123456"):
            talk.say(f"USER {account}")
            assert talk.say(f"PASS {text}").startswith("530"), text
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        talk.say(f"USER {account}")
        assert talk.say(f"PASS {PASSWORD}").startswith("230")


# ---- who must have codes -------------------------------------------------------------------------
def test_who_must_have_codes_sets_them_up_in_a_browser(server, place, account):
    server.command("user", "set", account, "--require-codes", "yes")
    refused = sftp(server, place, account, "", *clients.PASSWORD_ONLY, check=False)
    assert refused.returncode != 0
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        talk.say(f"USER {account}")
        answer = talk.say(f"PASS {PASSWORD}")
        assert answer.startswith("530") and "two-step login" in answer and "browser" in answer
    with Web(server, user=account) as web, Web(server, user=account) as other:
        assert other.state() == 403, "no files yet"
        secret = begin(server, account)
        confirm(web, totp(secret))
        wait_for("files, over a connection that was there before", lambda: other.state() == 200)
    code = totp(secret, 1)
    assert "/" in sftp(server, place, account, code, "-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "PubkeyAuthentication=no").stdout
    line = wait_for("its line in the audit log", lambda: [line for line in server.audit(event="account-change", account=account) if "turned on" in str(line)])[0]
    assert line["address"] == "127.0.0.1", line


def test_the_audit_log_says_by_what(server, account, enrolled):
    with ftps_clients.Talk(server, ftps_clients.Talk.SECURE) as talk:
        talk.say(f"USER {account}")
        talk.say(f"PASS {PASSWORD}")
        assert talk.say(f"PASS {enrolled.recovery[0]}").startswith("230")
    lines = wait_for("its line in the audit log", lambda: [line for line in server.audit(account=account) if "recovery code" in str(line)])
    assert len(lines) == 1 and lines[0]["address"] == "127.0.0.1", lines
    assert enrolled.recovery[0] not in server.log() and enrolled.recovery[0] not in str(server.audit())
