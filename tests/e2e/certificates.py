"""Certificates of a test's own authority, made by the openssl command.

    root = Authority(place, "Root")
    middle = root.authority("Middle")
    leaf = middle.certificate("server", names="DNS:localhost,IP:127.0.0.1")

Each has `key` and `crt`, paths of PEM files.
"""
import subprocess

from server import Trouble

EC = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
RSA = ("rsa:2048",)
LEAF = """subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
crlDistributionPoints = URI:http://localhost/revoked.crl
"""
CA = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n"


def openssl(place, *words):
    done = subprocess.run(["openssl", *words], cwd=place, capture_output=True, text=True)
    if done.returncode != 0:
        raise Trouble(f"openssl {' '.join(map(str, words))}: {done.stderr}")


class Certificate:
    """A key, and what somebody signed of it."""

    def __init__(self, place, name, key):
        self.place, self.name = place, name
        self.key, self.crt, self.csr = (place / f"{name}.{kind}" for kind in ("key", "crt", "csr"))
        openssl(place, "req", "-newkey", *key, "-nodes", "-keyout", self.key, "-out", self.csr, "-subj", f"/CN={name}")


class Authority(Certificate):
    def __init__(self, place, name, key=EC, signer=None, days=3650, digest="sha256"):
        super().__init__(place, name, key)
        by = ["-signkey", self.key] if signer is None else ["-CA", signer.crt, "-CAkey", signer.key, "-CAcreateserial"]
        sign(self, by, CA, days, digest)

    def authority(self, name, **how):
        return Authority(self.place, name, signer=self, **how)

    def certificate(self, name, names="DNS:localhost,IP:127.0.0.1", key=EC, days=90, digest="sha256"):
        made = Certificate(self.place, name, key)
        sign(made, ["-CA", self.crt, "-CAkey", self.key, "-CAcreateserial"], LEAF.format(names=names), days, digest)
        return made


def sign(made, by, extensions, days, digest):
    (made.place / "extensions").write_text(extensions)
    openssl(made.place, "x509", "-req", "-in", made.csr, *by, "-days", str(days), f"-{digest}", "-extfile", "extensions", "-out", made.crt)


def give(server, leaf, *chain):
    """The server's certificate from its next start on."""
    crt, key = server.place / "given.crt", server.place / "given.key"
    server.configure({"tls": {"certificate": crt, "key": key}})
    crt.write_bytes(b"".join(c.crt.read_bytes() for c in (leaf, *chain)))
    key.write_bytes(leaf.key.read_bytes())
    key.chmod(0o600)
