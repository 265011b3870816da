"""One table of what may be done with which rights, over SFTP, FTPS and HTTPS: identical verdicts, in the
home and in a folder set with other rights than the home has. Each cell is tried by every way that a
protocol has for it, and what is refused changes nothing."""
import contextlib
import ftplib
import io
import os

import pytest

import clients
import ftps_clients
from https_clients import Web
from server import IS_ROOT
from test_tus import append, create

RIGHTS = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]
CASES = [*RIGHTS, "rename,overwrite", "write,overwrite", "list,write,mkdir", "all", "none"]

# What is tried: the rights that it needs, all of them.
NEEDS = {
    "list": {"list"},
    "read": {"read"},
    "write_new": {"write"},
    "write_over": {"overwrite"},
    "append": {"overwrite"},
    "truncate": {"write", "overwrite"},
    "touch": {"write", "overwrite"},
    "delete": {"delete"},
    "rename": {"rename"},
    "replace": {"rename", "overwrite"},
    "mkdir": {"mkdir"},
    "rmdir": {"delete"},
}
SEEING = {"list", "read", "write"}  # any of them tells attributes


class Refused(Exception):
    """By the account's rights, and by nothing else."""


# -- SFTP


def write(sftp, path, mode):
    with sftp.open(path, mode) as f:
        f.write(b"x")


def read(sftp, path):
    with sftp.open(path, "rb") as f:
        f.read(1)


SFTP = {
    "stat": [lambda s, f: s.stat(f"{f}/sub"), lambda s, f: s.lstat(f"{f}/file")],
    "list": [lambda s, f: s.listdir(f)],
    "read": [lambda s, f: read(s, f"{f}/file")],
    "write_new": [lambda s, f: write(s, f"{f}/new", "wx"), lambda s, f: write(s, f"{f}/new2", "wb")],
    "write_over": [lambda s, f: write(s, f"{f}/file", "wb"), lambda s, f: write(s, f"{f}/other", "r+b")],
    "append": [lambda s, f: write(s, f"{f}/file", "ab")],
    "truncate": [lambda s, f: s.truncate(f"{f}/file", 0)],
    "touch": [lambda s, f: s.utime(f"{f}/file", (1, 1)), lambda s, f: s.chmod(f"{f}/other", 0o640)],
    "delete": [lambda s, f: s.remove(f"{f}/file")],
    "rename": [lambda s, f: s.rename(f"{f}/file", f"{f}/renamed"), lambda s, f: s.posix_rename(f"{f}/sub", f"{f}/sub3")],
    "replace": [lambda s, f: s.posix_rename(f"{f}/file", f"{f}/other")],
    "mkdir": [lambda s, f: s.mkdir(f"{f}/made")],
    "rmdir": [lambda s, f: s.rmdir(f"{f}/sub")],
}


def over_sftp(way, session, folder):
    try:
        way(session, folder)
    except PermissionError as trouble:
        raise Refused from trouble


# -- FTPS


def store(ftp, verb, path):
    ftp.storbinary(f"{verb} {path}", io.BytesIO(b"x"))


FTPS = {
    "stat": [lambda s, f: s.voidcmd(f"MLST {f}/sub"), lambda s, f: s.voidcmd("TYPE I") and s.size(f"{f}/file")],
    "list": [lambda s, f: list(s.mlsd(f)), lambda s, f: s.nlst(f), lambda s, f: s.retrlines(f"LIST {f}", lambda line: None)],
    "read": [lambda s, f: s.retrbinary(f"RETR {f}/file", lambda data: None), lambda s, f: s.voidcmd(f"HASH {f}/file")],
    "write_new": [lambda s, f: store(s, "STOR", f"{f}/new"), lambda s, f: store(s, "APPE", f"{f}/new2")],
    "write_over": [lambda s, f: store(s, "STOR", f"{f}/file")],
    "append": [lambda s, f: store(s, "APPE", f"{f}/file")],
    "touch": [lambda s, f: s.voidcmd(f"MFMT 20010203040506 {f}/file")],
    "delete": [lambda s, f: s.delete(f"{f}/file")],
    "rename": [lambda s, f: s.rename(f"{f}/file", f"{f}/renamed"), lambda s, f: s.rename(f"{f}/sub", f"{f}/sub3")],
    "replace": [lambda s, f: s.rename(f"{f}/file", f"{f}/other")],
    "mkdir": [lambda s, f: s.mkd(f"{f}/made")],
    "rmdir": [lambda s, f: s.rmd(f"{f}/sub")],
}


def over_ftps(way, session, folder):
    try:
        way(session, folder)
    except ftplib.error_perm as trouble:
        assert str(trouble).startswith(("550", "553")) and "may not" in str(trouble), trouble
        raise Refused from trouble


# -- HTTPS


def tus(web, path, data, **more):
    """201 and 204, or the first refusal."""
    answer = create(web, path, len(data), **more)
    return append(web, answer["Location"], 0, data) if answer.status == 201 else answer


def form(web, folder, name, data):
    boundary = "x-x-x"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    answer = web.ask("POST", f"/plain{folder}/", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    # The page that tells of it is a listing, which this account may not see: the file says whether it was done.
    return 303 if answer.status == 403 and os.path.exists(f"{web.real}/{name}") else answer


def deleted(web, path):
    """What /api/delete says of it, as a status."""
    result, = web.api("delete", paths=[path]).json["results"]
    return 204 if result["error"] is None else 403 if "may not" in result["error"] else result["error"]


def rename(web, old, new, **more):
    return web.api("rename", **{"from": old, "to": new, **more})


HTTPS = {
    "list": [lambda s, f: s.list(f), lambda s, f: s.list(f, "search", text="x"), lambda s, f: s.get(f"/plain{f}/")],
    "read": [lambda s, f: s.read(f"{f}/file"), lambda s, f: s.list(f"{f}/file", "digest"), lambda s, f: s.read(f"{f}/file", Range="bytes=0-1")],
    "write_new": [lambda s, f: s.put(f"{f}/new", b"x"), lambda s, f: s.put(f"{f}/new2", (b"x",), encode_chunked=True, fields={"Transfer-Encoding": "chunked"}),
                  lambda s, f: tus(s, f"{f}/new3", b"x"), lambda s, f: form(s, f, "new4", b"x")],
    "write_over": [lambda s, f: s.put(f"{f}/file", b"x")],
    "delete": [lambda s, f: s.change("DELETE", f"/files{f}/file"), lambda s, f: deleted(s, f"{f}/other")],
    "rename": [lambda s, f: rename(s, f"{f}/file", f"{f}/renamed"), lambda s, f: rename(s, f"{f}/sub", f"{f}/sub3")],
    "replace": [lambda s, f: rename(s, f"{f}/file", f"{f}/other", replace=True)],
    "mkdir": [lambda s, f: s.api("mkdir", path=f"{f}/made")],
    "rmdir": [lambda s, f: s.change("DELETE", f"/files{f}/sub"), lambda s, f: s.change("DELETE", f"/files{f}/sub2?recursive")],
}


def over_https(way, session, folder):
    answer = way(session, folder)
    status = getattr(answer, "status", answer)
    if status == 403:
        raise Refused
    assert status in (200, 201, 204, 206, 303), answer


PROTOCOLS = {"sftp": (SFTP, over_sftp), "ftps": (FTPS, over_ftps), "https": (HTTPS, over_https)}


# -- the table, tried


@pytest.fixture(scope="module")
def all_three(make_shared):
    return make_shared(start=False).serve_ftps().serve_https().start()


def prepare(folder, owner):
    """As the account itself would have left it."""
    made = [folder, folder / "sub", folder / "sub2"]
    for path in made:
        path.mkdir()
    for name in ("file", "other"):
        (folder / name).write_bytes(b"0123456789")
        made.append(folder / name)
    for path in made if IS_ROOT else ():
        os.chown(path, owner.st_uid, folder.parent.stat().st_gid)
    for path in made:
        path.chmod(0o770 if path.is_dir() else 0o660)


def snapshot(folder):
    return {p.name: (p.read_bytes() if p.is_file() else None, p.stat().st_mode, p.stat().st_mtime_ns) for p in folder.iterdir()}


def judge(protocol, session, action, have, seen, real, owner):
    """Every way of one protocol to do this; the verdict is the one that the rights say."""
    ways, over = PROTOCOLS[protocol]
    allowed = bool(have & SEEING) if action == "stat" else NEEDS[action] <= have
    for number, way in enumerate(ways.get(action, ())):
        name = f"{protocol}-{action}-{number}"
        prepare(real / name, owner)
        session.real = real / name
        before = snapshot(real / name)
        try:
            over(way, session, f"{seen}/{name}")
            verdict = True
        except Refused:
            verdict = False
        assert verdict == allowed, (protocol, action, number, seen, have)
        assert verdict or snapshot(real / name) == before, (protocol, action, number, seen, have)


@pytest.mark.parametrize("case", CASES)
def test_identical_verdicts(all_three, place, case):
    server, user = all_three, "m-" + case.replace(",", "-")
    shared, owner = server.place / user, server.add(user, rights=case).stat()
    home = set(RIGHTS) if case == "all" else set(case.split(",")) - {"none"}
    other = set(RIGHTS) - home or {"list", "read"}
    server.command("folder", "add", user, shared)
    server.command("folder", "grant", user, user, ",".join(other))
    with contextlib.ExitStack() as stack:
        sessions = {
            "sftp": stack.enter_context(clients.Paramiko(server, place, user).session()),
            "ftps": stack.enter_context(ftps_clients.session(server, user)),
            "https": stack.enter_context(Web(server, user, basic=True)),
        }
        assert set(sessions["https"].get("/api/me").json["rights"]) == home
        for protocol, session in sessions.items():
            for action in ["stat", *NEEDS]:
                judge(protocol, session, action, home, "", server.home(user), owner)
                judge(protocol, session, action, other, f"/{user}", shared, owner)
