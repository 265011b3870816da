/* keys.js: the keyboard: one table of keys, where they hold, what they do. Fields, menus, dialogs and the tree
 * keep their own. */
import { act, actionKeys, meant, open } from './actions.js';
import { choose, isAbove } from './dialogs.js';
import { byId, el } from './dom.js';
import { folder } from './folder.js';
import { endTyping, focusList, go, isTyping, listHasFocus, typeAhead } from './list.js';
import { cut, cutEntries, undoLast } from './move.js';
import { previewed } from './preview.js';
import { goTo, href } from './router.js';
import { selection } from './selection.js';
import { words } from './strings.js';
import { parentOf } from './text.js';

let calls;

const LIST = true;  /* has the focus, or nothing has */
const PAGE = false;

const far = (step, page) => event => go(step, { page, reach: event.shiftKey, alone: event.ctrlKey || event.metaKey });

/* Ctrl+ is also Cmd, * with or without. What returns false leaves the key to the browser. */
const KEYS = {
  '*ArrowDown': [LIST, far(1)],
  '*ArrowUp': [LIST, event => (event.altKey ? up() : far(-1)(event))],
  '*PageDown': [LIST, far(1, true)],
  '*PageUp': [LIST, far(-1, true)],
  '*Home': [LIST, far(-Infinity)],
  '*End': [LIST, far(Infinity)],
  '* ': [LIST, event => (isTyping() && !event.ctrlKey ? typeAhead(' ') : toggle())],
  'Ctrl+a': [LIST, () => selection.all()],
  'Enter': [LIST, () => (meant().length === 1 ? open(meant()[0]) : false)],
  'ContextMenu': [LIST, () => calls.menu()],
  'F10': [LIST, event => event.shiftKey && calls.menu()],
  'F2': [LIST, () => act('rename')],
  'Delete': [LIST, () => act('delete')],
  '*Backspace': [LIST, event => (event.metaKey ? act('delete') : up())],
  'Ctrl+x': [LIST, () => act('cut')],
  'Ctrl+v': [LIST, () => act('paste')],
  'Ctrl+z': [PAGE, () => undoLast()],
  'Escape': [PAGE, () => escape()],
  '/': [PAGE, () => { byId('search-field').focus(); byId('search-field').select(); }],
  '?': [PAGE, () => { showKeys(); }],
};

export function startKeys(given) {
  calls = given;
  document.addEventListener('keydown', key);
}

function key(event) {
  const { target } = event;
  if (event.defaultPrevented || event.isComposing || isAbove() || !calls.inFiles() || target.closest('input, textarea')) return;
  const ctrl = event.ctrlKey || event.metaKey;
  const inList = target === document.body || (listHasFocus() && !target.closest('button'));
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const [where, what] = KEYS['*' + name] ?? KEYS[(ctrl ? 'Ctrl+' : '') + name] ?? [LIST, !ctrl && event.key.length === 1 && (() => typeAhead(event.key))];
  if (!what || (where === LIST && !inList) || (event.altKey && name !== 'ArrowUp')) return;
  if (event.key.length > 1) endTyping();
  if (what(event) !== false) event.preventDefault();
}

function toggle() {
  if (selection.active === null) return false;
  selection.toggle(selection.active);
  focusList();
  return true;
}

const up = () => goTo(href(folder.search ? folder.address : parentOf(folder.address)));

/* One thing at a time. */
function escape() {
  if (previewed()) calls.closePreview();
  else if (cutEntries().length > 0) cut([]);
  else if (selection.size > 0) selection.clear();
  else return false;
  return true;
}

export function showKeys() {
  const body = el('dl', { class: 'keys' }, [...words.keys.list, ...actionKeys()].map(([keys, text]) =>
    el('div', {}, el('dt', {}, keys.split(' ').map(one => el('kbd', {}, one))), el('dd', {}, text))));
  choose({ title: words.keys.title, body, wide: true, choices: [{ id: 'close', label: words.close, main: true }] });
}
