/* notices.js: what is said about the open folder around its rows: that it is being read, that it is empty
 * and what to do then, that it cannot be read; below, the number of entries and the room that is left. */
import { act, available, labelOf } from './actions.js';
import { announce, button, el, icon } from './dom.js';
import { folder } from './folder.js';
import { size } from './format.js';
import { nameOf } from './names.js';
import { may, me, session } from './session.js';
import { words } from './strings.js';

const PATIENCE_MS = 250;                /* what comes sooner needs no sign that it is coming */

let notice;
let count;
let space;
let line;
let waiting = null;

export function startNotices() {
    [notice, count, space, line] = ['notice', 'count', 'space', 'loading'].map(id => document.getElementById(id));
    folder.addEventListener('state', () => { loading(); paint(); });
    folder.addEventListener('change', paint);
    session.addEventListener('space', paintSpace);
    loading();
    paint();
    paintSpace();
}

function loading() {
    clearTimeout(waiting);
    if (folder.state !== 'loading') {
        line.hidden = true;
        announce(folder.trouble ? words.trouble(folder.trouble) : words.opened(title(), folder.count, folder.search), Boolean(folder.trouble));
    } else waiting = setTimeout(() => { line.hidden = false; }, PATIENCE_MS);
}

/* The open folder's name for people. */
export const title = () => (folder.address === '/' ? words.top : nameOf(folder.address));

function paint() {
    const { state, trouble, draft } = folder;
    const rows = folder.count;
    const busy = state === 'loading';
    count.textContent = busy && rows === 0 ? words.reading : words.counted(busy ? folder.seen : rows, folder.search, size(folder.bytes));
    const empty = rows === 0 && !draft && !busy;
    notice.hidden = !empty && !trouble;
    notice.classList.toggle('whole', empty);
    if (notice.hidden) return;
    notice.replaceChildren(...(trouble ? broken(trouble) : nothing()));
}

function broken(trouble) {
    if (!may('list')) return leaveFiles();
    const again = button(words.tryAgain, 'retry', () => folder.load(folder.address, folder.search));
    return [icon('warning'), el('p', {}, folder.count > 0 ? words.brokeOff(trouble) : words.trouble(trouble)), again];
}

function nothing() {
    if (folder.search) return [icon('search'), el('p', {}, words.nothingFound(folder.search, title()))];
    const actions = offers(['upload', 'uploadFolder', 'newFolder']);
    return [icon('folder'), el('h2', {}, words.empty), actions.length > 0 && el('p', {}, words.emptyHelp), ...actions].filter(Boolean);
}

/* An account that may put files here and not see them. */
const leaveFiles = () => [icon('upload'), el('h2', {}, words.leaveFiles), el('p', {}, words.leaveHelp), ...offers(['upload', 'uploadFolder'])];

const offers = ids => available([]).filter(action => ids.includes(action.id)).map(action =>
    button(labelOf(action), action.icon, () => act(action.id), { class: action.id === 'upload' ? 'main' : 'plain' }));

function paintSpace() {
    const room = me().space;
    space.hidden = !room;
    if (!room) return;
    const used = room.total > 0 ? (room.total - room.free) / room.total : 1;
    space.classList.toggle('little', used > 0.9);
    space.replaceChildren(el('span', {}, words.space(size(room.free), size(room.total))), el('meter', { min: '0', max: '1', high: '0.9', value: String(used), 'aria-label': words.spaceUsed }));
}
