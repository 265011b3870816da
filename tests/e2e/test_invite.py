"""The operator's commands for what people do with their own accounts: invitations, codes, addresses.
Without a server, then through one. Nothing is delivered here; what waits in the outbox is looked at in
the store's own file."""
import datetime
import json
import re
import sqlite3
import time

import pytest

from test_command import REFUSED, USAGE, refused

MAIL = {"mail": {"enabled": "yes"}}


@pytest.fixture
def down(make_server):
    return make_server(MAIL, start=False)


def rows(server, query):
    """Of the store's file, while no store has it."""
    database = sqlite3.connect(server.place / "state" / "accounts.db")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def notices(server):
    return [(kind, to, json.loads(facts)) for kind, to, facts in
            rows(server, "SELECT kind, recipient, facts FROM outbox ORDER BY number")]  # fmt: skip


def show(server, name):
    return server.json("user", "show", name)


def seconds(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def test_invite(down):
    done = down.command("user", "add", "anna", "--invite", "anna@example.org")
    assert done.stdout.strip().endswith("an invitation goes to anna@example.org")
    account = show(down, "anna")
    assert account["password"] is False and account["password_changed"] is None
    assert account["email"] == "anna@example.org" and account["email_confirmed"] is False
    assert abs(seconds(account["invited_until"]) - time.time() - 86400) < 100
    [(kind, to, facts)] = notices(down)
    assert (kind, to) == ("invite", "anna@example.org")
    assert sorted(facts) == ["account", "expires", "organisation", "token"] and facts["account"] == "anna"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", facts["token"])
    # The token is in the notice alone: the store keeps its hash, the command and the log never see it.
    assert facts["token"] not in done.stdout + done.stderr + down.command("user", "show", "anna").stdout
    assert facts["token"] not in (down.place / "state" / "audit.log").read_text()
    assert [line["text"].split(", by ")[0] for line in down.audit(event="account-change")][1] == "invited at anna@example.org"
    shown = down.command("user", "show", "anna").stdout
    assert re.search(r"^Confirmed +no$", shown, re.M) and re.search(r"^Invited until +20", shown, re.M)

    # Another only when it is asked for; it stands in place of the first.
    refused(down, "user", "invite", "anna", says="--resend")
    again = down.json("user", "invite", "anna", "--resend")
    assert again["email"] == "anna@example.org" and again["invited_until"] >= account["invited_until"]
    [(kind, to, second)] = notices(down)
    assert second["token"] != facts["token"]
    # Who has a password needs none.
    down.command("user", "passwd", "anna", "--password-stdin", stdin="a long enough one\n")
    assert show(down, "anna")["invited_until"] is None and notices(down) == []
    refused(down, "user", "invite", "anna", "--resend", says="has a password already")
    refused(down, "user", "invite", "nobody", says='there is no account "nobody"')


def test_invite_refused(down, make_server):
    for address in ("anna", "a b@c", "a@b,c@d", "-f@x", "a@b@c"):
        refused(down, "user", "add", "anna", "--invite", address, says="an e-mail address")
    for options in (["--email", "a@b"], ["--password-stdin"], ["--generate-password"], []):
        refused(down, "user", "add", "anna", "--invite", "a@b" if options else "", *options, status=USAGE, says="--invite")
    assert down.json("user", "list") == []
    down.command("user", "add", "keys")
    refused(down, "user", "invite", "keys", says="no e-mail address")
    down.command("user", "set", "keys", "--email", "k@example.org")
    assert show(down, "keys")["email_confirmed"] is True  # the operator gave it
    down.command("user", "disable", "keys")
    refused(down, "user", "invite", "keys", says="disabled")
    down.command("user", "enable", "keys")
    down.command("user", "invite", "keys")
    assert [to for _, to, _ in notices(down)] == ["k@example.org"]

    without = make_server(start=False)
    refused(without, "user", "add", "anna", "--invite", "a@example.org", status=REFUSED, says="mail is not enabled")
    assert without.json("user", "list") == []
    without.command("user", "add", "anna", "--email", "a@example.org")
    refused(without, "user", "invite", "anna", says="mail is not enabled")


def test_codes(down):
    down.command("user", "add", "anna", "--require-codes", "yes")
    assert show(down, "anna")["codes_required"] is True
    refused(down, "user", "set", "anna", "--require-codes", "perhaps", status=USAGE, says="neither yes nor no")
    refused(down, "user", "codes", "anna", "--remove", says="has no codes")
    assert down.json("user", "codes", "anna") == {
        "name": "anna", "codes": "off", "codes_required": True, "recovery_codes": 0}  # fmt: skip
    database = sqlite3.connect(down.place / "state" / "accounts.db")
    database.execute("INSERT INTO codes VALUES (1, randomblob(20), X'', 0, 0, 0, 0)")
    database.execute("INSERT INTO recovery_codes VALUES (1, randomblob(32))")
    database.commit()
    database.close()
    account = show(down, "anna")
    assert account["codes"] is True and account["recovery_codes"] == 1
    # Whatever is set, they stay in force.
    down.command("user", "set", "anna", "--require-codes", "no", "--trash")
    account = show(down, "anna")
    assert account["codes"] is True and account["codes_required"] is False and account["trash"] is True
    assert "codes of anna removed" in down.command("user", "codes", "anna", "--remove").stdout
    account = show(down, "anna")
    assert account["codes"] is False and account["recovery_codes"] == 0
    assert down.audit(event="account-change")[-1]["text"].startswith("codes removed, by ")


def test_with_a_server(make_server):
    server = make_server(MAIL)
    server.command("user", "add", "anna", "--invite", "anna@example.org")
    refused(server, "user", "invite", "anna", says="--resend")
    server.command("user", "invite", "anna", "--resend")
    assert show(server, "anna")["email_confirmed"] is False
    assert server.json("user", "codes", "anna")["codes"] == "off"
    refused(server, "user", "codes", "anna", "--remove", says="has no codes")
    server.stop()
    assert [(kind, to) for kind, to, _ in notices(server)] == [("invite", "anna@example.org")]
