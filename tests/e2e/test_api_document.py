"""docs/api.md: its examples run, in order and as they stand, against a server; what stands behind one
is what comes. Its table of addresses is that of the worker."""
import json
import re
import subprocess

import pytest

from https_clients import certificate
from server import PATIENCE, TOP

DOCUMENT = (TOP / "docs" / "api.md").read_text()
VARIES = {"csrf", "number", "password_changed", "now", "mtime", "total", "free", "port", "https", "fingerprints"}


def examples():
    """Each example: its commands, and the kind and text of what follows them, or nothing."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT, re.M | re.S)
    found = []
    for kind, text in blocks:
        if kind == "sh":
            found.append([text, None, None])
        else:
            assert kind in ("json", "text") and found and found[-1][1] is None, text
            found[-1][1:] = [kind, text]
    assert len(found) > 10
    return found


def same(told, came, where="answer"):
    """The same keys and kinds; the same values but of what varies. Lists of entries have no order."""
    assert type(told) is type(came) or {type(told), type(came)} == {int, float}, (where, told, came)
    if isinstance(told, dict):
        assert set(told) == set(came), where
        for key in told:
            if key not in VARIES:
                same(told[key], came[key], f"{where}.{key}")
            elif told[key] is not None and came[key] is not None:
                assert type(told[key]) is type(came[key]) or {type(told[key]), type(came[key])} == {int, float}, (where, key)
    elif isinstance(told, list) and told and isinstance(told[0], dict):
        assert len(told) == len(came), where
        order = (lambda e: json.dumps([e.get("name"), e.get("path")]))
        for one, other in zip(sorted(told, key=order), sorted(came, key=order), strict=True):
            same(one, other, where)
    else:
        assert told == came, where


@pytest.fixture
def place_of_client(make_server, place):
    """A server that is files.example.org to curl (and to its certificate, which is its own), and what the
    examples find at their client."""
    server = make_server(start=False, own_keys=True).serve_https(names="files.example.org").start()
    server.add("alice", password="wonderland")
    (place / ".netrc").write_text("machine files.example.org login alice password wonderland\n")
    (place / ".curlrc").write_text(f"cacert = {certificate(server)}\nconnect-to = files.example.org:443:127.0.0.1:{server.https_port}\n")
    (place / "password").write_text("wonderland\n")
    (place / "report.txt").write_text("Hello, world!")
    return place


def test_every_example(place_of_client):
    place = place_of_client
    for commands, kind, told in examples():
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=place, capture_output=True, text=True, timeout=60 * PATIENCE,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(place)})
        assert done.returncode == 0, (commands, done.stdout, done.stderr)
        if kind == "json":
            same(json.loads(told), json.loads(done.stdout))
        else:
            assert done.stdout.rstrip("\n") == (told or "").rstrip("\n"), commands
    assert (place / "partial.txt").read_text() == (place / "report.txt").read_text() == "Hello, world!"


def test_every_address():
    rows = re.findall(r'^ROUTE\(\w+, +(\w+), +"([^"]+)", +(\w+), +\w+, +\w+, +(\w+), +"([^"]*)"\)', (TOP / "https-worker" / "routes.def").read_text(), re.M)
    assert len(rows) > 15
    table = [f"| {method} | `{address}{'PATH' if shape == 'BELOW' else ''}` | {'any' if most == 'UINT64_MAX' else most} | {text} |"
             for method, address, shape, most, text in rows]
    assert DOCUMENT.rstrip().endswith("\n".join(table)), "\n".join(table)


def test_every_error():
    """Each code that the worker can answer stands in the table, with its status, and no other."""
    source = "".join(path.read_text() for path in (TOP / "https-worker").glob("*.c"))
    found = set(re.findall(r'answer_(?:error|field)\(w, (\d+), "(\w+)"', source)) | set(re.findall(r"\{E\w+, +(\d+), \"(\w+)\"", source))
    found |= set(re.findall(r'\[PROOF_\w+\] = \{(\d+), "(\w+)"', source))
    found |= {(status, code) for status, code in re.findall(r'answer_begin\(w, (\d+), RESPONSE_API\);\n(?:.*\n){0,3}.*answer_json_error\(w, "(\w+)"', source)}
    told = set()
    for row in re.findall(r"^\| (\d{3}) \| (.*)$", DOCUMENT, re.M):
        told |= {(status, code) for code in re.findall(r"`([a-z_]+)`", row[1]) for status in re.findall(r"\b\d{3}\b", " ".join(row))}
    assert found <= told, found - told
    assert {code for _, code in told} <= {code for _, code in found} | {"sign_in", "too_large"}, told - found
