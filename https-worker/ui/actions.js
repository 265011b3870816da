/* actions.js: all that can be done with entries and with the open folder: one table, from which the bar, the
 * menus and the keys are made. What the account may not do is in none of them. */
import * as api from './api.js';
import { showMenu, toast } from './dialogs.js';
import { bare, button, byId, el } from './dom.js';
import { folder, made, may, moved, movedTo } from './folder.js';
import { edit, focusList, listHasFocus } from './list.js';
import { canPaste, clipboard, cut, cutEntries, paste, remove, settle } from './move.js';
import { goTo, href } from './router.js';
import { selection } from './selection.js';
import { canPickFolders, pickFiles, pickFolder, transfers } from './transfers.js';
import { words } from './strings.js';
import { join, lastPart, parentOf, size, toApiBase64 } from './text.js';
import { toggleTree, treeFits, treeIsShown } from './tree.js';

const NONE = 0;
const ONE = 1;
const SOME = 2;

/* [id, icon, for how many entries (none: the folder), when it is there, what it does, {main: stays in a narrow
 * bar, menu: only there}] */
const ACTIONS = [
  ['open', 'folder', ONE, ([entry]) => entry.type === 'folder', ([entry]) => open(entry), { keys: 'Enter', menu: true }],
  ['preview', 'eye', ONE, ([entry]) => entry.type !== 'folder', ([entry]) => open(entry), { keys: 'Enter' }],
  ['download', 'download', SOME, () => may('read'), download, { main: true }],
  ['rename', 'rename', ONE, () => may('rename') && !folder.search, ([entry]) => rename(entry), { keys: 'F2' }],
  ['cut', 'cut', SOME, () => may('rename'), cut, { keys: 'Ctrl+X' }],
  ['show', 'folder', ONE, () => folder.search, ([entry]) => goTo(href(parentOf(entry.address), { at: lastPart(entry.address) })), {}],
  ['delete', 'delete', SOME, () => may('delete'), remove, { keys: 'Del', main: true, danger: true }],
  ['upload', 'upload', NONE, () => may('write'), () => upload(pickFiles), { main: true }],
  ['uploadFolder', 'folder-up', NONE, () => may('write') && may('mkdir') && canPickFolders, () => upload(pickFolder), { main: true }],
  ['newFolder', 'folder-plus', NONE, () => may('mkdir') && !folder.search, () => newFolder(), { main: true }],
  ['paste', 'paste', NONE, () => may('rename') && !folder.search && canPaste(), paste, { keys: 'Ctrl+V', main: true }],
  ['again', 'retry', NONE, () => may('list'), () => reload(), { menu: true }],
].map(([id, sign, count, when, run, more]) => ({ id, sign, count, when, run, ...more }));

const labelOf = ({ id }) => (id === 'paste' ? words.pasteHere(cutEntries().length) : words.actions[id]);

/* entries []: the folder's. */
const available = entries => ACTIONS.filter(({ count, when }) =>
  (entries.length === 0 ? count === NONE : count === SOME || (count === ONE && entries.length === 1)) && when(entries));

/* What is selected, or else the row that the keyboard is on. */
export const meant = () => (selection.size > 0 ? selection.entries() : [folder.find(selection.active)].filter(Boolean));

/* Only what is there now. */
export function act(id, entries = meant()) {
  const given = ACTIONS.find(action => action.id === id).count === NONE ? [] : entries;
  const action = available(given).find(one => one.id === id);
  action?.run(given);
  return Boolean(action);
}

export const open = entry => goTo(entry.type === 'folder' ? href(entry.address) : href(folder.address, { find: folder.search, show: partOf(entry) }));

/* The entry's address below the open folder. */
export const partOf = ({ address }) => address.slice(join(folder.address, '').length);

export const reload = () => folder.load(folder.address, folder.search, true);

async function upload(pick) {
  const into = folder.address;
  transfers.add(await pick(), into);
}

let bar;
let painted = '';

export function startActions() {
  bar = byId('commands');
  bar.setAttribute('aria-label', words.commands);
  for (const source of [selection, folder, clipboard]) source.addEventListener('change', paint);
  for (const source of [folder, treeFits]) source.addEventListener(source === folder ? 'state' : 'change', paint);
  bar.addEventListener('mousedown', event => event.preventDefault());  /* the focus stays in the list */
  paint();
}

function paint() {
  const entries = selection.entries();
  const actions = available(entries).filter(action => !action.menu);
  const bytes = entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);
  const now = JSON.stringify([actions.map(labelOf), entries.length, bytes, treeFits.matches]);
  if (now === painted) return;
  painted = now;
  const focused = bar.contains(document.activeElement) && document.activeElement.dataset.action;
  bar.classList.toggle('of-selection', entries.length > 0);
  bar.replaceChildren(...(entries.length > 0 ? ofSelection(entries, bytes) : ofFolder()), ...actions.map(make), ...(entries.length > 0 ? [overflow()] : []));
  if (focused) (bar.querySelector(`[data-action="${focused}"]`) ?? bar.firstChild)?.focus();
}

function ofFolder() {
  const tree = bare(words.showTree, 'sidebar', () => {
    toggleTree();
    tree.setAttribute('aria-pressed', treeIsShown());
  }, { 'aria-pressed': String(treeIsShown()), 'data-action': 'tree' });
  return treeFits.matches ? [tree] : [];
}

const ofSelection = (entries, bytes) => [
  bare(words.clearSelection, 'close', () => { selection.clear(); focusList(); }, { 'data-action': 'clear' }),
  el('p', { class: 'marks' }, el('strong', {}, words.selected(entries.length)), bytes > 0 && el('span', {}, size(bytes))),
];

const overflow = () => bare(words.actions.more, 'more', event => showActions(selection.entries(), { under: event.currentTarget }),
  { class: 'bare overflow', 'aria-haspopup': 'menu', 'aria-expanded': 'false', 'data-action': 'more' });

const make = action => button(labelOf(action), action.sign, () => act(action.id), {
  class: `${action.id === 'upload' ? 'main' : 'plain'} ${action.main ? 'main-action' : 'side-action'}`,
  'data-action': action.id, title: action.keys ? `${labelOf(action)} (${action.keys})` : labelOf(action),
});

export function showActions(entries, place) {
  const items = available(entries).map(action => ({ label: labelOf(action), icon: action.sign, keys: action.keys, danger: action.danger, run: () => act(action.id, entries) }));
  if (items.length > 0) showMenu(items, place, words.actionsFor(entries.map(entry => entry.name)));
}

/* For an empty folder. */
export const offers = () => available([]).filter(action => /^(upload|newF)/.test(action.id)).map(make);

export const actionKeys = () => ACTIONS.filter(({ keys }) => keys && keys !== 'Enter').map(({ id, keys }) => [keys, words.actions[id]]);

async function download(entries) {
  const [first] = entries;
  if (entries.length > 1 || first.type === 'folder') {
    downloadZip(entries);
    return;
  }
  try {
    await api.check(first.address);
    el('a', { href: api.fileAddress(first.address), download: '' }).click();
  } catch (error) {
    toast(words.notDownloaded(first.name, api.expect(error)), { trouble: true });
  }
}

/* Only what a form or a link asks for goes straight to the disk. A document in the frame is a refusal. A form
 * would change names that are no text or have line breaks: they go as base64. */
function downloadZip(entries) {
  const field = (name, value) => el('input', { type: 'hidden', name, value });
  const form = el('form', { method: 'post', action: '/api/zip', target: 'downloads', hidden: true },
    field('csrf', api.token()), field('folder_raw', toApiBase64(folder.address)), entries.map(entry => field('name_raw', toApiBase64(partOf(entry)))));
  byId('downloads').onload = () => toast(words.notZipped, { trouble: true });
  document.body.append(form);
  form.submit();
  form.remove();
}

/* What is wrong with it in the open folder, or null. */
function wrongName(text, address) {
  if (text.includes('/')) return words.nameWithSlash;
  if (/^\.\.?$/.test(text)) return words.nameReserved;
  if (new TextEncoder().encode(text).length > 255) return words.nameTooLong;
  const other = folder.find(addressOf(text));
  return other && other.address !== address ? words.nameTaken(text) : null;
}

const addressOf = text => join(folder.address, encodeURIComponent(text));

/* Who is still at the keyboard in that folder has the field back, others are told. */
function refused(error, text, into, byKey, again) {
  const wrong = api.expect(error).code === 'exists' ? words.nameTaken(text) : words.trouble(error);
  if (byKey && listHasFocus() && into === folder.address && !folder.search) again(wrong);
  else toast(wrong, { trouble: true });
}

function rename(entry, text = entry.name, wrong = '') {
  const commit = (typed, byKey) => {
    if (typed === '' || typed === entry.name) return null;
    const bad = wrongName(typed, entry.address);
    if (bad === null) renameTo(entry, typed, byKey);
    return bad;
  };
  edit(entry.address, text, { commit, cancel: () => {}, wrong });
}

function swap(before, after) {
  folder.drop([before.address]);
  folder.add([after]);
  if (folder.find(after.address)) selection.only(after.address);
}

async function renameTo(entry, text, byKey) {
  const after = movedTo(entry, addressOf(text), text);
  const into = folder.address;
  swap(entry, after);
  try {
    await settle([after.address]);
    await api.rename(entry.address, after.address);
    moved(entry, after);
  } catch (error) {
    swap(after, entry);
    refused(error, text, into, byKey, wrong => rename(entry, text, wrong));
  }
}

const DRAFT = '//new-folder';  /* no address of the server's */

function newFolder(text = words.newFolderName, wrong = '') {
  folder.setDraft({ draft: true, address: DRAFT, name: '', type: 'folder', size: 0, mtime: 0 });
  const commit = (typed, byKey) => {
    const bad = wrongName(typed, null);
    if (bad !== null) return bad;
    folder.setDraft(null);
    if (typed !== '') makeFolder(typed, byKey);
    return null;
  };
  edit(DRAFT, text, { commit, cancel: () => folder.setDraft(null), wrong });
}

async function makeFolder(text, byKey) {
  const entry = { name: text, type: 'folder', size: 0, mtime: Date.now() / 1000, address: addressOf(text) };
  const into = folder.address;
  folder.add([entry]);
  selection.only(entry.address);
  try {
    await settle([entry.address]);
    await api.makeFolder(entry.address);
    made([entry]);
  } catch (error) {
    folder.drop([entry.address]);
    refused(error, text, into, byKey, again => newFolder(text, again));
  }
}
