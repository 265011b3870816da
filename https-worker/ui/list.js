/* list.js: the rows on the screen: a grid (ARIA) over folder and selection, the head that sorts, the field that
 * changes a name, and what mouse and fingers do. What becomes of entries main.js gives: open, menu, mayDrag. */
import { bare, el, icon, nameElement, Scroller, setIcon } from './dom.js';
import { folder } from './folder.js';
import { iconOf } from './preview.js';
import { selection } from './selection.js';
import { words } from './strings.js';
import { changed, parentOf, size, splitEnding, textOf, visible } from './text.js';

const ROW_PX = 40;
const HEAD_PX = 36;
const LONG_PRESS_MS = 500;
const TYPING_MS = 1000;

let calls;
let scroller;
let editing = null;  /* what edit() was given, and its elements */
let pointer = matchMedia('(pointer: coarse)').matches ? 'touch' : 'mouse';  /* what was last used; or pen, keyboard */
let dimmed = new Set();  /* addresses that are cut */

export const grid = el('div', { class: 'grid', role: 'grid', 'aria-multiselectable': 'true', 'aria-colcount': '4', tabindex: '-1' });
const canvas = el('div', { class: 'canvas', role: 'rowgroup' });
const heads = new Map();

export function startList(given) {
  calls = given;
  grid.setAttribute('aria-label', words.list);
  grid.append(makeHead(), canvas);
  scroller = new Scroller({ box: grid, canvas, height: ROW_PX, head: HEAD_PX, make: makeRow, bind: bindRow, key: row => row.address });
  folder.addEventListener('change', showRows);
  folder.addEventListener('state', showState);
  selection.addEventListener('change', refresh);
  for (const listener of [pointerdown, click, dblclick, contextmenu]) grid.addEventListener(listener.name, listener);
  document.addEventListener('keydown', () => { pointer = 'keyboard'; }, true);
  document.addEventListener('pointerdown', event => { pointer = event.pointerType; }, true);
  showState();
  showRows();
}

function makeHead() {
  const cells = ['name', 'size', 'changed'].map(column => {
    const cell = el('div', { class: column, role: 'columnheader' },
      el('button', { type: 'button', onclick: () => folder.sortBy(column) }, words.columns[column], icon('arrow')));
    heads.set(column, cell);
    return cell;
  });
  return el('div', { class: 'head', role: 'rowgroup', onmousedown: event => event.preventDefault() }, el('div', { class: 'line', role: 'row', 'aria-rowindex': '1' },
    cells, el('div', { class: 'more', role: 'columnheader' }, el('span', { class: 'unseen' }, words.columns.more))));
}

const showState = () => grid.setAttribute('aria-busy', folder.state === 'loading');

function showRows() {
  grid.setAttribute('aria-rowcount', folder.rows.length + 1);
  for (const [column, cell] of heads) {
    cell.setAttribute('aria-sort', folder.column !== column ? 'none' : folder.direction > 0 ? 'ascending' : 'descending');
  }
  const within = canvas.contains(document.activeElement);
  keep();
  scroller.show(folder.rows);
  if (!within || canvas.contains(document.activeElement)) return;
  if (folder.state === 'loading') grid.focus();  /* what comes may stand before these */
  else focusList();
}

const keep = () => { scroller.kept = editing?.address ?? selection.active; };

function refresh() {
  keep();
  scroller.render(true);
}

function makeRow() {
  return el('div', { class: 'row', role: 'row' },
    el('div', { class: 'name', role: 'rowheader' }, icon('file')),
    el('div', { class: 'size', role: 'gridcell' }),
    el('div', { class: 'changed', role: 'gridcell' }),
    el('div', { class: 'more', role: 'gridcell' }, bare('', 'more', null, { tabindex: '-1', 'aria-haspopup': 'menu', 'aria-expanded': 'false' })));
}

function bindRow(row, entry, index) {
  const { address } = entry;
  const edited = editing?.address === address;
  row.setAttribute('aria-rowindex', index + 2);
  row.setAttribute('aria-selected', selection.has(address));
  row.tabIndex = address === currentAddress() ? 0 : -1;
  row.classList.toggle('cut-out', dimmed.has(address));
  row.classList.toggle('edited', edited);
  if (row.entry === entry && row.edited === edited) return;
  const [name, bytes, when, more] = row.children;
  Object.assign(row, { entry, edited });
  row.dataset.type = entry.type;
  setIcon(name.firstChild, iconOf(entry));
  name.replaceChildren(name.firstChild, ...(edited ? [editing.box] : nameOf(entry)));
  name.title = visible(entry.name);
  bytes.textContent = entry.type === 'file' ? size(entry.size) : '';
  when.textContent = entry.draft ? '' : changed(entry.mtime);
  more.hidden = Boolean(entry.draft);
  more.firstChild.setAttribute('aria-label', words.moreAbout(entry.name));
}

/* A search's names are paths. */
function nameOf(entry) {
  const parts = [nameElement(entry.name.slice(entry.name.lastIndexOf('/') + 1), true)];
  if (entry.link) parts.push(icon('link'), el('span', { class: 'unseen' }, words.isLink));
  if (folder.search) parts.push(el('bdi', { class: 'place' }, words.place(textOf(parentOf(entry.address)))));
  return parts;
}

/* What Tab leads to. */
const currentAddress = () => (folder.find(selection.active) ?? folder.rows[0])?.address;

export const entryAt = target => target.closest?.('.row')?.entry;

export function dim(addresses) {
  dimmed = new Set(addresses);
  refresh();
}

export function focusList() {
  const address = currentAddress();
  if (address === undefined) {
    grid.focus();
    return;
  }
  if (selection.active !== address) selection.moveTo(address);
  scroller.scrollTo(folder.indexOf(address));
  scroller.element(address).focus({ preventScroll: true });
}

export const listHasFocus = () => grid.contains(document.activeElement);

/* `step` rows on, or pages. reach: selects all between; alone: selects nothing. */
export function go(step, { page, reach, alone }) {
  const { rows } = folder;
  if (rows.length === 0) return;
  const at = folder.indexOf(selection.active);
  const far = at < 0 && step === 1 ? 0 : at + step * (page ? Math.max(1, Math.floor(scroller.high / ROW_PX) - 1) : 1);
  const { address } = rows[Math.max(0, Math.min(rows.length - 1, far))];
  if (reach) selection.reach(address, alone);
  else if (alone) selection.moveTo(address);
  else selection.only(address);
  focusList();
}

let typed = '';
let typedAt = -TYPING_MS;

export const isTyping = () => performance.now() - typedAt < TYPING_MS;

export const endTyping = () => { typedAt = -TYPING_MS; };

export function typeAhead(letter) {
  const more = isTyping();
  typed = ((more ? typed : '') + letter).toLocaleLowerCase();
  typedAt = performance.now();
  const from = Math.max(0, folder.indexOf(selection.active)) + (more ? 0 : 1);
  const found = [...folder.rows.slice(from), ...folder.rows.slice(0, from)].find(row => row.name.toLocaleLowerCase().startsWith(typed));
  if (!found) return;
  selection.only(found.address);
  focusList();
}

export const leaving = () => ({ active: selection.active, top: grid.scrollTop });

/* Fingers get nothing selected: their taps would add to it instead of opening. */
export function restore({ active, top, select }) {
  grid.scrollTop = top;
  scroller.render();
  if (!folder.find(active)) return;
  scroller.scrollTo(folder.indexOf(active));
  if (select && pointer !== 'touch') selection.only(active);
}

let press = null;  /* a finger that rests */

function pointerdown(event) {
  const row = event.target.closest('.row');
  clearTimeout(press?.timer);
  press = null;
  if (!row || row.edited) return;
  row.draggable = event.pointerType === 'mouse' && calls.mayDrag();
  if (event.pointerType === 'mouse' || event.target.closest('.more')) return;
  press = { x: event.clientX, y: event.clientY, timer: setTimeout(() => longPress(row), LONG_PRESS_MS) };
  for (const what of ['pointermove', 'pointerup', 'pointercancel']) grid.addEventListener(what, pressMoves);
}

function pressMoves({ type, clientX, clientY }) {
  if (type === 'pointermove' && press && Math.hypot(clientX - press.x, clientY - press.y) < 10) return;
  clearTimeout(press?.timer);
  for (const what of ['pointermove', 'pointerup', 'pointercancel']) grid.removeEventListener(what, pressMoves);
}

/* By our clock or the browser's contextmenu. */
function longPress(row) {
  if (!press || press.done) return;
  press.done = true;
  selection.toggle(row.entry.address);
}

function click(event) {
  const row = event.target.closest('.row');
  const pressed = press?.done;
  const more = event.target.closest('.more button');
  press = null;
  if (event.target.closest('.head') || pressed || row?.edited || row?.entry.draft) return;
  if (!row) {
    selection.clear();
    return;
  }
  const { address } = row.entry;
  const ctrl = event.ctrlKey || event.metaKey;
  if (more) menuOf(row.entry, { under: more });
  else if (pointer === 'touch' || pointer === 'pen') {
    if (selection.size > 0) selection.toggle(address);
    else calls.open(row.entry);
  } else {
    if (event.shiftKey) selection.reach(address, ctrl);
    else if (ctrl) selection.toggle(address);
    else selection.only(address);
    focusList();
  }
}

function dblclick(event) {
  const entry = entryAt(event.target);
  if (!entry || entry.draft || pointer !== 'mouse' || event.target.closest('.more, input') || event.shiftKey || event.ctrlKey || event.metaKey) return;
  calls.open(entry);
}

function contextmenu(event) {
  if (event.target.closest('input, .head')) return;
  event.preventDefault();
  const row = event.target.closest('.row');
  if (row?.entry.draft) return;
  if (pointer === 'touch') {
    if (row) longPress(row);
    return;
  }
  if (pointer === 'keyboard') menuByKey();
  else menuOf(row?.entry, { x: event.clientX, y: event.clientY });
}

function menuOf(entry, place) {
  if (!entry) selection.clear();
  else if (!selection.has(entry.address)) selection.only(entry.address);
  calls.menu(entry, place);
}

export function menuByKey() {
  const address = currentAddress();
  menuOf(folder.find(address), { under: scroller.element(address) ?? grid });
}

/* A field in the row, and beside it what was wrong with an earlier try. commit(text, byKey) returns null or
 * what is wrong with the text. */
export function edit(address, name, { commit, cancel, wrong }) {
  endEdit();
  const hint = el('p', { class: 'hint', id: 'name-hint', role: 'alert' });
  const field = el('input', { type: 'text', value: name, 'aria-label': words.newName, 'aria-describedby': 'name-hint', autocomplete: 'off', spellcheck: 'false' });
  editing = { address, box: el('div', { class: 'edit' }, field, hint), field, hint, commit, cancel };
  field.addEventListener('keydown', editKey);
  field.addEventListener('blur', () => finishEdit(false));
  refresh();
  scroller.scrollTo(folder.indexOf(address));
  field.focus();
  field.setSelectionRange(0, splitEnding(name)[0].length);
  if (wrong) showWrong(wrong);
}

function showWrong(wrong) {
  editing.hint.textContent = wrong;
  editing.field.setAttribute('aria-invalid', 'true');
  editing.hint.scrollIntoView({ block: 'nearest' });
}

function editKey(event) {
  event.stopPropagation();
  if (event.key === 'Enter') finishEdit(true);
  else if (event.key === 'Escape') {
    endEdit().cancel();
    focusList();
  } else return;
  event.preventDefault();
}

function endEdit() {
  const ended = editing;
  editing = null;
  if (ended) refresh();
  return ended;
}

/* Where the field was left, a name that will not do is forgotten instead of insisted on. */
function finishEdit(byKey) {
  if (!editing || editing.ending) return;
  const { field, commit, cancel } = editing;
  editing.ending = true;  /* commit may take the focus away */
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
