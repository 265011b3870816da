"""Mail as its recipients get it: a real server, msmtp as its sendmail command, a real SMTP server as the
relay; and the process that sends it."""
import os

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
