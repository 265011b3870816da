"""The trash: what an account with one removes, over any protocol, is in /.trash afterwards, and comes
back from there."""
import contextlib
import ftplib
import os
import re

import pytest

import clients
import ftps_clients
import https_clients
from server import wait_for

WHEN = r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\dZ(\.\d+)? "


class Refused(Exception):
    pass


REFUSED = (OSError, ftplib.error_perm, Refused)


@pytest.fixture(scope="module")
def everywhere(make_shared):
    """A server of every protocol."""
    return make_shared(start=False).serve_ftps().serve_https().start()


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


class Https:
    def __init__(self, server, place, account):
        self.web = https_clients.Web(server, account, basic=True)

    def remove(self, path):
        self.want(self.web.ask("DELETE", "/files" + https_clients.quoted(path)), 204)

    rmdir = remove

    def rename(self, old, new):
        self.want(self.web.api("rename", **{"from": old, "to": new}), 204)

    def want(self, answer, status):
        if answer.status != status:
            raise Refused(answer)

    def names(self, folder):
        return [entry["name"] for entry in self.web.list(folder).json["entries"]]

    def __enter__(self):
        return self

    def __exit__(self, *_what):
        self.web.close()


class Page(Https):
    """As the page does it: names in a list, each with all that is in it."""

    def remove(self, path):
        answer = self.web.api("delete", paths=[path])
        self.want(answer, 200)
        if answer.json["results"][0]["error"] is not None:
            raise Refused(answer)

    rmdir = remove


PROTOCOLS = {"sftp": Sftp, "ftps": Ftps, "https": Https, "page": Page}


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


def test_removed_and_brought_back(everywhere, place, protocol):
    account = f"trash-{protocol}"
    home = prepare(everywhere, account, rights="list,delete,rename", trash=True)
    with PROTOCOLS[protocol](everywhere, place, account) as client:
        client.remove("/file")
        client.rmdir("/folder")  # with all that is in it
        names = client.names("/.trash")
        file, folder = kept(names, "file"), kept(names, "folder")
        assert set(client.names("/")) == {".trash"} and len(names) == 2
        client.rename(f"/.trash/{folder}", "/folder")
        if protocol != "page":  # which deletes what is in it, and so empties the trash
            with pytest.raises(REFUSED):
                client.rmdir("/.trash")
        client.remove(f"/.trash/{file}" if protocol != "page" else "/.trash")  # for good
        assert (home / ".trash").is_dir() == (protocol != "page") and not list(home.glob(".trash/*"))
    assert (home / "folder/deep/two").read_bytes() == b"folder/deep/two"
    assert protocol == "page" or (home / ".trash").stat().st_mode & 0o777 == 0o700
    wait_for("the session's end in the log", lambda: everywhere.audit(event="session-end", account=account))
    lines = {(line["event"], line.get("path")): line for line in everywhere.audit(account=account)}
    assert lines["remove", "/file"]["to"] == f"/.trash/{file}" and lines["remove", "/file"]["result"] == "ok"
    assert lines["rmdir", "/folder"]["to"] == f"/.trash/{folder}"
    assert "to" not in lines["remove", f"/.trash/{file}"]


def test_without_it_what_is_removed_is_gone(everywhere, place, protocol):
    account = f"gone-{protocol}"
    home = prepare(everywhere, account, trash=True)
    everywhere.command("user", "set", account, "--no-trash")
    assert not everywhere.json("user", "show", account)["trash"]
    with PROTOCOLS[protocol](everywhere, place, account) as client:
        client.remove("/file")
        if protocol == "page":
            client.rmdir("/folder")  # it says so: with all that is in it
        else:
            with pytest.raises(REFUSED):
                client.rmdir("/folder")
    assert os.listdir(home) == ([] if protocol == "page" else ["folder"])
