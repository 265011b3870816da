"""The page says of new passwords what the hasher would say: strength.js, as the server gives it away, and
common/password_rules.c, as test_password_rules answers for it, judge some thousands alike, to the tenth of a bit."""
import random
import re
import string
import subprocess

import pytest

from serve import TOP, e2e

COUNT = 4000
LETTERS = {"a": "4@á", "e": "3€é", "i": "1!|", "o": "0ö", "s": "5$ß", "t": "7+", "b": "8", "l": "1|", "g": "69"}
ODD = "éÄÖЖж€日😀\u00ad\ufeff\t\x7f"
MODULE = """
(async (address, passwords, done) => {
const { judge, strength } = await import(address + 'strength.js');
const { WEAKNESS } = await import(address + 'password_tables.js');
done(passwords.map(one => {
  const { tenths, weakness } = judge(one), { level, advice, kind } = strength(one);
  const right = weakness === null ? level > 0 && advice === '' && kind === '' : level === 0 && advice === WEAKNESS[weakness][1] && kind !== '';
  return `${tenths} ${right ? advice : 'strength() differs from judge()'}`;
}));
})(...arguments);
"""


def pieces():
    text = (TOP / "common" / "common_words.def").read_text()
    return re.findall(r'(?:WORD|WALK)\("([^"]*)"\)', text)


def piece(dice, words):
    word = dice.choice(words)
    return dice.choice([
        lambda: word,
        lambda: word,
        lambda: word[::-1].title(),
        lambda: "".join(dice.choice(LETTERS[c]) if c in LETTERS and dice.random() < 0.5 else c for c in word),
        lambda: "".join(c.upper() if dice.random() < 0.5 else c for c in word),
        lambda: str(dice.randrange(1850, 2060)),
        lambda: "".join(dice.choices(string.digits, k=dice.randrange(1, 9))),
        lambda: "".join(dice.choices(string.printable[:95], k=dice.randrange(1, 14))),
        lambda: "".join(dice.choices(string.ascii_letters + ODD, k=dice.randrange(1, 4))),
        lambda: dice.choice(" -_.!#1a") * dice.randrange(1, 6),
    ])()


def password(dice, words):
    text = ""
    while len(text) < 12 or dice.random() < 0.4:
        text += piece(dice, words)
    how = dice.random()
    return text * 2 if how < 0.1 else text * dice.randrange(1, 30) if how < 0.12 else text[: dice.randrange(1, 12)] if how < 0.14 else text


def in_c(passwords):
    program = e2e.BUILD / "test_password_rules"
    given = "".join(one.encode().hex() + "\n" for one in passwords)
    return subprocess.run([str(program), "judge"], input=given, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.check
def test_as_the_hasher_judges(server, browser):
    dice, words = random.Random(20), pieces()
    passwords = [password(dice, words) for _ in range(COUNT)]
    passwords += ["", "kX9#mQ2zLp0v", "é" * 255 + "x", "é" * 256]
    expected = in_c(passwords)
    browser.driver.get(server.base + "/login")
    address = browser.js("return document.querySelector('script[src$=\"login.js\"]').src").removesuffix("login.js")
    browser.driver.set_script_timeout(120 * e2e.PATIENCE)
    told = browser.driver.execute_async_script(MODULE, address, passwords)
    different = [(one, c, js) for one, c, js in zip(passwords, expected, told, strict=True) if c != js]
    assert different == []
    weak = sum(1 for line in expected if not line.endswith(" "))
    assert COUNT / 10 < weak < COUNT * 9 / 10, "both kinds are among them"
