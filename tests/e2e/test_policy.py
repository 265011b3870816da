"""What auditors read is what is enforced: --print-policy names what the sources name."""
import re
import subprocess

from server import TOP, programs


SECTION = re.compile(r"^<!-- policy: ([a-z]+) -->\n(.*?)^<!-- end of policy -->$", re.MULTILINE | re.DOTALL)


def policy(option="--print-policy"):
    return subprocess.run([str(programs() / "sallyportd"), option], capture_output=True, text=True, check=True).stdout


def sections():
    return dict(SECTION.findall(policy("--print-policy=markdown")))


def rows(table):
    """Cells of each row, without the headings and the lines under them."""
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines() if line.startswith("|")]
    under = [i for i, cells in enumerate(found) if set("".join(cells)) == {"-"}]
    headings = {i - 1 for i in under} | set(under)
    assert headings, "no table"
    assert len({len(cells) for cells in found}) == 1, "rows of different widths"
    return [[cell.strip() for cell in cells] for i, cells in enumerate(found) if i not in headings]


def schema():
    parts = re.findall('#include "(.*)"', (TOP / "common" / "messages.def").read_text())
    return "".join((TOP / part).read_text() for part in parts)


def test_every_message_is_printed():
    names = re.findall(r"^MESSAGE\((\w+),", schema(), re.MULTILINE)
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


def test_the_document_has_a_place_for_each_table():
    document = (TOP / "docs" / "privilege-boundary.md").read_text()
    printed = sections()
    assert set(printed) == {"processes", "dispatch", "messages", "rights", "operations", "filters"}
    assert sorted(name for name, _ in SECTION.findall(document)) == sorted(printed)
    assert policy("--print-policy=markdown").count("<!--") == 2 * len(printed)


def test_markdown_has_every_message_with_fields_and_a_reason():
    table = {cells[0].strip("`"): cells for cells in rows(sections()["messages"])}
    source = schema()
    declared = re.findall(r"^MESSAGE\((\w+), (\w+), (\d), (\d),\s*((?:\"[^\"]*\"\s*)+)\)", source, re.MULTILINE)
    assert set(table) == {name for name, *_ in declared} and len(declared) == len(re.findall(r"^MESSAGE\(", source, re.MULTILINE))
    for name, _, least, most, note in declared:
        _, descriptors, _, why = table[name]
        assert descriptors == (most if least == most else f"{least} to {most}"), name
        assert why == "".join(re.findall(r'"([^"]*)"', note)), name
    assert table["auth_password"][2] == "user text 64, password secret 1024, purpose u8, fresh secret 1024"
    assert table["sign_exchange"][2] == "preimage secret 60000"


def test_markdown_says_what_the_text_says():
    text, printed = policy(), sections()
    calls = [cells[0] for cells in rows(printed["filters"])]
    assert calls == re.findall(r"^  (\w+) ", text.partition("System calls, after")[2], re.MULTILINE)
    rules = re.findall(r"^  (\w+) +from [a-z,]+, while ([a-z,]+)(?:, at most (\d+))?, then ([a-z ]+)$", text, re.MULTILINE)
    told = [(cells[0].strip("`"), cells[2].replace(", ", ","), cells[3].replace("any number", ""), cells[4]) for cells in rows(printed["dispatch"])]
    assert rules == told and len(rules) > 5
    operations = re.findall(r'^OPERATION\(\w+, "([^"]*)", [01], (\w+)', (TOP / "common" / "operations.def").read_text(), re.MULTILINE)
    assert [(cells[0], cells[2].upper()) for cells in rows(printed["operations"])] == operations
    names = re.findall(r'^RIGHT\(\w+, "([^"]*)"', (TOP / "common" / "operations.def").read_text(), re.MULTILINE)
    assert [cells[0] for cells in rows(printed["rights"])] == names
    assert len(rows(printed["processes"])) == len(list((TOP / "common" / "filters").glob("*.def")))


def test_another_form_is_refused():
    run = subprocess.run([str(programs() / "sallyportd"), "--print-policy=html"], capture_output=True, text=True)
    assert run.returncode == 2 and "markdown" in run.stderr and run.stdout == ""
