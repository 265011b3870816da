/* list.js: the rows on the screen: a grid (ARIA) over folder and selection, with the head that sorts, the
 * field in which a name is changed, and what mouse and fingers do to rows. What is to be done with an
 * entry is not known here: main.js gives the callbacks open(entry) and menu(entry or null, place). */
import { button, el, icon, nameElement, setIcon } from './dom.js';
import { folder } from './folder.js';
import { changed, size } from './format.js';
import { iconOf } from './kinds.js';
import { splitEnding, textOf, parentOf, visible } from './names.js';
import { Scroller } from './scroller.js';
import { selection } from './selection.js';
import { words } from './strings.js';

const ROW_PX = 40;
const HEAD_PX = 36;
const LONG_PRESS_MS = 500;
const COLUMNS = ['name', 'size', 'changed'];

let calls = {};
let scroller;
let editing = null;                    /* {address, box, field, hint, commit} */
let pointer = 'mouse';                 /* what was last used: mouse, touch, pen or keyboard */
let dimmed = new Set();                /* addresses that are cut */

const grid = el('div', { class: 'grid', role: 'grid', 'aria-multiselectable': 'true', 'aria-colcount': '4', tabindex: '-1' });
const canvas = el('div', { class: 'canvas', role: 'rowgroup' });
const heads = new Map();

export const listElement = grid;

export function startList(given) {
    calls = given;
    grid.setAttribute('aria-label', words.list);
    grid.append(makeHead(), canvas);
    scroller = new Scroller({ box: grid, canvas, height: ROW_PX, head: HEAD_PX, make: makeRow, bind: bindRow, keyOf: row => row.address });
    folder.addEventListener('change', showRows);
    folder.addEventListener('state', () => grid.setAttribute('aria-busy', String(folder.state === 'loading')));
    selection.addEventListener('change', () => {
        scroller.kept = selection.active;
        scroller.refresh();
    });
    for (const [name, listener] of Object.entries({ pointerdown, click, dblclick, contextmenu })) grid.addEventListener(name, listener);
    document.addEventListener('keydown', () => { pointer = 'keyboard'; }, true);
    document.addEventListener('pointerdown', event => { pointer = event.pointerType; }, true);
    showRows();
}

function makeHead() {
    const cells = COLUMNS.map(key => {
        const sort = el('button', { type: 'button', onclick: () => folder.sortBy(key) }, el('span', {}, words.columns[key]), icon('arrow'));
        const cell = el('div', { class: key, role: 'columnheader' }, sort);
        heads.set(key, cell);
        return cell;
    });
    const more = el('div', { class: 'more', role: 'columnheader' }, el('span', { class: 'unseen' }, words.columns.more));
    return el('div', { class: 'head', role: 'rowgroup' }, el('div', { class: 'line', role: 'row', 'aria-rowindex': '1' }, cells, more));
}

function showRows() {
    grid.setAttribute('aria-rowcount', String(folder.rows.length + 1));
    for (const [key, cell] of heads) {
        const mine = folder.order.key === key;
        cell.setAttribute('aria-sort', !mine ? 'none' : folder.order.direction > 0 ? 'ascending' : 'descending');
    }
    const within = canvas.contains(document.activeElement);
    scroller.kept = selection.active;
    scroller.items = folder.rows;
    if (within && !canvas.contains(document.activeElement)) focusList();
}

/* ---- rows ---- */

function makeRow() {
    const more = button(words.actions.more, 'more', null, { bare: true, tabindex: '-1', 'aria-haspopup': 'menu' });
    return el('div', { class: 'row', role: 'row' },
        el('div', { class: 'name', role: 'rowheader' }, icon('file')),
        el('div', { class: 'size', role: 'gridcell' }),
        el('div', { class: 'changed', role: 'gridcell' }),
        el('div', { class: 'more', role: 'gridcell' }, more));
}

function bindRow(row, entry, index) {
    const [name, bytes, when, more] = row.children;
    const selected = selection.has(entry.address);
    const current = entry.address === currentAddress();
    row.entry = entry;
    row.setAttribute('aria-rowindex', String(index + 2));
    row.setAttribute('aria-selected', String(selected));
    row.tabIndex = current ? 0 : -1;
    row.classList.toggle('cut-out', dimmed.has(entry.address));
    if (row.shown !== entry || row.shownName !== entry.name || editing?.address === entry.address || row.edited) {
        row.shown = entry;
        row.shownName = entry.name;
        row.dataset.type = entry.type;
        setIcon(name.firstChild, iconOf(entry));
        bindName(row, name, entry);
        const isFile = entry.type === 'file';
        bytes.textContent = isFile ? size(entry.size) : '';
        when.textContent = entry.draft ? '' : changed(entry.mtime);
        more.hidden = Boolean(entry.draft);
        more.firstChild.setAttribute('aria-label', words.moreAbout(entry.name));
    }
}

function bindName(row, cell, entry) {
    row.edited = editing?.address === entry.address;
    row.classList.toggle('edited', row.edited);
    if (row.edited) {
        if (cell.lastChild !== editing.box) cell.replaceChildren(cell.firstChild, editing.box);
        return;
    }
    const label = folder.search ? baseName(entry) : entry.name;
    const parts = [nameElement(label, { cut: true })];
    if (entry.link) parts.push(icon('link'), el('span', { class: 'unseen' }, words.isLink));
    if (folder.search) parts.push(el('bdi', { class: 'place' }, visible(placeOf(entry))));
    cell.replaceChildren(cell.firstChild, ...parts);
    cell.title = visible(entry.name);
}

const baseName = entry => entry.name.slice(entry.name.lastIndexOf('/') + 1);

function placeOf(entry) {
    const place = textOf(parentOf(entry.address));
    return place === '/' ? words.top : place;
}

/* The row that Tab leads to: the active one, or the first. */
function currentAddress() {
    const { active } = selection;
    return active !== null && folder.indexOf(active) >= 0 ? active : folder.rows[0]?.address;
}

export function entryAt(target) {
    return target.closest?.('.row')?.entry ?? null;
}

export function rowOf(address) {
    return scroller.element(address);
}

export function dim(addresses) {
    dimmed = new Set(addresses);
    scroller.refresh();
}

/* ---- focus and the keyboard ---- */

export function focusList() {
    const address = currentAddress();
    if (address === undefined) {
        grid.focus();
        return;
    }
    if (selection.active !== address) selection.moveTo(address);
    scroller.scrollTo(folder.indexOf(address));
    scroller.element(address)?.focus({ preventScroll: true });
}

export const listHasFocus = () => grid.contains(document.activeElement);

/* The keyboard goes `step` rows on ('page' counts what is in sight; ±Infinity is an end). reach: selects
 * all between; keep: moves alone. */
export function go(step, { page = false, reach = false, keep = false } = {}) {
    const { rows } = folder;
    if (rows.length === 0) return;
    const at = folder.indexOf(selection.active);
    const far = at < 0 ? (step > 0 && Number.isFinite(step) ? 0 : step) : at + step * (page ? scroller.rowsInSight : 1);
    const index = Math.max(0, Math.min(rows.length - 1, far));
    const { address } = rows[index];
    if (reach) selection.reach(address, keep);
    else if (keep) selection.moveTo(address);
    else selection.only(address);
    focusList();
}

let typed = '';
let typedAt = 0;

/* Letters typed in the list lead to the next name that begins with them. */
export function typeAhead(letter) {
    const now = performance.now();
    const again = now - typedAt > 1000;
    typed = again ? letter : typed + letter;
    typedAt = now;
    const { rows } = folder;
    const from = Math.max(0, folder.indexOf(selection.active)) + (again ? 1 : 0);
    const begins = typed.toLocaleLowerCase();
    for (let step = 0; step < rows.length; step++) {
        const row = rows[(from + step) % rows.length];
        if (!row.name.toLocaleLowerCase().startsWith(begins)) continue;
        selection.only(row.address);
        focusList();
        return;
    }
}

export const isTyping = () => typed !== '' && performance.now() - typedAt < 1000;

export const scrollTop = () => scroller.top;

/* After loading: the row and the place that this folder was left with. */
export function restore({ active = null, top = 0 }) {
    scroller.top = top;
    const index = folder.indexOf(active);
    if (index >= 0) scroller.scrollTo(index);
}

/* ---- mouse and fingers ---- */

let press = null;

function pointerdown(event) {
    const row = event.target.closest('.row');
    pressEnds();
    if (!row || row.edited) return;
    row.draggable = event.pointerType === 'mouse' && calls.mayDrag();
    if (event.pointerType === 'mouse' || event.target.closest('.more')) return;
    const { clientX, clientY } = event;
    press = { row, clientX, clientY, timer: setTimeout(() => longPress(row), LONG_PRESS_MS), done: false };
    for (const name of ['pointermove', 'pointerup', 'pointercancel']) grid.addEventListener(name, pressMoves);
}

function pressMoves(event) {
    const far = event.type === 'pointermove' && press && Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY) < 10;
    if (!far) pressEnds();
}

function pressEnds() {
    clearTimeout(press?.timer);
    for (const name of ['pointermove', 'pointerup', 'pointercancel']) grid.removeEventListener(name, pressMoves);
    if (press && !press.done) press = null;
}

function longPress(row) {
    if (!press || press.done) return;
    press.done = true;
    selection.toggle(row.entry.address);
}

function click(event) {
    const row = event.target.closest('.row');
    const pressed = press?.done;
    press = null;
    if (event.target.closest('.head')) return;
    if (!row) {
        selection.clear();
        return;
    }
    const { entry } = row;
    if (row.edited || entry.draft || pressed) return;
    if (event.target.closest('.more')) {
        if (!selection.has(entry.address)) selection.only(entry.address);
        calls.menu(entry, { under: event.target.closest('button') });
        return;
    }
    if (pointer === 'touch' || pointer === 'pen') {
        if (selection.size > 0) selection.toggle(entry.address);
        else calls.open(entry);
        return;
    }
    if (event.shiftKey) selection.reach(entry.address, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey) selection.toggle(entry.address);
    else selection.only(entry.address);
    focusList();
}

function dblclick(event) {
    const entry = entryAt(event.target);
    const plain = !event.shiftKey && !event.ctrlKey && !event.metaKey;
    if (entry && !entry.draft && plain && pointer === 'mouse' && !event.target.closest('.more, input')) calls.open(entry);
}

function contextmenu(event) {
    const row = event.target.closest('.row');
    if (event.target.closest('input, .head')) return;
    event.preventDefault();
    if (row?.entry.draft) return;
    if (pointer === 'touch') {
        if (row) longPress(row);
        return;
    }
    const byKey = pointer === 'keyboard';
    const entry = byKey ? folder.find(currentAddress()) ?? null : row?.entry ?? null;
    if (entry && !selection.has(entry.address)) selection.only(entry.address);
    if (!entry) selection.clear();
    calls.menu(entry, byKey && entry ? { under: rowOf(entry.address) } : { x: event.clientX, y: event.clientY });
}

/* ---- changing a name in its row ---- */

/* Shows a field in the row with `name` in it, and beside it what was wrong with an earlier try.
 * commit(text, byKey) returns null, or what is wrong with the text; cancel() when nothing is to happen. */
export function edit(address, name, { commit, cancel, wrong = '' }) {
    endEdit();
    const hint = el('p', { class: 'hint', id: 'name-hint', role: 'alert' });
    const field = el('input', {
        type: 'text', class: 'field', 'aria-label': words.newName, 'aria-describedby': 'name-hint', autocomplete: 'off', spellcheck: 'false', maxlength: '255',
    });
    field.value = name;
    editing = { address, box: el('div', { class: 'edit' }, field, hint), field, hint, commit, cancel };
    field.addEventListener('keydown', editKey);
    field.addEventListener('blur', () => finishEdit(false));
    scroller.kept = address;
    scroller.refresh();
    scroller.scrollTo(folder.indexOf(address));
    field.focus();
    field.setSelectionRange(0, splitEnding(name)[0].length);
    if (wrong) showWrong(wrong);
}

function showWrong(wrong) {
    editing.hint.textContent = wrong;
    editing.field.setAttribute('aria-invalid', 'true');
}

function editKey(event) {
    event.stopPropagation();
    if (event.key === 'Enter') finishEdit(true);
    else if (event.key === 'Escape') {
        endEdit()?.cancel();
        focusList();
    } else return;
    event.preventDefault();
}

/* The field goes; returns what it was for. */
function endEdit() {
    const ended = editing;
    editing = null;
    if (ended) {
        scroller.kept = selection.active;
        scroller.refresh();
    }
    return ended;
}

/* Enter, or the field was left: then a name that will not do is forgotten instead of insisted on. */
function finishEdit(byKey) {
    if (!editing || editing.ending) return;
    const { field, commit, cancel } = editing;
    editing.ending = true;                       /* what commit changes may take the field's focus */
    const wrong = commit(field.value, byKey);
    if (wrong !== null && byKey) {
        editing.ending = false;
        showWrong(wrong);
        return;
    }
    endEdit();
    if (wrong !== null) cancel();
    if (byKey) focusList();
}
