"""A relay for a test's mail, and its recipients' mailboxes: a real SMTP server on a free port (aiosmtpd),
reached through Debian's msmtp as the server's sendmail command. The fixture `mailbox` of conftest.py is one:

    server = make_server(mailbox.settings(), start=False).serve_https().start()
    server.command("user", "add", "alice", "--invite", "alice@example.net")
    message = mailbox.wait_for("alice@example.net", "invite")
    message.link, message.token, message.text, message["Subject"]
"""
import asyncio
import email
import email.policy
import re
import shutil
import threading

from aiosmtpd.controller import Controller

from server import free_port, make_place, wait_for

SUBJECTS = {  # as monitor/notify/templates have them
    "invite": r"^Your account at ",
    "lost": r"^A new password for ",
    "address": r"^Please confirm your address ",
    "changed": r"^Your account .* was changed$",
}


class Message:
    """One that the relay took: an email.message.EmailMessage, and what a reader looks for in it."""

    def __init__(self, envelope):
        self.recipients = list(envelope.rcpt_tos)
        self.sender = envelope.mail_from
        self.raw = envelope.content
        self.parsed = email.message_from_bytes(self.raw, policy=email.policy.default)

    def __getitem__(self, field):
        return self.parsed[field]

    @property
    def text(self):
        return self.parsed.get_content().replace("\r\n", "\n")

    @property
    def link(self):
        """The whole link: https://name:port/link#TOKEN."""
        found = re.findall(r"https://\S+/link#\S+", self.text)
        assert len(found) == 1, self.text
        return found[0]

    @property
    def token(self):
        return self.link.partition("#")[2]

    def __repr__(self):
        return f"<to {self.recipients}: {self['Subject']}>"


class Mailbox:
    def __init__(self):
        if shutil.which("msmtp") is None:
            import pytest
            pytest.skip("no msmtp here")
        self.messages = []  # all that was taken, in order; read under the lock
        self.lock = threading.Lock()
        self.answer = None  # what the relay says to a message instead of taking it: "451 not now"
        self.refused = 0  # how often it did
        self.held = 0  # messages that it has and does not answer yet
        self.free = threading.Event()
        self.free.set()
        self.port = free_port()
        self.place = make_place("mail")
        self.place.chmod(0o755)
        self.conf = self.place / "msmtprc"
        self.conf.write_text(f"defaults\ntimeout 20\naccount default\nhost 127.0.0.1\nport {self.port}\n"
                             "auto_from off\nfrom sallyport@example.org\ntls off\nauth off\n")
        self.conf.chmod(0o644)
        self.relay = None
        self.start()

    @property
    def sendmail(self):
        """The server's mail.sendmail."""
        return f"/usr/bin/msmtp -C {self.conf} -t"

    def settings(self, **mail):
        """Settings of a server whose mail comes here."""
        return {"mail": {"enabled": "yes", "sendmail": self.sendmail, "from": "sallyport@example.org", "gather": 1, **mail}}

    # -- the relay

    def hold(self):
        """It takes messages and answers nothing, until release()."""
        self.free.clear()

    def release(self):
        self.free.set()

    async def handle_DATA(self, _server, _session, envelope):  # aiosmtpd's name for it
        self.held += 1
        while not self.free.is_set():
            await asyncio.sleep(0.02)
        self.held -= 1
        with self.lock:
            if self.answer:
                self.refused += 1
                return self.answer
            self.messages.append(Message(envelope))
        return "250 taken"

    def start(self):
        """The relay lives, again on the same port."""
        self.relay = Controller(self, hostname="127.0.0.1", port=self.port)
        self.relay.start()

    def stop(self):
        """A dead relay: nobody listens."""
        if self.relay is not None:
            self.relay.stop()
        self.relay = None

    def close(self):
        self.release()
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    # -- what came

    def all(self, to=None, kind=None, subject=None):
        """What has come so far for somebody: of a kind, or whose subject has this pattern."""
        pattern = SUBJECTS[kind] if kind else subject or ""
        with self.lock:
            return [m for m in self.messages if (to is None or to in m.recipients) and re.search(pattern, m["Subject"])]

    def wait_for(self, to, kind=None, subject=None, count=1, seconds=30):
        """Wait until so many came; the last of them."""
        return wait_for(f"{count} mail(s) to {to} ({kind or subject})",
                        lambda: (found := self.all(to, kind, subject))[count - 1:] and found, seconds)[count - 1]
