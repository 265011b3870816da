"""The manual pages say what the programs do: made from their tables, and good mdoc."""
import re
import subprocess

import pytest

from conftest import need
from server import BUILD, TOP

PAGES = ["sallyport.1", "sallyport.conf.5", "sallyportd.8"]


@pytest.fixture(scope="module")
def docs():
    subprocess.run([str(TOP / "scripts" / "pages"), str(BUILD), "/etc"], check=True)
    return BUILD / "docs"


def plain(path):
    need("mandoc")
    text = subprocess.run(["mandoc", "-Tascii", "-Owidth=200", str(path)], capture_output=True, text=True, check=True).stdout
    return re.sub(r".\x08", "", text)


@pytest.mark.parametrize("page", PAGES)
def test_lint(docs, page):
    need("mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", str(docs / page)], capture_output=True, text=True)
    assert done.stdout + done.stderr == "" and done.returncode == 0
    assert not re.search(r"^@|@[A-Z]+@", (docs / page).read_text(), re.M)


def test_every_command_and_option(docs):
    text = plain(docs / "sallyport.1")
    usage = subprocess.run([str(BUILD / "sallyport"), "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([a-z]+(?: [a-z-]+)?)(?: [A-Z\[]|  |$)", usage, re.M)
    assert len(commands) > 20
    for command in commands:
        assert re.search(rf"^ +{command}\b", text, re.M), command
        help_text = subprocess.run([str(BUILD / "sallyport"), *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
        for option in re.findall(r"^  (--[a-z-]+)", help_text, re.M):
            assert re.search(rf"^ +{option}\b", text, re.M), option


def test_every_setting(docs, make_server):
    text = plain(docs / "sallyport.conf.5")
    server = make_server(start=False)
    dump = subprocess.run([str(BUILD / "sallyportd"), "-T", "-c", str(server.conf)], capture_output=True, text=True, check=True).stdout
    settings = re.findall(r"^([a-z_]+) =", dump, re.M)
    assert len(settings) > 30
    for setting in settings:
        assert re.search(rf"^ +{setting}\b", text, re.M), setting


def test_every_option_of_the_server(docs):
    text = plain(docs / "sallyportd.8")
    usage = subprocess.run([str(BUILD / "sallyportd"), "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"^  (-[-a-zA-Z]+)", usage, re.M)
    assert len(options) >= 5
    for option in options:
        assert re.search(rf"^ +{option}\b", text, re.M), option


def test_the_example_is_a_configuration(docs):
    done = subprocess.run([str(BUILD / "sallyportd"), "-t", "-c", str(docs / "sallyport.conf.example")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
