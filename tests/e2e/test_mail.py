"""Mail as its recipients get it: a real server, msmtp as its sendmail command, a real SMTP server as the
relay; and the process that sends it."""
import os
import re
import sqlite3
import time
from email.utils import parseaddr, parsedate_to_datetime

import pytest

from server import IS_ROOT, wait_for


def notify(server):
    """The one process, once it is ready."""
    pid = wait_for("sallyport-notify", lambda: server.json("status")["notify_pid"], 20)
    (process,) = server.children("sallyport-notify")
    assert process.pid == pid
    return process


def test_no_mail_no_process(make_server):
    server = make_server()
    server.add("alice")
    status = server.json("status")
    assert status["notify_pid"] == 0 and status["sandbox"]["notify"] == []
    assert server.children("sallyport-notify") == []


def test_the_process(make_server, mailbox):
    """Its own ids, no capability, nothing open but its links; the monitor's filter; no_new_privs only where the
    monitor has it, as a sendmail command may be set-gid."""
    server = make_server(mailbox.settings())
    process = notify(server)
    status = process.status
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == server.monitor.status["NoNewPrivs"]
    layers = server.json("status")["sandbox"]["notify"]
    assert {"capabilities", "not dumpable", "rlimits", "seccomp"} <= set(layers)
    assert "Landlock" not in layers
    if IS_ROOT:
        assert "own uid" in layers and int(status["CapBnd"], 16) == 0
        assert status["Uid"].split() == status["Gid"].split() == ["39003"] * 4 and status["Groups"].split() == []
        assert (process.path / "status").stat().st_uid == 0  # not dumpable
        links = [os.readlink(fd) for fd in (process.path / "fd").iterdir()]
        assert sorted(link.partition(":")[0] for link in links if link != "/dev/null" and server.log_path.name not in link) \
            == ["socket", "socket"], links


def test_it_is_started_again(make_server, mailbox):
    server = make_server(mailbox.settings())
    first = notify(server)
    first.kill()
    wait_for("another", lambda: server.json("status")["notify_pid"] not in (0, first.pid), 20)
    assert "sallyport-notify ended (signal 9)" in server.log()
    second = notify(server)
    server.reload()
    wait_for("another", lambda: server.json("status")["notify_pid"] not in (0, second.pid), 20)
    assert server.log().count("sallyport-notify ended") == 1


def test_it_outlives_the_store(make_server, mailbox):
    server = make_server(mailbox.settings())
    process = notify(server)
    (store,) = server.children("sallyport-store")
    store.kill()
    wait_for("another store", lambda: server.json("status")["store_pid"] not in (0, store.pid), 20)
    server.add("alice")
    assert notify(server).pid == process.pid


def test_stopped_it_ends(make_server, mailbox):
    """Also when its command hangs, and when the monitor is killed."""
    server = make_server(mailbox.settings())
    process = notify(server)
    server.stop()
    assert not process.alive()
    server.start()
    process = notify(server)
    server.kill()
    wait_for("its end", lambda: not process.alive())


# ---- messages ---------------------------------------------------------------------------------

ALICE = "alice@example.net"


def invite(server, name="alice", to=ALICE):
    server.command("user", "add", name, "--invite", to)


def outbox(server, statement="SELECT number, kind, tries, due FROM outbox"):
    """The store's queue, looked at (or put forward) while the server does not run."""
    assert not server.running()
    with sqlite3.connect(server.place / "state" / "accounts.db") as database:
        rows = database.execute(statement).fetchall()
    database.close()
    if IS_ROOT:
        for path in (server.place / "state").iterdir():
            os.chown(path, 39001, 39001)
    return rows


def later(server):
    """As long after as the next try takes: stopped, all that waits made due, started."""
    if server.running():
        server.stop()
    outbox(server, "UPDATE outbox SET due = 0")
    server.start()


def test_invite(make_server, mailbox):
    server = make_server(mailbox.settings(base="https://files.example.org:8443"), start=False)
    server.configure({"https": {"organisation": "Müller & Söhne <evil@example.org>"}})
    server.start()
    invite(server)
    message = mailbox.wait_for(ALICE, "invite")
    assert message.recipients == [ALICE] and message.sender == "sallyport@example.org"
    assert message["To"] == ALICE and message["Cc"] is None and message["Bcc"] is None
    assert message["Subject"] == "Your account at Müller & Söhne <evil@example.org>"
    assert parseaddr(str(message["From"]))[1] == "sallyport@example.org"
    assert message["From"].addresses[0].display_name == "Müller & Söhne <evil@example.org>" and len(message["From"].addresses) == 1
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<sallyport\.\d+\.[0-9a-f]{16}@example\.org>", message["Message-ID"].strip())
    assert abs(parsedate_to_datetime(message["Date"]).timestamp() - time.time()) < 60
    assert message.link == f"https://files.example.org:8443/link#{message.token}" and re.fullmatch(r"[\w-]{43}", message.token)
    assert "alice" in message.text and "{{" not in message.text
    until = time.strftime("%A, %-d %B %Y, ", time.localtime(time.time() + 86400))
    assert until in message.text and time.strftime("%Z") in message.text
    assert all(len(line) <= 78 for line in message.raw.decode("ascii").splitlines())
    server.stop()
    assert outbox(server) == []
    assert len(mailbox.all()) == 1


def test_dead_relay(make_server, mailbox):
    """What cannot be delivered waits, over restarts of the server, and is delivered when the relay is back."""
    mailbox.stop()
    server = make_server(mailbox.settings())
    invite(server)
    server.wait_log(r"notify: notice \d+ is not delivered yet: msmtp ended with status \d+.*refused")
    server.stop()
    ((_number, kind, tries, due),) = outbox(server)
    assert kind == "invite" and tries == 1 and due > time.time()
    later(server)
    wait_for("a second try", lambda: len(re.findall("is not delivered yet", server.log())) == 2, 20)
    server.stop()
    mailbox.start()
    later(server)
    message = mailbox.wait_for(ALICE, "invite")
    assert message.recipients == [ALICE]
    server.stop()
    assert outbox(server) == [] and len(mailbox.all()) == 1


@pytest.mark.parametrize("answer", ["451 4.3.0 not now", "554 5.7.1 not from you"])
def test_a_relay_that_refuses(make_server, mailbox, answer):
    mailbox.answer = answer
    server = make_server(mailbox.settings())
    invite(server)
    server.wait_log(r"is not delivered yet: msmtp ended with status ")
    mailbox.answer = None
    later(server)
    mailbox.wait_for(ALICE, "invite")
    assert mailbox.refused == 1


def test_no_such_recipient(make_server, mailbox):
    """What the command refuses for good is given up, and said in the log of changes."""
    command = mailbox.place / "sendmail"
    command.write_text("#!/bin/sh\ncat >/dev/null\necho 'no such user here' >&2\nexit 67\n")
    command.chmod(0o755)
    server = make_server(mailbox.settings(sendmail=command))
    invite(server)
    server.wait_log(r"notice \d+ cannot be delivered: sendmail ended with status 67: there is no such recipient: no such user here")
    (line,) = wait_for("a line of the audit log", lambda: server.audit(event="mail"))
    assert "is given up" in line["text"] and ALICE in line["text"], line
    server.stop()
    assert outbox(server) == []


def begin(server, mailbox, name, to):
    """An invitation that the relay has, and does not answer yet. Returns sallyport-notify."""
    process = notify(server)
    mailbox.hold()
    invite(server, name, to)
    wait_for("a message at the relay", lambda: mailbox.held)
    return process


def test_killed_while_it_delivers(make_server, mailbox):
    """Its command goes on, nobody knows what comes of it, and the message is sent again: its reader's program sees
    that it is the same."""
    server = make_server(mailbox.settings())
    process = begin(server, mailbox, "alice", ALICE)
    process.kill()
    mailbox.release()
    message = mailbox.wait_for(ALICE, "invite", count=2)
    assert {(m["Message-ID"], m.link) for m in mailbox.all()} == {(message["Message-ID"], message.link)}
    begin(server, mailbox, "bob", "bob@example.net")
    server.kill()
    mailbox.release()
    mailbox.wait_for("bob@example.net", "invite")
    server.start()
    mailbox.wait_for("bob@example.net", "invite", count=2)
    assert len({m["Message-ID"] for m in mailbox.all("bob@example.net")}) == 1
    server.stop()
    assert outbox(server) == [] and len(mailbox.all()) == 4


def test_the_store_is_killed_while_it_delivers(make_server, mailbox):
    """What was delivered meanwhile is told to the next store, and not sent again."""
    server = make_server(mailbox.settings())
    process = begin(server, mailbox, "alice", ALICE)
    (store,) = server.children("sallyport-store")
    store.kill()
    wait_for("another store", lambda: server.json("status")["store_pid"] not in (0, store.pid), 20)
    mailbox.release()
    mailbox.wait_for(ALICE, "invite")
    invite(server, "bob", "bob@example.net")  # which comes after all before it is done
    mailbox.wait_for("bob@example.net", "invite")
    assert len(mailbox.all(ALICE)) == 1 and notify(server).pid == process.pid
    server.stop()
    assert outbox(server) == []


def test_stopped_while_it_delivers(make_server, mailbox):
    """A stop waits a moment for the command, and no longer."""
    server = make_server(mailbox.settings())
    process = begin(server, mailbox, "alice", ALICE)
    server.stop()
    assert not process.alive()
    assert [(kind, tries) for _, kind, tries, _ in outbox(server)] == [("invite", 0)]
    mailbox.release()
    server.start()
    mailbox.wait_for(ALICE, "invite")


def test_changes_are_gathered(make_server, mailbox, keys):
    server = make_server(mailbox.settings(gather=3))
    server.add("alice", email=ALICE)
    server.add("bob", email="bob@example.net")
    server.add("carol")
    for name in ("ed25519", "other"):
        server.add_key("alice", keys[name].with_suffix(".pub"))
    server.add_key("bob", keys["ed25519"].with_suffix(".pub"))
    server.add_key("carol", keys["ed25519"].with_suffix(".pub"))
    server.command("user", "passwd", "alice", "--password-stdin", stdin="another horse entirely\n")
    message = mailbox.wait_for(ALICE, "changed")
    assert len(re.findall(r"^  \* The SSH key SHA256:\S+ .*was added\.$", message.text, re.M)) == 2, message.text
    assert "  * The operator changed the password.\n" in message.text
    assert len(re.findall(time.strftime("^    %A, %-d %B %Y, "), message.text, re.M)) == 3, message.text
    assert "/link#" not in message.text
    assert len(re.findall(r"^  \* ", mailbox.wait_for("bob@example.net", "changed").text, re.M)) == 1
    server.stop()
    assert len(mailbox.all()) == 2


def test_own_templates(make_server, mailbox):
    place = mailbox.place / "templates"
    place.mkdir()
    server = make_server(mailbox.settings(templates=place))
    (place / "invite.txt").write_text("Subject: Willkommen, {{account}}\n\nGrüß Gott! {{link}}\nBis {{expires}}.\n", encoding="utf-8")
    invite(server)
    message = mailbox.wait_for(ALICE, subject="^Willkommen, alice$")
    assert message.text.startswith("Grüß Gott! https://") and len(message.token) == 43
    (place / "invite.txt").write_text("Subject: x\n\n{{acount}}\n")
    invite(server, "bob", "bob@example.net")
    assert "bob" in mailbox.wait_for("bob@example.net", "invite").text
    server.wait_log(r"notify: mail.templates: \S+/invite.txt cannot be used, the text that was built in is: line 3: there is no ")


def test_hostile_names(make_server, mailbox, keys):
    """Whatever an address or a name is made of: one recipient, and each field once."""
    server = make_server(mailbox.settings(), start=False)
    server.configure({"https": {"organisation": "a\\nBcc: mallory@example.org\\n\\nb"}})
    server.start()
    for address in ("a@b\nBcc: c@d", "a@b, c@d", "<a@b>", '"a b"@c', "-oQ/tmp@b"):
        assert server.command("user", "add", "mallory", "--invite", address, check=False).returncode != 0, address
    server.add("alice", email=ALICE)
    server.add_key("alice", keys["ed25519"].with_suffix(".pub"))
    message = mailbox.wait_for(ALICE, "changed")
    assert message.recipients == [ALICE] and message["Bcc"] is None and len(message["From"].addresses) == 1
    assert message["Subject"] == "Your account alice at a Bcc: mallory@example.org  b was changed"
    assert all(m.recipients == [ALICE] for m in mailbox.all())


# ---- settings ---------------------------------------------------------------------------------

@pytest.mark.parametrize("section, values, told", [
    ("mail", {"sendmail": "sendmail -t"}, "mail.sendmail: does not begin with the absolute path"),
    ("mail", {"sendmail": '/usr/sbin/sendmail "-t'}, 'mail.sendmail: has a " without its other'),
    ("mail", {"from": "sallyport"}, "mail.from: is no address"),
    ("mail", {"from": "a@b, c@d"}, "mail.from: is no address"),
    ("mail", {"base": "http://files.example.org"}, "mail.base: does not begin with https://"),
    ("mail", {"base": "https://files.example.org/"}, "mail.base: ends with a slash"),
    ("server", {"notify_id": 39001}, "server.store_id and server.notify_id overlap"),
])
def test_settings_that_are_refused(make_server, section, values, told):
    server = make_server(start=False)
    server.configure({section: values})
    done = server.command("check", check=False)
    assert done.returncode != 0 and told in done.stdout, done.stdout
    server.configure({section: dict.fromkeys(values)})
    assert told not in server.command("check", check=False).stdout


def checked(server, what):
    return [(row["result"], row["text"]) for row in server.json("check", check=False) if row["what"] == what]


def test_check(make_server, mailbox):
    server = make_server(start=False)
    assert checked(server, "mail") == []
    server.configure(mailbox.settings())
    (row,) = checked(server, "mail links")
    assert row[0] == "WARN" and "HTTPS" in row[1]
    server.serve_https(names="files.example.org")
    assert checked(server, "mail links") == [("OK", f"begin with https://files.example.org:{server.https_port}")]
    assert checked(server, "mail command") == [("OK", "/usr/bin/msmtp, from sallyport@example.org")]
    server.configure({"mail": {"sendmail": "/no/such/program -t"}})
    (row,) = checked(server, "mail command")
    assert row[0] == "FAIL" and "/no/such/program" in row[1]
    templates = server.place / "templates"
    server.configure({"mail": {"sendmail": mailbox.sendmail, "templates": templates}})
    (row,) = checked(server, "mail templates")
    assert row[0] == "WARN" and "No such file" in row[1]
    templates.mkdir()
    (templates / "invite.txt").write_text("Subject: Hello\n")
    (templates / "invit.txt").write_text("Subject: Hello\n")
    rows = checked(server, "mail templates")
    assert ("OK", f"{templates}/invite.txt") in rows
    assert ("WARN", f"{templates}/invit.txt is not used: no notice has that name") in rows
    (templates / "invite.txt").write_text("Subject: Hello\n\n{{acount}}\n")
    assert ("WARN", f"{templates}/invite.txt is not used: line 3: there is no {{{{acount}}}} here") in checked(server, "mail templates")
