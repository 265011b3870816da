/* keys.js: the keyboard: one table of keys, where they hold, what they do, and how the list of keys (?)
 * words them. Fields, menus and dialogs keep their own keys; theirs do not come here. */
import { act, meant, open } from './actions.js';
import { actionKeys } from './commands.js';
import { anyDialog, tell } from './dialogs.js';
import { el } from './dom.js';
import { folder } from './folder.js';
import { focusList, go, isTyping, listHasFocus, typeAhead } from './list.js';
import { menuIsOpen } from './menu.js';
import { cut, cutEntries } from './move.js';
import { parentOf } from './names.js';
import { previewed } from './preview.js';
import { undoLast } from './remove.js';
import { goTo, href } from './router.js';
import { focusSearch } from './search.js';
import { selection } from './selection.js';
import { words } from './strings.js';

let calls = {};

/* key, ctrl (or Cmd): true, 'any', or not at all; where: 'list' (the list, or nothing, has the focus) or
 * 'page'. run returns false where there was nothing to do: then the browser may have the key. */
const KEYS = [
    { key: 'ArrowDown', ctrl: 'any', where: 'list', run: event => go(1, ways(event)) },
    { key: 'ArrowUp', ctrl: 'any', where: 'list', run: event => (event.altKey ? up() : go(-1, ways(event))) },
    { key: 'PageDown', ctrl: 'any', where: 'list', run: event => go(1, { ...ways(event), page: true }) },
    { key: 'PageUp', ctrl: 'any', where: 'list', run: event => go(-1, { ...ways(event), page: true }) },
    { key: 'Home', ctrl: 'any', where: 'list', run: event => go(-Infinity, ways(event)) },
    { key: 'End', ctrl: 'any', where: 'list', run: event => go(Infinity, ways(event)) },
    { key: ' ', ctrl: 'any', where: 'list', run: event => (isTyping() && !event.ctrlKey ? typeAhead(' ') : toggle()) },
    { key: 'a', ctrl: true, where: 'list', run: () => selection.all() },
    { key: 'Enter', where: 'list', run: () => (meant().length === 1 ? open(meant()[0]) : false) },
    { key: 'F2', where: 'list', run: () => act('rename') },
    { key: 'Delete', where: 'list', run: () => act('delete') },
    { key: 'Backspace', ctrl: 'any', where: 'list', run: event => (event.metaKey ? act('delete') : !event.ctrlKey && up()) },
    { key: 'x', ctrl: true, where: 'list', run: () => act('cut') },
    { key: 'v', ctrl: true, where: 'list', run: () => act('paste') },
    { key: 'z', ctrl: true, where: 'page', run: () => undoLast() },
    { key: 'Escape', where: 'page', run: () => escape() },
    { key: '/', where: 'page', run: () => focusSearch() },
    { key: '?', where: 'page', run: () => { showKeys(); } },
];

export function startKeys(given) {
    calls = given;
    document.addEventListener('keydown', key);
}

const ways = event => ({ reach: event.shiftKey, keep: event.ctrlKey || event.metaKey });

function key(event) {
    if (event.defaultPrevented || anyDialog() || menuIsOpen() || event.isComposing || !calls.inFiles()) return;
    const target = event.target;
    if (target.closest('input, textarea, select, [contenteditable]')) return;
    const ctrl = event.ctrlKey || event.metaKey;
    const inList = target === document.body || (listHasFocus() && !target.closest('button'));
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const row = KEYS.find(one => one.key === name && (one.ctrl === 'any' || Boolean(one.ctrl) === ctrl) && (one.where === 'page' || inList));
    if (event.altKey && name !== 'ArrowUp') return;
    if (row) {
        if (row.run(event) !== false) event.preventDefault();
    } else if (inList && event.key.length === 1 && !ctrl) {
        typeAhead(event.key);
        event.preventDefault();
    }
}

function toggle() {
    if (selection.active === null) return false;
    selection.toggle(selection.active);
    focusList();
    return true;
}

function up() {
    if (folder.search) goTo(href(folder.address));
    else if (folder.address !== '/') goTo(href(parentOf(folder.address)));
    return true;
}

/* One thing at a time: the preview, what was cut, what is selected. */
function escape() {
    if (previewed()) calls.closePreview();
    else if (cutEntries().length > 0) cut([]);
    else if (selection.size > 0) selection.clear();
    else return false;
    return true;
}

/* The list of keys. */
export function showKeys() {
    const rows = [...words.keys.list, ...actionKeys()];
    tell({ title: words.keys.title, wide: true, body: el('dl', { class: 'keys' }, rows.map(([keys, text]) =>
        el('div', {}, el('dt', {}, keys.split(' ').map(one => (one === '–' ? ' – ' : el('kbd', {}, one)))), el('dd', {}, text)))) });
}
