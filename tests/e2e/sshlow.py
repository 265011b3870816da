"""SSH by hand where the ready-made clients hide what a test must see: logins step by step, keys that
live in no file (a FIDO token in software), the server's KEXINIT as it is on the wire."""
import contextlib
import hashlib
import logging
import socket
import struct

import paramiko
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

logging.getLogger("paramiko").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def transport(server, host="127.0.0.1", **options):
    """A connection after its key exchange, before any login."""
    t = paramiko.Transport(socket.create_connection((host, server.port), 20), **options)
    t.banner_timeout = t.auth_timeout = 60
    try:
        t.start_client(timeout=60)
        yield t
    finally:
        t.close()


def login(server, user="alice", password="correct horse", **options):
    """A logged-in SFTPClient; the caller closes its transport (client.get_channel().get_transport())."""
    t = paramiko.Transport(socket.create_connection(("127.0.0.1", server.port), 20), **options)
    t.banner_timeout = t.auth_timeout = 60
    try:
        t.start_client(timeout=60)
        t.auth_password(user, password, fallback=False)
        return paramiko.SFTPClient.from_transport(t)
    except BaseException:
        t.close()
        raise


def string(data):
    return struct.pack(">I", len(data)) + data


class Token(paramiko.PKey):
    """A FIDO token in software: what sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com
    sign is SHA256(application) | flags | counter | SHA256(data) (OpenSSH's PROTOCOL.u2f)."""

    application = b"ssh:"

    def __init__(self, kind, flags=0x01):
        self.public_blob = None
        self.flags, self.counter, self.kind = flags, 7, kind
        if kind == "ed25519":
            self.name = "sk-ssh-ed25519@openssh.com"
            self.private = ed25519.Ed25519PrivateKey.generate()
            point = string(self.private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw))
        else:
            self.name = "sk-ecdsa-sha2-nistp256@openssh.com"
            self.private = ec.generate_private_key(ec.SECP256R1())
            point = string(b"nistp256") + string(self.private.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))
        self.blob = string(self.name.encode()) + point + string(self.application)

    def get_name(self):
        return self.name

    def asbytes(self):
        return self.blob

    def can_sign(self):
        return True

    def line(self):
        return f"{self.name} {self.get_base64()} token"

    def sign_ssh_data(self, data, algorithm=None):
        self.counter += 1
        tail = struct.pack(">BI", self.flags, self.counter)
        signed = hashlib.sha256(self.application).digest() + tail + hashlib.sha256(data).digest()
        if self.kind == "ed25519":
            signature = self.private.sign(signed)
        else:
            r, s = utils.decode_dss_signature(self.private.sign(signed, ec.ECDSA(hashes.SHA256())))
            m = paramiko.Message()
            m.add_mpint(r)
            m.add_mpint(s)
            signature = m.asbytes()
        answer = paramiko.Message()
        answer.add_string(self.name)
        answer.add_string(signature)
        answer.add_byte(tail[:1])
        answer.add_int(self.counter)
        return answer


def kexinit(server):
    """The server's KEXINIT: its ten name lists, by RFC 4253's names."""
    with socket.create_connection(("127.0.0.1", server.port), 20) as s:
        stream = s.makefile("rb")
        while not stream.readline().startswith(b"SSH-"):
            pass
        s.sendall(b"SSH-2.0-test\r\n")
        length, padding = struct.unpack(">IB", stream.read(5))
        payload = stream.read(length - 1)[: length - 1 - padding]
    assert payload[0] == 20
    names = ("kex", "host_key", "cipher_in", "cipher_out", "mac_in", "mac_out", "zip_in", "zip_out", "lang_in", "lang_out")
    lists, at = {}, 17
    for name in names:
        (n,) = struct.unpack_from(">I", payload, at)
        lists[name] = payload[at + 4 : at + 4 + n].decode().split(",")
        at += 4 + n
    return lists


class Heard:
    """What a server sends over a connection after its key exchange, packet by packet, while a test sends
    what it likes: heard(t) before anything else is asked of the transport."""

    def __init__(self, transport):
        self.transport, self.packets = transport, []
        read = transport.packetizer.read_message

        def reading():
            kind, message = read()
            self.packets.append((kind, message.asbytes()[1:]))
            return kind, message

        transport.packetizer.read_message = reading

    def kinds(self):
        return [kind for kind, _ in self.packets]

    def send(self, *parts):
        """Integers are bytes, bytes are as they are. False: the connection has ended."""
        try:
            self.transport._send_message(raw(*parts))
            return True
        except (OSError, EOFError, paramiko.SSHException):
            return False

    def ended(self):
        return not self.transport.is_active()


def raw(*parts):
    message = paramiko.Message()
    for part in parts:
        message.add_bytes(bytes([part]) if isinstance(part, int) else part)
    return message


def auth_request(user, method, rest=b"", service=b"ssh-connection"):
    """SSH_MSG_USERAUTH_REQUEST (RFC 4252, 5)."""
    return b"\x32" + string(user) + string(service) + string(method) + rest


@contextlib.contextmanager
def listening(server, service=True, **options):
    """A connection after its key exchange (and the request for the login service): (transport, Heard)."""
    with transport(server, **options) as t:
        heard = Heard(t)
        if service:
            heard.send(5, string(b"ssh-userauth"))
        yield t, heard


class Plain:
    """A connection before any key is agreed: packets as they stand on the wire, no library between."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), 20)
        self.socket.settimeout(25)
        self.stream = self.socket.makefile("rb")
        self.version = self.stream.readline()
        self.socket.sendall(b"SSH-2.0-plain\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, payload):
        padding = 8 - (len(payload) + 5) % 8
        padding += 8 if padding < 4 else 0
        self.socket.sendall(struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding))

    def receive(self):
        """The next payload; None: the connection has ended."""
        try:
            head = self.stream.read(5)
            if len(head) < 5:
                return None
            length, padding = struct.unpack(">IB", head)
            body = self.stream.read(length - 1)
            return body[: length - 1 - padding] if len(body) == length - 1 else None
        except (ConnectionResetError, BrokenPipeError):
            return None

    def rest(self):
        """All payloads to the connection's end."""
        return list(iter(self.receive, None))

    def send_kexinit(self, *more, extra=b"none"):
        kex = b",".join((b"curve25519-sha256", *more))
        lists = [kex, b"ssh-ed25519", *[b"aes256-ctr"] * 2, *[b"hmac-sha2-256"] * 2, *[extra] * 2, b"", b""]
        self.send(b"\x14" + bytes(16) + b"".join(map(string, lists)) + bytes(5))
