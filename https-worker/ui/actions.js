/* actions.js: everything that can be done with entries and with the open folder: one table, from which the
 * bar, the menus and the keys are made. What the account may not do is in none of them. */
import * as api from './api.js';
import { made, moved, movedTo } from './changes.js';
import { el } from './dom.js';
import { folder } from './folder.js';
import { edit, focusList, listHasFocus } from './list.js';
import { canPaste, cut, cutEntries, paste } from './move.js';
import { encodeText, join, parentOf, toApi } from './names.js';
import { remove, settle } from './remove.js';
import { goTo, href } from './router.js';
import { selection } from './selection.js';
import { may, mayAll } from './session.js';
import { canPickFolders, pickFiles, pickFolder } from './sources.js';
import { words } from './strings.js';
import { toast } from './toasts.js';
import { transfers } from './transfers.js';

/* with: the number of entries it is for ('one', 'some', or 'none' for the folder itself). when(entries)
 * tells whether it is there. main: it stays in the bar of a narrow window. keys and shortcut: as people
 * read them, and as ARIA has them. */
export const ACTIONS = [
    { id: 'open', with: 'one', icon: 'folder', keys: 'Enter', shortcut: 'Enter', when: ([entry]) => entry.type === 'folder', run: ([entry]) => open(entry), menuOnly: true },
    { id: 'preview', with: 'one', icon: 'eye', keys: 'Enter', shortcut: 'Enter', when: ([entry]) => entry.type !== 'folder', run: ([entry]) => open(entry) },
    { id: 'download', with: 'some', icon: 'download', when: entries => mayAll('read', entries), run: download, main: true },
    { id: 'rename', with: 'one', icon: 'rename', keys: 'F2', shortcut: 'F2', when: ([entry]) => may('rename', entry) && !folder.search, run: ([entry]) => rename(entry) },
    { id: 'cut', with: 'some', icon: 'cut', keys: 'Ctrl+X', shortcut: 'Control+X', when: entries => mayAll('rename', entries), run: cut },
    { id: 'show', with: 'one', icon: 'folder', when: () => folder.search !== '', run: ([entry]) => showInFolder(entry) },
    { id: 'delete', with: 'some', icon: 'delete', keys: 'Del', shortcut: 'Delete', when: entries => mayAll('delete', entries), run: remove, main: true, danger: true },
    { id: 'upload', with: 'none', icon: 'upload', when: () => may('write'), run: () => upload(pickFiles()), main: true },
    { id: 'uploadFolder', with: 'none', icon: 'folder-up', when: () => may('write') && may('mkdir') && canPickFolders, run: () => upload(pickFolder()), main: true },
    { id: 'newFolder', with: 'none', icon: 'folder-plus', when: () => may('mkdir') && !folder.search, run: newFolder, main: true },
    { id: 'paste', with: 'none', icon: 'paste', keys: 'Ctrl+V', shortcut: 'Control+V', when: () => may('rename') && !folder.search && canPaste(), run: paste, main: true, label: () => words.pasteHere(cutEntries().length) },
    { id: 'again', with: 'none', icon: 'retry', when: () => may('list'), run: () => reload(), menuOnly: true },
];

const byId = new Map(ACTIONS.map(action => [action.id, action]));

export const labelOf = action => action.label?.() ?? words.actions[action.id];

/* The actions for these entries, or for the folder ([]). */
export function available(entries) {
    const kind = entries.length === 0 ? ['none'] : entries.length === 1 ? ['one', 'some'] : ['some'];
    return ACTIONS.filter(action => kind.includes(action.with) && action.when(entries));
}

/* What is selected, or else the row that the keyboard is on. */
export function meant() {
    return selection.size > 0 ? selection.entries() : [folder.find(selection.active)].filter(Boolean);
}

/* Does it, if it is there now. */
export function act(id, entries = meant()) {
    const action = byId.get(id);
    const given = action.with === 'none' ? [] : entries;
    if (!available(given).includes(action)) return false;
    action.run(given);
    return true;
}

export function open(entry) {
    if (entry.type === 'folder') goTo(href(entry.address));
    else goTo(href(folder.address, { find: folder.search, show: partOf(entry) }));
}

/* The entry's address below the open folder. */
export const partOf = entry => entry.address.slice(folder.address === '/' ? 1 : folder.address.length + 1);

function showInFolder(entry) {
    const parent = parentOf(entry.address);
    wanted = { folder: parent, address: entry.address };
    goTo(href(parent));
}

let wanted = null;

/* The entry that is to be selected in a folder that is being opened, or null. */
export function takeWanted(address) {
    const found = wanted?.folder === address ? wanted.address : null;
    wanted = null;
    return found;
}

export const reload = () => folder.load(folder.address, folder.search, { quiet: true });

async function upload(picking) {
    const into = folder.address;
    transfers.add(await picking, into);
}

/* ---- downloads ---- */

async function download(entries) {
    try {
        if (entries.length > 1 || entries[0].type === 'folder') downloadZip(entries);
        else await downloadFile(entries[0]);
    } catch (trouble) {
        if (!(trouble instanceof api.Trouble)) throw trouble;
        toast(words.notDownloaded(entries[0].name, trouble), { trouble: true });
    }
}

async function downloadFile(entry) {
    await api.check(entry.address);
    const link = el('a', { href: api.fileAddress(entry.address), download: '' });
    document.body.append(link);
    link.click();
    link.remove();
}

/* A form, because only what a form or a link asks for goes straight to the disk. Its answer is for a frame
 * nobody sees: a document in there is the server's refusal, and all that can be known of it. Names are text,
 * or base64 of their bytes where they are none. */
function downloadZip(entries) {
    const frame = document.getElementById('downloads');
    const field = (name, value) => el('input', { type: 'hidden', name, value });
    const named = (name, address) => {
        const text = toApi(address);
        return text.raw ? field(name + '_raw', text.raw) : field(name, text);
    };
    const form = el('form', { method: 'post', action: '/api/zip', target: 'downloads', hidden: true },
        field('csrf', api.csrfToken()), named('folder', folder.address), entries.map(entry => named('name', partOf(entry))));
    frame.onload = () => toast(words.notZipped, { trouble: true });
    document.body.append(form);
    form.submit();
    form.remove();
}

/* ---- names ---- */

/* What is wrong with a text as a name in the open folder, or null. */
function wrongName(text, address) {
    if (text.includes('/')) return words.nameWithSlash;
    if (text === '.' || text === '..') return words.nameReserved;
    if (new TextEncoder().encode(text).length > 255) return words.nameTooLong;
    const other = folder.find(join(folder.address, encodeText(text)));
    return other && other.address !== address ? words.nameTaken(text) : null;
}

/* The name changes in the list at once; where the server refuses, it is as before, and the field is back. */
function rename(entry, text = entry.name, wrong = '') {
    const commit = (typed, byKey) => {
        if (typed === '' || typed === entry.name) return null;
        const bad = wrongName(typed, entry.address);
        if (bad === null) renameTo(entry, typed, byKey);
        return bad;
    };
    edit(entry.address, text, { commit, cancel: () => {}, wrong });
}

async function renameTo(entry, text, byKey) {
    const to = join(parentOf(entry.address), encodeText(text));
    const after = movedTo(entry, to, text);
    folder.drop([entry.address]);
    folder.add([after]);
    selection.only(to);
    try {
        await settle([to]);
        await api.rename(entry.address, to);
        moved(entry, after);
    } catch (trouble) {
        if (!(trouble instanceof api.Trouble)) throw trouble;
        folder.drop([to]);
        folder.add([entry]);
        selection.only(entry.address);
        refused(byKey, entry, trouble.code === 'exists' ? words.nameTaken(text) : words.trouble(trouble), wrong => rename(entry, text, wrong));
    }
}

/* Whoever is still in the folder and at the keyboard gets the field back, others are told. */
function refused(byKey, entry, wrong, again) {
    if (byKey && listHasFocus() && parentOf(entry.address) === folder.address && !folder.search) again(wrong);
    else toast(wrong, { trouble: true });
}

const DRAFT = '//new-folder';           /* no address of the server's */

function newFolder(text = words.newFolderName, wrong = '') {
    folder.setDraft({ draft: true, address: DRAFT, name: '', type: 'folder', size: 0, mtime: 0 });
    const commit = (typed, byKey) => {
        const bad = typed === '' ? null : wrongName(typed, null);
        if (bad !== null) return bad;
        folder.setDraft(null);
        if (typed !== '') makeFolder(typed, byKey);
        return null;
    };
    edit(DRAFT, text, { commit, cancel: () => folder.setDraft(null), wrong });
}

async function makeFolder(text, byKey) {
    const address = join(folder.address, encodeText(text));
    const entry = { name: text, type: 'folder', size: 0, mtime: Date.now() / 1000, address };
    folder.add([entry]);
    selection.only(address);
    if (byKey) focusList();
    try {
        await settle([address]);
        await api.makeFolder(address);
        made([entry]);
    } catch (trouble) {
        if (!(trouble instanceof api.Trouble)) throw trouble;
        folder.drop([address]);
        const taken = trouble.code === 'exists';
        refused(byKey, entry, taken ? words.nameTaken(text) : words.trouble(trouble), wrong => newFolder(text, wrong));
    }
}
