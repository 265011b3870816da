"""Every client against every verb: what goes there comes back byte for byte."""
import os
import subprocess
import tarfile
import zipfile

import pytest

import clients
from conftest import need, same

VERBS = ("put", "get", "names", "rename", "delete", "resume_put", "resume_get")
MATRIX = [(name, verb) for name, client in clients.ALL.items() for verb in VERBS if client.can(verb)]
SIZE = 3_000_001  # not a multiple of anything


def client_of(name, shared, place):
    client = clients.ALL[name]
    if not client.available():
        reason = client.trouble() if name == "sshfs" and client.trouble() else f"no {client.program} here"
        pytest.skip(reason)
    return client(shared, place)


def check_put(client, server, folder, place, payload):
    client.put(payload(SIZE), f"/{folder}/there")
    assert same(payload(SIZE), server.home() / folder / "there")


def check_get(client, server, folder, place, payload):
    server.put_file(f"{folder}/there", payload(SIZE).read_bytes())
    client.get(f"/{folder}/there", place / "back")
    assert same(payload(SIZE), place / "back")


def check_names(client, server, folder, place, payload):
    wanted = {"one", "two.txt", "drei-äöü", ".hidden"} if not isinstance(client, clients.Lftp) else {"one", "two.txt"}
    if isinstance(client, (clients.OpenSSH, clients.Lftp)):
        wanted -= {".hidden"}
    for name in wanted:
        server.put_file(f"{folder}/{name}", b"x")
    assert client.names(f"/{folder}") == wanted


def check_rename(client, server, folder, place, payload):
    server.put_file(f"{folder}/old", b"the same")
    client.rename(f"/{folder}/old", f"/{folder}/new")
    assert os.listdir(server.home() / folder) == ["new"]
    assert (server.home() / folder / "new").read_bytes() == b"the same"


def check_delete(client, server, folder, place, payload):
    server.put_file(f"{folder}/gone", b"x")
    server.put_file(f"{folder}/stays", b"y")
    client.delete(f"/{folder}/gone")
    assert os.listdir(server.home() / folder) == ["stays"]


def check_resume_put(client, server, folder, place, payload):
    whole = payload(SIZE).read_bytes()
    server.put_file(f"{folder}/there", whole[:1_234_567])
    client.resume_put(payload(SIZE), f"/{folder}/there")
    assert same(payload(SIZE), server.home() / folder / "there")


def check_resume_get(client, server, folder, place, payload):
    whole = payload(SIZE).read_bytes()
    server.put_file(f"{folder}/there", whole)
    (place / "back").write_bytes(whole[:1_234_567])
    client.resume_get(f"/{folder}/there", place / "back")
    assert same(payload(SIZE), place / "back")


@pytest.mark.parametrize("name,verb", MATRIX)
def test_verb(shared, place, payload, name, verb):
    client = client_of(name, shared, place)
    folder = f"{name}-{verb}"
    home = shared.home()
    (home / folder).mkdir()
    os.chown(home / folder, home.stat().st_uid, home.stat().st_gid)
    globals()[f"check_{verb}"](client, shared, folder, place, payload)


def test_round_trip_of_sizes(shared, place):
    """Around the sizes where packets, windows and buffers end."""
    client = clients.OpenSSH(shared, place)
    sizes = [0, 1, 32767, 32768, 32769, 65536, 262143, 262144, 262145, 1 << 20]
    lines = []
    for size in sizes:
        (place / f"s{size}").write_bytes(os.urandom(size))
        lines += [f"put {place}/s{size} s{size}", f"get s{size} {place}/b{size}"]
    client.batch(*lines)
    for size in sizes:
        assert same(place / f"s{size}", place / f"b{size}"), size


@pytest.mark.parametrize("kind", ["zip", "7z", "tar.gz"])
def test_archives_come_back_whole(shared, place, kind):
    source = place / "tree"
    source.mkdir()
    for i in range(20):
        (source / f"{i}.bin").write_bytes(os.urandom(50_000))
        (source / f"{i}.txt").write_text(f"line {i}\n" * 5000)
    there, back = place / f"a.{kind}", place / f"b.{kind}"
    if kind == "tar.gz":
        with tarfile.open(there, "w:gz") as tar:
            tar.add(source, "tree")
    else:
        need({"zip": "zip", "7z": "7z"}[kind])
        command = ["zip", "-qr", str(there), "tree"] if kind == "zip" else ["7z", "a", "-bso0", str(there), "tree"]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
    clients.OpenSSH(shared, place).batch(f"put {there} archive.{kind}", f"get archive.{kind} {back}")
    assert same(there, back)
    if kind == "zip":
        assert zipfile.ZipFile(back).testzip() is None
        return
    test = {"7z": ["7z", "t", "-bso0"], "tar.gz": ["tar", "-tzf"]}[kind]
    subprocess.run([*test, str(back)], check=True, capture_output=True)


def test_recursive_there_and_back(shared, place):
    tree = place / "tree"
    for folder in ("a/b/c", "a/d", "e"):
        (tree / folder).mkdir(parents=True)
        for i in range(5):
            (tree / folder / f"f{i}").write_bytes(os.urandom(1000 + i))
    clients.OpenSSH(shared, place).batch(f"put -r {tree} tree", f"get -r tree {place}/back")
    subprocess.run(["diff", "-r", str(tree), str(place / "back")], check=True)


def test_names_that_are_unusual(shared, place):
    """Blanks, quotes, newlines, bytes that are not UTF-8, 255 bytes."""
    names = ["with blank", "quote'\"", "new\nline", "-dash", "\\back", "ü" * 127, "x" * 255, "*?[]"]
    with clients.Paramiko(shared, place).session() as sftp:
        sftp.mkdir("odd")
        for name in names:
            with sftp.open(f"odd/{name}", "wb") as f:
                f.write(name.encode())
        raw = b"\xff\xfe latin"
        with sftp.open(b"odd/" + raw, "wb") as f:
            f.write(b"raw")
    listed = os.listdir(os.fsencode(shared.home() / "odd"))
    assert set(listed) == {n.encode() for n in names} | {raw}


def test_fifty_at_a_time(shared, place, payload):
    """Fifty sessions at once, each with its own file."""
    processes = []
    for i in range(50):
        client = clients.OpenSSH(shared, place)
        processes.append(subprocess.Popen(
            ["sftp", "-o", "BatchMode=no", "-b", "-", *clients.ssh_options(shared), *client.auth, "-P", str(shared.port), "alice@127.0.0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=client.env, text=True))
        processes[-1].stdin.write(f"put {payload(200_000)} fifty-{i}\nget fifty-{i} {place}/fifty-{i}\n")
        processes[-1].stdin.close()
    for i, process in enumerate(processes):
        trouble = process.stderr.read()
        assert process.wait(100) == 0, trouble
        assert same(payload(200_000), place / f"fifty-{i}")
