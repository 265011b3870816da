"""What the page's tests run against: the real server of tests/e2e, HTTPS through a proxy (proxy.py) that can make it
slow and failing; FTPS beside it, as the page tells how to connect.

    base, straight            addresses: through the proxy, and past it
    account(rights=...)       a new account: .name, .password, .root (its folder, a Path of this machine)
    mailbox                   what it has mailed, as in tests/e2e/mail.py
    own(account)              whatever a test has put there belongs to the account, as if it had made it
    kill(), start()           the monitor dies at once; it comes back, with its sessions and uploads
    mode(**modes)             as in proxy.py; mode() ends them
    requests()                'METHOD address status' of each request of this test that went through the proxy
    begin()                   before each test
"""
import hashlib
import os
import pathlib
import ssl
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "e2e"))

import server as e2e  # noqa: E402  (the folder must be known first)
from mail import Mailbox  # noqa: E402

from proxy import Proxy  # noqa: E402

UI = TOP / "https-worker" / "ui"
PATIENCE, IS_ROOT = e2e.PATIENCE, e2e.IS_ROOT
ALL_RIGHTS = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]
ORGANISATION = "Harbour Office"
PASSWORD = "open sesame"


class Account:
    """straight addresses hand it over as it is; see browser.sign_in."""

    def __init__(self, name, root):
        self.name, self.password, self.root = name, PASSWORD, root


class Site:
    """An address to sign in at."""

    def __init__(self, real, base):
        self.real, self.base = real, base

    def own(self, account):
        self.real.own(account)


class Real(Site):
    def __init__(self, **https):
        self.mailbox = Mailbox()
        mail = self.mailbox.settings(gather=0)
        self.server = e2e.Server({"accounts": {"links_an_hour": 100}, **mail}).serve_ftps().serve_https(organisation=ORGANISATION, **https).start()
        keys = self.server.place / "keys"
        self.proxy = Proxy(self.server.https_port, keys / "tls.crt", keys / "tls.key")
        self.count = 0
        super().__init__(self, f"https://127.0.0.1:{self.proxy.port}")
        self.straight = Site(self, f"https://127.0.0.1:{self.server.https_port}")

    def start(self):
        self.server.start()

    def kill(self):
        self.server.kill()

    def close(self):
        self.proxy.close()
        self.server.close()
        self.mailbox.close()

    def account(self, rights=None, name=None, **options):
        self.count += 1
        name = name or f"user{self.count}"
        rights = ",".join(ALL_RIGHTS if rights is None else rights) or "none"
        return Account(name, self.server.add(name, PASSWORD, rights=rights, **options))

    def own(self, account):
        if not e2e.IS_ROOT:
            return
        owner = account.root.stat()
        for folder, _, names in os.walk(os.fsencode(account.root)):
            for path in [folder, *(os.path.join(folder, name) for name in names)]:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def fingerprints(self):
        """Of the host keys and the certificate, as other programs tell them."""
        def run(*command, given=None):
            return subprocess.run(command, check=True, input=given, capture_output=True, text=True).stdout
        keys = run("ssh-keyscan", "-p", str(self.server.port), "127.0.0.1")
        told = [line.split()[1] for kind in ("sha256", "md5") for line in run("ssh-keygen", "-l", "-E", kind, "-f", "-", given=keys).splitlines()]
        assert len(told) >= 4
        certificate = (self.server.place / "keys" / "tls.crt").read_text()
        return [*told, hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()]

    def mode(self, **modes):
        self.proxy.modes = modes

    def requests(self):
        return list(self.proxy.log)

    def begin(self):
        """Another test: no connection of the last one, nothing fails, nothing was asked yet."""
        self.proxy.begin()
