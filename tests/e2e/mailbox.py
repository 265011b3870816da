"""What a server mails, for tests: mail is enabled, its command a script that keeps each message, and the links are
taken out of the messages. A build without sallyport-notify delivers nothing: there the store's queue is looked at."""
import contextlib
import json
import re
import shutil
import sqlite3

from server import programs, wait_for

LINK = re.compile(r"/link#([A-Za-z0-9_-]+)")


class Mailbox:
    """Before the server's start."""

    def __init__(self, server):
        self.server = server
        self.folder = server.place / "mail"
        self.folder.mkdir()
        self.folder.chmod(0o1777)
        server.place.chmod(0o711)
        script = server.place / "sendmail"
        script.write_text(f'#!/bin/sh\ncat >"{self.folder}/$$.new" && mv "{self.folder}/$$.new" "{self.folder}/$$.mail"\n')
        script.chmod(0o755)
        server.configure({"mail": {"enabled": "yes", "sendmail": f"{script} -i -t", "gather": 0, "from": "sallyport@example.org"}})

    def messages(self):
        """[(recipient, text)] of all that was sent."""
        if (programs() / "sallyport-notify").exists():
            texts = [path.read_text() for path in sorted(self.folder.glob("*.mail"), key=lambda path: path.stat().st_mtime_ns)]
            return [(re.search(r"^To: *<?([^>\n]*)", text, re.M).group(1), text) for text in texts]
        copy = self.server.place / "copy.db"  # the store has its own for itself
        for end in ("", "-wal"):
            shutil.copy(f"{self.server.place}/state/accounts.db{end}", f"{copy}{end}")
        with contextlib.closing(sqlite3.connect(copy)) as database:
            rows = database.execute("SELECT recipient, kind, facts FROM outbox ORDER BY number").fetchall()
        return [(to, f"{kind}\n{facts}\n/link#{json.loads(facts).get('token', '')}\n") for to, kind, facts in rows]

    def links(self, to):
        return [found.group(1) for who, text in self.messages() if who == to and (found := LINK.search(text))]

    def link(self, to, seen=()):
        """The token of a link that was sent to this address, and is none of those."""
        return wait_for(f"a link mailed to {to}", lambda: [link for link in self.links(to) if link not in seen])[-1]
