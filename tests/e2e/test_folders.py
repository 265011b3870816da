"""Folder sets: the operator's commands, and what accounts that share one see and do over SFTP, FTPS and
HTTPS. What each right allows in a set is in test_matrix.py."""
import contextlib
import ftplib
import io
import os
import stat
import zipfile

import paramiko
import pytest

import clients
import ftps_clients
from https_clients import Web
from server import IS_ROOT, Trouble, wait_for
from test_tus import append, create


@pytest.fixture(scope="module")
def team(make_shared):
    """Two accounts that share the folder set team; anna has docs too, to read."""
    server = make_shared(start=False).serve_ftps().serve_https().start()
    for name in ("anna", "bert"):
        server.add(name, trash=True)
    for name in ("team", "docs"):
        server.command("folder", "add", name, server.place / name)
    server.command("folder", "grant", "team", "anna", "all")
    server.command("folder", "grant", "team", "bert", "all")
    server.command("folder", "grant", "docs", "anna", "list,read")
    (server.place / "docs" / "manual").write_bytes(b"how to")
    if IS_ROOT:
        os.chown(server.place / "docs" / "manual", 0, (server.place / "docs").stat().st_gid)
    (server.place / "docs" / "manual").chmod(0o640 if IS_ROOT else 0o644)
    (server.home("anna") / "team").mkdir()  # shadowed by the set of this name
    (server.home("anna") / "team" / "own").write_bytes(b"in the home")
    return server


@pytest.fixture
def three(team, place):
    with contextlib.ExitStack() as stack:
        yield (stack.enter_context(clients.Paramiko(team, place, "anna").session()),
               stack.enter_context(ftps_clients.session(team, "anna")),
               stack.enter_context(Web(team, "anna", basic=True)))


# -- the operator's commands


def test_what_the_operator_is_told(team):
    told = team.json("folder", "show", "team")
    assert told["path"] == str(team.place / "team") and told["members"] == 2
    assert [a["name"] for a in told["accounts"]] == ["anna", "bert"] and len(told["accounts"][0]["rights"]) == 7
    assert [f["name"] for f in team.json("folder", "list")] == ["docs", "team"]
    shown = {f["name"]: f for f in team.json("user", "show", "anna")["folders"]}
    assert shown["docs"]["rights"] == ["list", "read"] and shown["docs"]["path"] == str(team.place / "docs")
    assert "docs (list,read), team (" in team.command("user", "show", "anna").stdout
    assert team.json("user", "show", "bert")["folders"][0]["name"] == "team"
    assert any(line["result"] == "OK" and line["what"] == "folder sets" for line in team.json("check"))
    made = (team.place / "team").stat()
    if IS_ROOT:
        assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (0, told["gid"], 0o2770)
        assert told["gid"] not in {a["uid"] for a in team.json("user", "list")}
    assert [line["text"].split(",")[0] for line in team.audit(event="folder-change", account="bert")] == ["folder set team"]


@pytest.mark.parametrize("arguments, said", [
    (("add", "a/b", "PLACE/x"), "one name, not a path"),
    (("add", "..", "PLACE/x"), "must not begin with"),
    (("add", ".trash", "PLACE/x"), "must not begin with"),
    (("add", ".sallyport-upload.1", "PLACE/x"), "must not begin with"),
    (("add", "new", "x"), "absolute"),
    (("add", "new", "PLACE/none/x"), "the folder above it does not exist"),
    (("add", "new", "PLACE/log"), "not a folder"),
    (("add", "team", "PLACE/x"), "of this name already"),
    (("add", "new", "PLACE/team/"), "team has this path already"),
    (("add", "new", "PLACE/x", "--gid", "0"), "not a number from 1"),
    (("add", "new", "PLACE/x", "--gid", "39001"), "the server's own"),
    (("grant", "team", "nobody", "all"), "no account"),
    (("grant", "none", "anna", "all"), "no folder set"),
    (("grant", "team", "anna", "everything"), "not all, none or a list"),
    (("grant", "team", "anna", "none"), "revoke"),
    (("revoke", "docs", "bert"), "does not have this folder set"),
    (("remove", "none"), "no folder set"),
    (("show", "none"), "no folder set"),
])
def test_what_the_operator_may_not(team, arguments, said):
    before = team.json("folder", "list"), sorted(os.listdir(team.place))
    done = team.command("folder", *(a.replace("PLACE", str(team.place)) for a in arguments), check=False)
    assert done.returncode in (1, 2) and said in done.stderr, done.stderr
    assert (team.json("folder", "list"), sorted(os.listdir(team.place))) == before


def test_neighbours_are_told_of(team):
    """A set inside a home, or around another: whoever reaches it that way has other rights."""
    for name, path, said in (("inner", team.home("anna") / "inner", "lies in the home of anna"), ("nested", team.place / "team" / "nested", "lies in the folder set team")):
        assert said in team.command("folder", "add", name, path).stderr
        team.command("folder", "remove", name)
        assert path.is_dir(), "its files stay"
        path.rmdir()


@pytest.mark.needs_root
def test_a_folder_that_was_there_is_left_as_it_is(team):
    path = team.place / "old"
    path.mkdir(0o755)
    told = team.command("folder", "add", "old", path)
    assert "was left as it is" in told.stderr and "chgrp -R" in told.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o755 and path.stat().st_gid == 0
    assert any(line["result"] == "WARN" and line["what"] == "folder set old" for line in team.json("check", check=False))
    team.command("folder", "remove", "old")


def test_taken_away(team, place):
    """Its sessions end; a removed account's grants go, and what a removed set held stays."""
    team.add("carl")
    path = team.place / "short"
    team.command("folder", "add", "short", path)
    for verb in ("revoke", "remove"):
        team.command("folder", "grant", "short", "carl", "+list,+write")
        wait_for("the end of the sessions before", lambda: "carl" not in [s["account"] for s in team.sessions()])
        with clients.Paramiko(team, place, "carl").session() as sftp:
            sftp.open(f"/short/{verb}", "wb").close()
            told = team.json("folder", verb, "short", *(["carl"] if verb == "revoke" else []))
            assert told["sessions_ended"] == 1
            with pytest.raises((OSError, EOFError, paramiko.SSHException)):
                sftp.listdir("/short")
        with clients.Paramiko(team, place, "carl").session() as sftp:
            assert "short" not in sftp.listdir("/")
    assert sorted(os.listdir(path)) == ["remove", "revoke"]
    team.command("folder", "add", "short", path)
    team.command("folder", "grant", "short", "carl", "list")
    team.command("user", "delete", "carl", "--yes")
    assert team.json("folder", "show", "short")["accounts"] == []
    team.command("folder", "remove", "short")


# -- what accounts see


def test_the_same_view_over_all(team, three):
    sftp, ftp, web = three
    for names in (set(sftp.listdir("/")), set(ftp.nlst()), web.names()):
        assert names >= {"team", "docs"}
    for listed in (sftp.listdir("/team"), [n for n, f in ftp.mlsd("/team") if "dir" not in f["type"]], web.names("/team")):
        assert "own" not in listed, "the set shadows the home's folder"
    sftp.chdir("/docs")
    assert sftp.getcwd() == "/docs" and sftp.normalize(".") == "/docs" and sftp.normalize("../team/./x/..") == "/team"
    assert sftp.listdir() == ["manual"] and stat.S_ISDIR(sftp.stat("/docs").st_mode)
    ftp.cwd("/docs")
    assert ftp.pwd() == "/docs" and ftp.nlst() == ["manual"] and "modify" in ftp.voidcmd("MLST manual")
    facts = dict(ftp.mlsd("/"))
    assert facts["docs"]["perm"] == "el" and facts["team"]["perm"] == "cmpel", "of each folder; none is removed or renamed"
    assert dict(ftp.mlsd("/docs"))["manual"]["perm"] == "r" and "perm=r;" in ftp.voidcmd("MLST /docs/manual")
    assert web.list("/docs").json["rights"] == ["list", "read"] and len(web.list("/team").json["rights"]) == 7
    assert "Upload" in web.get("/plain/team").body.decode() and "type=\"file\"" not in web.get("/plain/docs").body.decode()
    ftp.cwd("..")
    assert ftp.pwd() == "/" and ftp.voidcmd("AVBL /team")[:3] == "213"
    assert web.read("/docs/manual").body == b"how to"
    found = web.list("/", "search", text="manual").json["entries"]
    assert [entry["name"] for entry in found] == ["docs/manual"], found


def test_a_set_stays_where_it_is(three):
    """It is neither removed nor renamed, nor is anything put in its place, whatever the rights."""
    sftp, ftp, web = three
    for attempt in (lambda: sftp.rmdir("/team"), lambda: sftp.rename("/team", "/t"), lambda: sftp.mkdir("/team"), lambda: sftp.symlink("x", "/team")):
        with pytest.raises(OSError):
            attempt()
    for attempt in (lambda: ftp.rmd("/team"), lambda: ftp.rename("/team", "/t"), lambda: ftp.mkd("/team")):
        with pytest.raises(ftplib.error_perm):
            attempt()
    assert web.api("rename", **{"from": "/team", "to": "/t"}).status in (403, 409)
    assert web.change("DELETE", "/files/team?recursive").status in (403, 409)
    assert {"team", "docs"} <= web.names()


def test_between_folders_nothing_moves_but_copies_do(team, three):
    """The home and each set have rights of their own: what leaves one is read there and written here."""
    sftp, ftp, web = three
    team.put_file("mine", b"mine", "anna")
    with pytest.raises(OSError, match="(?i)folder|link|device|fail"):
        sftp.rename("/mine", "/team/mine")
    with pytest.raises(ftplib.error_perm, match="cannot leave its folder"):
        ftp.rename("/mine", "/team/mine")
    answer = web.api("rename", **{"from": "/mine", "to": "/team/mine"})
    assert answer.status == 409 and answer.error == "other_folder"
    assert (team.home("anna") / "mine").read_bytes() == b"mine" and "mine" not in os.listdir(team.place / "team")
    with pytest.raises(OSError):  # the right is asked first: there is none to rename in docs
        sftp.rename("/mine", "/docs/mine")
    with sftp.open("/mine", "rb") as source, sftp.open("/team/copied", "wb") as target:
        target.write(source.read())
    assert (team.place / "team" / "copied").read_bytes() == b"mine"


def test_links_do_not_lead_out(team, three):
    """Neither to the home nor anywhere: a link in a set is resolved in the set, one in the home in the home."""
    sftp, ftp, web = three
    for name, target in (("out", "/etc/passwd"), ("up", "../../../etc/passwd"), ("home", "/own"), ("real", str(team.home("anna")))):
        (team.place / "team" / name).symlink_to(target)
        for attempt, kind in ((lambda n=name: sftp.open(f"/team/{n}", "rb"), OSError), (lambda n=name: ftp.size(f"/team/{n}/own"), ftplib.Error)):
            with pytest.raises(kind):
                attempt()
        assert web.read(f"/team/{name}").status in (403, 404)
    (team.home("anna") / "in").symlink_to(team.place / "docs")
    (team.home("anna") / "in2").symlink_to("/docs")
    for name in ("in", "in2"):
        assert web.read(f"/{name}/manual").status in (403, 404), "/docs of the home is not the set"
    for name in ("out", "up", "home", "real"):
        (team.place / "team" / name).unlink()


def test_shared_over_all(team, three, place):
    """What one account makes, however it made it, the other changes and removes."""
    sftp, ftp, web = three
    with sftp.open("/team/a", "wb") as f:
        f.write(b"1")
        f.chmod(0o600)
    ftp.storbinary("STOR /team/b", io.BytesIO(b"1"))
    assert web.put("/team/c", b"1").status == 201
    assert append(web, create(web, "/team/d", 1)["Location"], 0, b"1").status == 204
    sftp.mkdir("/team/sub", 0o700)
    sftp.open("/team/sub/deep", "wb").close()
    if IS_ROOT:
        gid = (team.place / "team").stat().st_gid
        for name in "abcd":
            made = (team.place / "team" / name).stat()
            assert made.st_gid == gid and made.st_mode & 0o060 == 0o060, name
        assert stat.S_IMODE((team.place / "team" / "sub").stat().st_mode) & 0o2070 == 0o2070
        assert (team.place / "team" / "sub" / "deep").stat().st_gid == gid
        assert (team.home("anna").stat().st_gid) != gid
        for agent in team.agents():
            assert agent.status["Groups"].split() == sorted(str((team.place / n).stat().st_gid) for n in ("team", "docs"))
    with clients.Paramiko(team, place, "bert").session() as other:
        for name in "abcd":
            with other.open(f"/team/{name}", "r+b") as f:
                f.write(b"2")
        other.rename("/team/a", "/team/sub/a")
        other.remove("/team/b")
        other.rmdir("/team/sub")
    assert sftp.open("/team/c", "rb").read() == b"2"
    # the trash is the set's own: both find it, and no home has anything of it
    kept = sftp.listdir("/team/.trash")
    assert sorted(name.split(" ", 1)[1] for name in kept) == ["b", "sub"]
    assert not any((team.home(name) / ".trash").exists() for name in ("anna", "bert"))
    sftp.remove("/team/d")
    assert len(web.names("/team/.trash")) == 3
    away = next(name for name in kept if name.endswith(" b"))
    web.change("DELETE", f"/files/team/.trash/{away.replace(' ', '%20')}")
    assert away not in sftp.listdir("/team/.trash"), "what is removed from the trash is gone"


def test_a_zip_across_folders(team, three):
    _, _, web = three
    answer = web.form("/api/zip", [("folder", "/"), ("name", "docs"), ("name", "team")])
    names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
    assert "docs/manual" in names and not any("own" in name for name in names), names


def test_one_that_cannot_be_opened_is_missing_alone(team, place):
    """Deleted, or closed to its group: the rest of the view is as ever, and both logs say why."""
    team.add("dora")
    for name in ("lost", "kept"):
        team.command("folder", "add", name, team.place / name)
        team.command("folder", "grant", name, "dora", "all")
    (team.place / "lost").rmdir()
    with clients.Paramiko(team, place, "dora").session() as sftp:
        assert sftp.listdir("/") == ["kept"]
        with pytest.raises(OSError):
            sftp.listdir("/lost")
    with Web(team, "dora", basic=True) as web:
        assert web.names() == {"kept"}
    team.wait_log(r"account dora: folder lost, .*/lost: No such file")
    assert "folder lost" in team.audit(event="folder-missing", account="dora")[0]["text"]
    assert team.command("check", check=False).stdout.count("folder set lost") == 1
    if IS_ROOT:
        (team.place / "kept").chmod(0o700)
        with clients.Paramiko(team, place, "dora").session() as sftp:
            assert sftp.listdir("/") == []
        team.wait_log(r"account dora: .*/kept: Permission denied")


def test_as_many_as_fit(team):
    """One more is refused when it is given, not found out at a login."""
    team.add("many")
    path = team.place / ("x" * 200)
    path.mkdir()
    given = 0
    with pytest.raises(Trouble, match="at most 255 folder sets"):
        for i in range(200):
            team.command("folder", "add", f"{i:03}" + "n" * 240, path / str(i))
            team.command("folder", "grant", f"{i:03}" + "n" * 240, "many", "list")
            given += 1
    assert given > 50
    with Web(team, "many", basic=True) as web:
        assert len(web.names()) == given
