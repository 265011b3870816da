"""What the page's tests run against: one class with the interface that conftest.py's fixture `server` promises.
Here it is the mock; the same tests run against any class with these members:

    base                        'https://127.0.0.1:PORT'
    account(rights=..., ...)    a new account: .name, .password, .root (its folder, a Path of this machine)
    kill(), start()             the server dies at once; the server comes back, with its sessions and uploads
    can_fail                    whether mode() works; tests that need it are skipped where not
    mode(**modes)               slow and failing answers, as in mock.py; mode() ends them
    requests()                  'METHOD address status' of each request of this test (only where can_fail)
    begin()                     called before each test
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
UI = HERE.parent.parent / "https-worker" / "ui"
ALL_RIGHTS = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]

CONNECT = {
    "host": "files.example.org", "https": 8443,
    "sftp": {"port": 2022, "fingerprints": [
        {"type": "ssh-ed25519", "sha256": "SHA256:9Yc0zYQ5o3mJwq3lZk0q0c2mZ0u0mWJ3QwQv1hXc8Lk", "md5": "MD5:3f:5c:1b:aa:40:0e:77:9d:52:be:01:c4:8a:6d:e2:19"},
        {"type": "ecdsa-sha2-nistp256", "sha256": "SHA256:Xh1r9v4dH0kqf2oYw7b3mS6pLr8nTz5cEa1uJ4gQi2M", "md5": "MD5:91:0b:6e:25:d3:48:fa:7c:10:b9:e4:3a:5f:82:c6:0d"}]},
    "ftps": {"port": 21, "implicit": 990, "certificate": "5d2a0f7e1c9b4836a1e0d7f25b8c3946e7f1025a9d3b6c8e4f70a1b2c3d4e5f6"},
}


class Account:
    def __init__(self, name, password, root):
        self.name, self.password, self.root = name, password, root


class Mock:
    can_fail = True

    def __init__(self, brand=None):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="page-test-"))
        self.process, self.port, self.accounts, self.begun = None, 0, {}, 0
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-keyout", self.state / "key.pem", "-out", self.state / "certificate.pem"],
                       check=True, stderr=subprocess.DEVNULL)
        (self.state / "brand.json").write_text(json.dumps(brand or {}))
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, HERE / "mock.py", self.state, str(self.port), UI], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.base = f"https://127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        self.kill()
        shutil.rmtree(self.state, ignore_errors=True)

    def account(self, rights=None, name=None, space=None):
        name = name or f"user{len(self.accounts) + 1}"
        root = self.state / "homes" / name
        root.mkdir(parents=True)
        self.accounts[name] = {"password": "open sesame", "root": str(root), "rights": ALL_RIGHTS if rights is None else rights, "connect": CONNECT}
        if space:
            self.accounts[name]["space"] = space
        scratch = self.state / "accounts.json.new"
        scratch.write_text(json.dumps(self.accounts))
        os.replace(scratch, self.state / "accounts.json")
        return Account(name, "open sesame", root)

    def mode(self, **modes):
        scratch = self.state / "modes.json.new"
        scratch.write_text(json.dumps(modes))
        os.replace(scratch, self.state / "modes.json")

    def requests(self):
        return self.log()[self.begun:]

    def log(self):
        try:
            return (self.state / "requests.log").read_text().splitlines()
        except OSError:
            return []

    def begin(self):
        """Another test: nothing fails, nothing was asked yet."""
        self.mode()
        self.begun = len(self.log())
