"""What auditors read is what is enforced: --print-policy names what the sources name."""
import re
import subprocess

from server import TOP, programs


def policy():
    return subprocess.run([str(programs() / "sallyportd"), "--print-policy"], capture_output=True, text=True, check=True).stdout


def test_every_message_is_printed():
    names = re.findall(r"^MESSAGE\((\w+),", (TOP / "common" / "messages.def").read_text(), re.MULTILINE)
    text = policy()
    assert len(names) > 50
    for name in names:
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name


def test_every_system_call_is_printed_with_its_reason():
    text = policy()
    for path in (TOP / "common" / "filters").glob("*.def"):
        for call, why in re.findall(r'^ROW\((\w+),.*"([^"]*)"\)', path.read_text(), re.MULTILINE):
            assert re.search(rf"^  {call} .*{re.escape(why)}$", text, re.MULTILINE), (path.name, call)
            assert len(why) > 2
