/* strength.js: is a new password easily guessed? Told while one types; what counts is the hasher's word, which is
 * common/password_rules.c: the idea and its reasons stand there. This is the same, step for step, from the same
 * tables (password_tables.js is made of them); what is changed there is changed here. */
import { CASE, COST, LIKE, LIMIT, SHIFTED, WALK, WEAKNESS, WORD } from './password_tables.js';

const points = text => Array.from(text, character => {
  const code = character.codePointAt();
  return code >= 0xd800 && code <= 0xdfff ? 0xfffd : code; // half a pair is sent as this
});

const WORDS = WORD.map(points);
const WALKS = WALK.map(points);
const LIKES = LIKE.map(([letter, text]) => ({ letter: letter.codePointAt(), standIns: points(text) }));
const KEYS = new Map(SHIFTED.flatMap(([marks, keys]) => points(marks).map((mark, i) => [mark, points(keys)[i]])));
const NAMES = WEAKNESS.map(([name]) => name);
const WEAK = Object.fromEntries(NAMES.map((name, i) => [name, i]));
const FAR = 0xffff;
const A = 0x61, Z = 0x7a, SPACE = 0x20;
const SEPARATORS = points(' -_.');
const COSTS = { small: COST.LETTER, capital: COST.LETTER, digit: COST.DIGIT, mark: COST.MARK, other: COST.OTHER };

const isLetter = code => code >= A && code <= Z;

const kindOf = code => (code >= 0x30 && code <= 0x39 ? 'digit' : code >= 0x41 && code <= 0x5a ? 'capital' : isLetter(code) ? 'small' : code < 0x80 ? 'mark' : 'other');

function characterOf(code) {
  const range = CASE.find(([first, last]) => code >= first && code <= last);
  const small = range ? code + range[2] : code;
  let letters = isLetter(small) ? 1 << (small - A) : 0;
  for (const { letter, standIns } of LIKES) if (standIns.includes(small)) letters |= 1 << (letter - A);
  return { code: small, key: KEYS.get(code) ?? small, letters, kind: kindOf(code), capital: range !== undefined, separator: SEPARATORS.includes(code) };
}

const mayBe = (character, want) => (isLetter(want) ? (character.letters >> (want - A)) & 1 : character.code === want);

/* ---- pieces: as in password_rules.c ---- */

const wayTo = (judged, at) => (judged.byPiece[at].tenths <= judged.byCharacter[at].tenths ? judged.byPiece[at] : judged.byCharacter[at]);

function piece(judged, at, len, tenths, weakness) {
  const from = wayTo(judged, at);
  if (from.tenths + tenths >= judged.byPiece[at + len].tenths) return;
  const covered = from.covered.slice();
  covered[weakness] += len;
  judged.byPiece[at + len] = { tenths: from.tenths + tenths, covered };
}

/* [how many characters, what they cost beyond the word], or null */
function wordAt({ text }, at, back, word) {
  const room = back ? at + 1 : text.length - at;
  let capital = false, used = 0, more = back ? COST.BACKWARDS : 0;
  for (const want of word) {
    const character = used === room ? null : text[back ? at - used : at + used];
    if (want === SPACE) {
      if (character?.separator) used++;
      continue;
    }
    if (!character || !mayBe(character, want)) return null;
    if (character.code !== want) more += COST.LIKENESS;
    else if (character.kind !== 'digit' && character.kind !== 'mark') {
      if (character.capital !== capital) more += COST.CAPITALS;
      capital = character.capital;
    }
    used++;
  }
  return [used, more];
}

function findWords(judged, at) {
  for (const word of WORDS) {
    if (!mayBe(judged.text[at], word[0])) continue;
    for (const back of [false, true]) {
      const found = wordAt(judged, at, back, word);
      if (found) piece(judged, back ? at + 1 - found[0] : at, found[0], COST.WORD + found[1], WEAK.WORDS);
    }
  }
}

function walkLength({ text }, at, row, place, step) {
  let len = 0;
  while (at + len < text.length && row[place + step * len] === text[at + len].key) len++;
  return len;
}

function findWalk(judged, at) {
  let longest = 0;
  for (const row of WALKS) {
    for (let place = row.indexOf(judged.text[at].key); place >= 0; place = row.indexOf(judged.text[at].key, place + 1)) {
      longest = Math.max(longest, walkLength(judged, at, row, place, 1), walkLength(judged, at, row, place, -1));
    }
  }
  for (let len = LIMIT.WALK_LEAST; len <= longest; len++) piece(judged, at, len, COST.WALK, WEAK.WALK);
}

function findAgain(judged, at) {
  const { text } = judged;
  for (let period = 1; period <= at && period <= LIMIT.PERIOD; period++) {
    for (let len = 1; at + len <= text.length && text[at + len - 1].code === text[at + len - 1 - period].code; len++) {
      if (len >= period) piece(judged, at, len, COST.AGAIN, WEAK.AGAIN);
    }
  }
}

function findNumber(judged, at) {
  let number = 0;
  for (let len = 1; len <= 4 && judged.text[at + len - 1]?.kind === 'digit'; len++) {
    number = number * 10 + judged.text[at + len - 1].code - 0x30;
    if (len === 2 && number > 0 && number <= LIMIT.DAY_LAST) piece(judged, at, len, COST.DAY, WEAK.NUMBER);
    if (len === 4 && number >= LIMIT.YEAR_FIRST && number <= LIMIT.YEAR_LAST) piece(judged, at, len, COST.YEAR, WEAK.NUMBER);
  }
}

function takeCharacter(judged, at) {
  const character = judged.text[at], before = judged.text[at - 1];
  const changes = at > 0 && character.kind !== before.kind && !character.separator && !before.separator;
  let from = judged.byPiece[at], change = 0;
  if (judged.byCharacter[at].tenths + (changes ? COST.CHANGE : 0) < from.tenths) {
    from = judged.byCharacter[at];
    change = changes ? COST.CHANGE : 0;
  }
  const covered = from.covered.slice();
  if (character.kind === 'digit') covered[WEAK.NUMBER]++;
  judged.byCharacter[at + 1] = { tenths: from.tenths + change + (character.separator ? COST.SEPARATOR : COSTS[character.kind]), covered };
}

/* ---- the judgement ---- */

function costOfFew({ text }) {
  const different = new Set(text.map(character => character.code)).size;
  return different > LIMIT.FEW ? FAR : different * COST.FEW_EACH + text.length * COST.FEW_NEXT;
}

function cheapest(text) {
  const nowhere = () => Array.from({ length: text.length + 1 }, () => ({ tenths: FAR, covered: NAMES.map(() => 0) }));
  const judged = { text, byPiece: nowhere(), byCharacter: nowhere() };
  judged.byPiece[0].tenths = 0;
  for (let at = 0; at < text.length; at++) {
    findWords(judged, at);
    findWalk(judged, at);
    findAgain(judged, at);
    findNumber(judged, at);
    takeCharacter(judged, at);
  }
  const way = wayTo(judged, text.length), few = costOfFew(judged);
  let most = WEAK.FEW;
  if (few >= way.tenths) NAMES.forEach((_, i) => { if (way.covered[i] > way.covered[most]) most = i; });
  const tenths = Math.min(few, way.tenths);
  return { tenths, weakness: tenths < COST.ENOUGH ? most : null };
}

/* As password_judge() in C: {tenths: of a bit, weakness: a number of WEAKNESS or null}. */
export function judge(password) {
  const codes = points(password);
  if (new TextEncoder().encode(password).length > LIMIT.MOST_BYTES) return { tenths: 0, weakness: WEAK.LONG };
  if (codes.some(code => code < 0x20 || code === 0x7f)) return { tenths: 0, weakness: WEAK.NO_TEXT };
  if (codes.length < LIMIT.SHORTEST) return { tenths: 0, weakness: WEAK.SHORT };
  return cheapest(codes.slice(0, LIMIT.JUDGED).map(characterOf));
}

/* From here on a password is good, and from here on better than that: 50 and 65 bits. */
const GOOD = 500, STRONG = 650;

/* What a person is shown. level: 0 it will be refused, 1 it will do, 2 good, 3 strong. advice: what is wrong and what
 * to do, empty from level 1 on. kind: which weakness ('short', 'words' ...), for words in another language, or ''. */
export function strength(password) {
  const { tenths, weakness } = judge(password);
  if (weakness === null) return { level: tenths < GOOD ? 1 : tenths < STRONG ? 2 : 3, advice: '', kind: '' };
  const [name, advice] = WEAKNESS[weakness];
  return { level: 0, advice, kind: name.toLowerCase() };
}
