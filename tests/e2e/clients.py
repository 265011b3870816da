"""The clients that people have, behind one set of verbs: put, get, names, rename, delete, and resume
in both directions. Each drives the real program against one server and account.

A verb that a client does not have is not defined for it: the matrix of test_clients.py asks `can`.
"""
import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import time

import paramiko

from server import PATIENCE, Trouble


class Client:
    program = None

    def __init__(self, server, place, user="alice", password="correct horse"):
        self.server, self.place, self.user, self.password = server, place, user, password
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            "SALLYPORT_TEST_PASSWORD": password,
            "SSH_ASKPASS": str(server.place / "askpass"),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": ":0",
        }

    @classmethod
    def available(cls):
        return cls.program is None or shutil.which(cls.program) is not None

    @classmethod
    def can(cls, verb):
        return hasattr(cls, verb)

    def run(self, *command, stdin="", check=True, timeout=60, text=True):
        done = subprocess.run(
            [str(part) for part in command], input=stdin, text=text, capture_output=True, env=self.env,
            cwd=self.place, timeout=timeout * PATIENCE,
        )
        if check and done.returncode != 0:
            raise Trouble(f"{shlex.join(map(str, command))}: status {done.returncode}\n{stdin}\n{done.stdout}{done.stderr}")
        return done


def ssh_options(server, level="ERROR"):
    """What every OpenSSH client here is told; the host's keys must stay what they were."""
    return [
        "-F", "none", "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={server.place}/known_hosts",
        "-o", "GlobalKnownHostsFile=/dev/null", "-o", "IdentityAgent=none", "-o", "ConnectTimeout=20",
        "-o", f"LogLevel={level}", "-o", "NumberOfPasswordPrompts=1",
    ]


PASSWORD_ONLY = ["-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"]


def key_only(key):
    return ["-o", "PreferredAuthentications=publickey", "-o", "IdentitiesOnly=yes", "-i", str(key)]


class OpenSSH(Client):
    """sftp in batch mode: the first line that fails ends it with status 1."""

    program = "sftp"
    auth = PASSWORD_ONLY

    def batch(self, *lines, check=True, options=(), level="ERROR", timeout=60):
        return self.run(
            "sftp", "-o", "BatchMode=no", "-b", "-", *ssh_options(self.server, level), *self.auth, *options,
            "-P", self.server.port, f"{self.user}@127.0.0.1", stdin="".join(line + "\n" for line in lines),
            check=check, timeout=timeout,
        )

    def put(self, local, remote):
        self.batch(f"put {local} {remote}")

    def get(self, remote, local):
        self.batch(f"get {remote} {local}")

    def names(self, folder):
        lines = self.batch(f"ls -1 {folder}").stdout.splitlines()
        return {line.rsplit("/", 1)[-1] for line in lines if not line.startswith("sftp>")}

    def rename(self, old, new):
        self.batch(f"rename {old} {new}")

    def delete(self, path):
        self.batch(f"rm {path}")

    def resume_put(self, local, remote):
        self.batch(f"reput {local} {remote}")

    def resume_get(self, remote, local):
        self.batch(f"reget {remote} {local}")


class Scp(Client):
    """scp speaking SFTP, as OpenSSH 9 does."""

    program = "scp"

    def copy(self, *what):
        self.run("scp", "-s", *ssh_options(self.server), *PASSWORD_ONLY, "-P", self.server.port, *what)

    def put(self, local, remote):
        self.copy(local, f"{self.user}@127.0.0.1:{remote}")

    def get(self, remote, local):
        self.copy(f"{self.user}@127.0.0.1:{remote}", local)


class Putty(Client):
    def login(self):
        known = self.place / "fingerprints"
        if not known.exists():
            scan = subprocess.run(["ssh-keyscan", "-p", str(self.server.port), "127.0.0.1"], capture_output=True, text=True, check=True)
            shown = subprocess.run(["ssh-keygen", "-lf", "-"], input=scan.stdout, capture_output=True, text=True, check=True)
            known.write_text("\n".join(line.split()[1] for line in shown.stdout.splitlines()))
        options = []
        for fingerprint in known.read_text().split():
            options += ["-hostkey", fingerprint]
        return ["-batch", "-P", str(self.server.port), "-pw", self.password, *options]


class Psftp(Putty):
    program = "psftp"

    def batch(self, *lines, check=True):
        script = self.place / "script"
        script.write_text("".join(line + "\n" for line in lines))
        done = self.run("psftp", *self.login(), "-b", script, f"{self.user}@127.0.0.1", check=False)
        if check and done.returncode != 0:
            raise Trouble(f"psftp {lines}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def put(self, local, remote):
        self.batch(f"put {local} {remote}")

    def get(self, remote, local):
        self.batch(f"get {remote} {local}")

    def names(self, folder):
        lines = self.batch(f"ls {folder}").stdout.splitlines()
        return {line.split(None, 8)[8] for line in lines if len(line) > 10 and line[0] in "-dl" and line[1] in "r-"} - {".", ".."}

    def rename(self, old, new):
        self.batch(f"mv {old} {new}")

    def delete(self, path):
        self.batch(f"rm {path}")

    def resume_put(self, local, remote):
        self.batch(f"reput {local} {remote}")

    def resume_get(self, remote, local):
        self.batch(f"reget {remote} {local}")


class Pscp(Putty):
    program = "pscp"

    def put(self, local, remote):
        self.run("pscp", "-sftp", *self.login(), local, f"{self.user}@127.0.0.1:{remote}")

    def get(self, remote, local):
        self.run("pscp", "-sftp", *self.login(), f"{self.user}@127.0.0.1:{remote}", local)

    def names(self, folder):
        lines = self.run("pscp", "-sftp", *self.login(), "-ls", f"{self.user}@127.0.0.1:{folder}").stdout.splitlines()
        return {line.split(None, 8)[8] for line in lines if len(line) > 10 and line[0] in "-dl" and line[1] in "r-"} - {".", ".."}


class Lftp(Client):
    program = "lftp"

    def script(self, line):
        connect = shlex.join(["ssh", "-a", "-x", *ssh_options(self.server), *PASSWORD_ONLY])
        return self.run(
            "lftp", "--norc", "-c",
            f"set sftp:connect-program \"{connect}\"; set net:max-retries 1; set net:timeout 20; set cmd:fail-exit yes; "
            f"set xfer:clobber yes; open -u {self.user},'{self.password}' -p {self.server.port} sftp://127.0.0.1; {line}",
        )

    def put(self, local, remote):
        self.script(f"put {local} -o {remote}")

    def get(self, remote, local):
        self.script(f"get {remote} -o {local}")

    def names(self, folder):
        lines = self.script(f"cls -1 {folder}/").stdout.split()
        return {line.rstrip("/").rsplit("/", 1)[-1].rstrip("*@") for line in lines}

    def rename(self, old, new):
        self.script(f"mv {old} {new}")

    def delete(self, path):
        self.script(f"rm {path}")

    def resume_put(self, local, remote):
        self.script(f"put -c {local} -o {remote}")

    def resume_get(self, remote, local):
        self.script(f"get -c {remote} -o {local}")


class Curl(Client):
    program = "curl"

    def curl(self, *arguments, path="/"):
        return self.run(
            "curl", "--silent", "--show-error", "--insecure", "--user", f"{self.user}:{self.password}", *arguments,
            f"sftp://127.0.0.1:{self.server.port}{path}",
        )

    def put(self, local, remote):
        self.curl("--upload-file", local, path=remote)

    def get(self, remote, local):
        self.curl("--output", local, path=remote)

    def names(self, folder):
        return set(self.curl("--list-only", path=f"{folder}/").stdout.split()) - {".", ".."}

    def rename(self, old, new):
        self.curl("--output", "/dev/null", "--quote", f"rename {old} {new}")

    def delete(self, path):
        self.curl("--output", "/dev/null", "--quote", f"rm {path}")

    def resume_put(self, local, remote):
        self.curl("--continue-at", "-", "--upload-file", local, path=remote)

    def resume_get(self, remote, local):
        self.curl("--continue-at", "-", "--output", local, path=remote)


class Rclone(Client):
    program = "rclone"

    def rclone(self, *arguments):
        if "RCLONE_CONFIG" not in self.env:
            hidden = subprocess.run(["rclone", "obscure", self.password], capture_output=True, text=True, check=True)
            self.env.update({
                "RCLONE_CONFIG": str(self.place / "rclone.conf"),
                "RCLONE_CONFIG_HERE_TYPE": "sftp",
                "RCLONE_CONFIG_HERE_HOST": "127.0.0.1",
                "RCLONE_CONFIG_HERE_PORT": str(self.server.port),
                "RCLONE_CONFIG_HERE_USER": self.user,
                "RCLONE_CONFIG_HERE_PASS": hidden.stdout.strip(),
            })
        return self.run("rclone", "--retries", "1", "--low-level-retries", "1", *arguments)

    def put(self, local, remote):
        self.rclone("copyto", local, f"here:{remote}")

    def get(self, remote, local):
        self.rclone("copyto", f"here:{remote}", local)

    def names(self, folder):
        return {line.rstrip("/") for line in self.rclone("lsf", f"here:{folder}").stdout.splitlines()}

    def rename(self, old, new):
        self.rclone("moveto", f"here:{old}", f"here:{new}")

    def delete(self, path):
        self.rclone("deletefile", f"here:{path}")


class Sshfs(Client):
    """Mounted for the moment of each verb."""

    program = "sshfs"

    @classmethod
    def available(cls):
        return super().available() and cls.trouble() is None

    @classmethod
    def trouble(cls):
        try:
            with open("/dev/fuse", "r+b", buffering=0):
                return None
        except OSError as error:
            return f"/dev/fuse: {error.strerror}"

    @contextlib.contextmanager
    def mounted(self):
        folder = self.place / "mounted"
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            ["sshfs", "-f", "-o", "password_stdin", "-p", str(self.server.port),
             *[f"-o{o}" for o in ssh_options(self.server)[3::2] if not o.startswith("NumberOf")],
             "-o", "PreferredAuthentications=password", f"{self.user}@127.0.0.1:/", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env,
        )
        process.stdin.write(self.password.encode() + b"\n")
        process.stdin.close()
        try:
            end = time.monotonic() + 20 * PATIENCE
            while not os.path.ismount(folder):
                if process.poll() is not None or time.monotonic() > end:
                    raise Trouble(f"sshfs did not mount: {process.stderr.read1().decode()}")
                time.sleep(0.02)
            yield folder
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(folder)], capture_output=True, check=False)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()

    def put(self, local, remote):
        with self.mounted() as folder:
            shutil.copyfile(local, f"{folder}{remote}")

    def get(self, remote, local):
        with self.mounted() as folder:
            shutil.copyfile(f"{folder}{remote}", local)

    def names(self, path):
        with self.mounted() as folder:
            return set(os.listdir(f"{folder}{path}"))

    def rename(self, old, new):
        with self.mounted() as folder:
            os.rename(f"{folder}{old}", f"{folder}{new}")

    def delete(self, path):
        with self.mounted() as folder:
            os.unlink(f"{folder}{path}")

    def resume_put(self, local, remote):
        with self.mounted() as folder, open(local, "rb") as source, open(f"{folder}{remote}", "ab") as target:
            source.seek(target.tell())
            shutil.copyfileobj(source, target)


class Paramiko(Client):
    @contextlib.contextmanager
    def session(self, **more):
        transport = paramiko.Transport(("127.0.0.1", self.server.port))
        try:
            transport.connect(username=self.user, password=self.password, **more)
            sftp = paramiko.SFTPClient.from_transport(transport)
            yield sftp
            with contextlib.suppress(EOFError, OSError):  # the server may have ended it
                sftp.close()
        finally:
            transport.close()

    def put(self, local, remote):
        with self.session() as sftp:
            sftp.put(str(local), remote)

    def get(self, remote, local):
        with self.session() as sftp:
            sftp.get(remote, str(local))

    def names(self, folder):
        with self.session() as sftp:
            return set(sftp.listdir(folder))

    def rename(self, old, new):
        with self.session() as sftp:
            sftp.rename(old, new)

    def delete(self, path):
        with self.session() as sftp:
            assert stat.S_ISREG(sftp.stat(path).st_mode)
            sftp.remove(path)

    def resume_put(self, local, remote):
        with self.session() as sftp, open(local, "rb") as source, sftp.open(remote, "ab") as target:
            target.set_pipelined(True)
            source.seek(sftp.stat(remote).st_size)
            shutil.copyfileobj(source, target)

    def resume_get(self, remote, local):
        with self.session() as sftp, open(local, "ab") as target, sftp.open(remote, "rb") as source:
            source.seek(target.tell())
            shutil.copyfileobj(source, target)


ALL = {
    "sftp": OpenSSH, "scp": Scp, "psftp": Psftp, "pscp": Pscp, "lftp": Lftp, "curl": Curl, "rclone": Rclone,
    "sshfs": Sshfs, "paramiko": Paramiko,
}
