"""A person's authenticator: codes for two-step login, and how an account comes to it over HTTPS."""
import base64
import hashlib
import hmac
import json
import struct
import time

from https_clients import PASSWORD, Web

JSON = {"Content-Type": "application/json"}


def totp(secret, steps=0):
    """RFC 6238, of now or of so many steps on."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    return f"{(struct.unpack('>I', digest[digest[-1] & 15:][:4])[0] & 0x7fffffff) % 1000000:06}"


def begin(server, user, password=PASSWORD):
    """The password, and no session: the secret."""
    with Web(server, sign_in=False) as web:
        answer = web.ask("POST", "/api/codes/begin", json.dumps({"user": user, "current": password}).encode(), JSON)
    assert answer.status == 200, answer
    return answer.json["secret"]


def confirm(web, code):
    """The first code: the recovery codes. Who must have codes is told the page's token by the account alone."""
    web._csrf = web.get("/api/account").json["csrf"]
    answer = web.change("POST", "/api/codes/confirm", json.dumps({"code": code}).encode(), JSON)
    assert answer.status == 200, answer
    return answer.json["recovery"]


class Authenticator:
    """Of an account that is enrolled with it here."""

    def __init__(self, server, user, password=PASSWORD):
        self.secret = begin(server, user, password)
        self.used = totp(self.secret)
        with Web(server, user=user, password=password) as web:
            self.recovery = confirm(web, self.used)

    def next(self):
        """A code that is right, and later than that of the enrolment: once a test, however long it takes until
        it is typed (the server takes those of the step before and the step after too)."""
        return totp(self.secret, 1)
