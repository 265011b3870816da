"""The trash: what an account with one removes, over any protocol, is in /.trash afterwards, and comes
back from there."""
import contextlib
import ftplib
import os
import re

import pytest

import clients
import ftps_clients
from server import wait_for

WHEN = r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\dZ(\.\d+)? "
REFUSED = (OSError, ftplib.error_perm)


class Sftp:
    def __init__(self, server, place, account):
        self.session = clients.Paramiko(server, place, account).session()

    def __enter__(self):
        sftp = self.session.__enter__()
        self.remove, self.rmdir, self.rename, self.names = sftp.remove, sftp.rmdir, sftp.rename, sftp.listdir
        return self

    def __exit__(self, *what):
        self.session.__exit__(*what)


class Ftps:
    def __init__(self, server, place, account):
        self.ftp = ftps_clients.session(server, account)
        self.remove, self.rmdir, self.rename = self.ftp.delete, self.ftp.rmd, self.ftp.rename

    def names(self, folder):
        return [name for name, facts in self.ftp.mlsd(folder) if facts["type"] not in ("cdir", "pdir")]

    def __enter__(self):
        return self

    def __exit__(self, *_what):
        self.ftp.close()


PROTOCOLS = {"sftp": Sftp, "ftps": Ftps}


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


def prepare(server, name, **options):
    """An account and what is in its home, which it is given."""
    home = server.add(name, **options)
    for path in ("file", "folder/one", "folder/deep/two"):
        server.put_file(path, path.encode(), name)
    for folder in ("folder", "folder/deep"):
        with contextlib.suppress(PermissionError):
            os.chown(home / folder, home.stat().st_uid, home.stat().st_gid)
    return home


def kept(names, name):
    found = [n for n in names if re.fullmatch(WHEN + re.escape(name), n)]
    assert len(found) == 1, (name, names)
    return found[0]


def test_removed_and_brought_back(ftps, place, protocol):
    account = f"trash-{protocol}"
    home = prepare(ftps, account, rights="list,delete,rename", trash=True)
    with PROTOCOLS[protocol](ftps, place, account) as client:
        client.remove("/file")
        client.rmdir("/folder")  # with all that is in it
        names = client.names("/.trash")
        file, folder = kept(names, "file"), kept(names, "folder")
        assert set(client.names("/")) == {".trash"} and len(names) == 2
        client.rename(f"/.trash/{folder}", "/folder")
        with pytest.raises(REFUSED):
            client.rmdir("/.trash")
        client.remove(f"/.trash/{file}")  # for good
        assert client.names("/.trash") == []
    assert (home / "folder/deep/two").read_bytes() == b"folder/deep/two"
    assert (home / ".trash").stat().st_mode & 0o777 == 0o700
    wait_for("the session's end in the log", lambda: ftps.audit(event="session-end", account=account))
    lines = {(line["event"], line.get("path")): line for line in ftps.audit(account=account)}
    assert lines["remove", "/file"]["to"] == f"/.trash/{file}" and lines["remove", "/file"]["result"] == "ok"
    assert lines["rmdir", "/folder"]["to"] == f"/.trash/{folder}"
    assert "to" not in lines["remove", f"/.trash/{file}"]


def test_without_it_what_is_removed_is_gone(ftps, place, protocol):
    account = f"gone-{protocol}"
    home = prepare(ftps, account, trash=True)
    ftps.command("user", "set", account, "--no-trash")
    assert not ftps.json("user", "show", account)["trash"]
    with PROTOCOLS[protocol](ftps, place, account) as client:
        client.remove("/file")
        with pytest.raises(REFUSED):
            client.rmdir("/folder")
    assert os.listdir(home) == ["folder"]
