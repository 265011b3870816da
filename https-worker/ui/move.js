/* move.js: moving entries to another folder: cut here and paste there, or dragged onto a row, a crumb or
 * a folder of the tree. Names that exist there are asked about, once for all if that is wished. */
import * as api from './api.js';
import { gone, made, movedTo } from './changes.js';
import { Conflicts } from './conflicts.js';
import { announce } from './dom.js';
import { folder } from './folder.js';
import { dim } from './list.js';
import { isInside, join, lastPart, nameOf, numbered, parentOf } from './names.js';
import { settle } from './remove.js';
import { may, mayAll } from './session.js';
import { words } from './strings.js';
import { toast } from './toasts.js';

export const clipboard = new EventTarget();         /* 'change' when something else is cut */

let taken = [];

export const cutEntries = () => taken;

export function cut(entries) {
    taken = entries;
    dim(entries.map(entry => entry.address));
    if (entries.length > 0) announce(words.cutDone(entries.map(entry => entry.name)));
    clipboard.dispatchEvent(new Event('change'));
}

export const canPaste = () => taken.length > 0 && taken.some(entry => fits(entry, folder.address));

export async function paste() {
    const entries = taken;
    cut([]);
    await moveAll(entries, folder.address);
}

/* Not where it is already, and no folder into itself. */
const fits = (entry, into) => parentOf(entry.address) !== into && !isInside(into, entry.address);

export async function moveAll(entries, into) {
    const moving = entries.filter(entry => fits(entry, into));
    const conflicts = new Conflicts();
    const done = [];
    let trouble = null;
    for (const entry of moving) {
        try {
            const to = await moveOne(entry, join(into, lastPart(entry.address)), conflicts);
            if (to !== null) done.push({ entry, to });
        } catch (error) {
            if (!(error instanceof api.Trouble)) throw error;
            trouble = words.notMoved(entry.name, error);
            break;
        }
        if (conflicts.stopped) break;
    }
    gone(done.map(({ entry }) => entry.address));
    made(done.map(({ entry, to }) => movedTo(entry, to, nameOf(to))));
    if (trouble) toast(trouble, { trouble: true });
    if (done.length > 0) toast(words.moved(done.map(({ entry }) => entry.name), into));
}

/* Resolves to the address it has now, or null where it was skipped. */
async function moveOne(entry, wanted, conflicts) {
    let to = wanted;
    let replace = false;
    let canReplace = may('overwrite') && entry.type !== 'folder';
    for (let number = 2; ; number++) {
        await settle([to]);
        try {
            await api.rename(entry.address, to, replace);
            return to;
        } catch (trouble) {
            if (trouble.code !== 'exists' && trouble.code !== 'is_folder') throw trouble;
            canReplace &&= trouble.code === 'exists' && !replace;
        }
        const choice = await conflicts.ask({ name: entry.name, entry, address: wanted, canReplace });
        if (choice === 'skip') return null;
        if (choice === 'replace') replace = true;
        else to = numbered(wanted, number);
    }
}

/* ---- dragging ---- */

const TYPE = 'application/x-sallyport-entries';

let dragged = [];

export const mayDrag = () => may('rename');

export function dragStarts(event, entries) {
    if (!mayAll('rename', entries)) {
        event.preventDefault();
        return;
    }
    dragged = entries;
    event.dataTransfer.effectAllowed = 'move';
    event.dataTransfer.setData(TYPE, '');
    event.dataTransfer.setDragImage(dragPicture(entries), -12, -8);
}

/* What hangs at the mouse: the number of things, or the name of the one. */
function dragPicture(entries) {
    const picture = document.getElementById('drag-picture');
    picture.textContent = words.names(entries.map(entry => entry.name));
    return picture;
}

export const isDragging = event => event.dataTransfer?.types.includes(TYPE) ?? false;

/* An element as a place to drop entries on; addressOf(target) is the folder there, or null. */
export function dropPlace(element, addressOf, lightOf) {
    let lit = null;
    const light = on => {
        if (lit === on) return;
        lit?.classList.remove('drop-here');
        lit = on;
        lit?.classList.add('drop-here');
    };
    const into = event => {
        const address = isDragging(event) ? addressOf(event.target) : null;
        return address !== null && dragged.some(entry => fits(entry, address)) ? address : null;
    };
    element.addEventListener('dragover', event => {
        const address = into(event);
        light(address === null ? null : lightOf(event.target));
        if (address === null) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = 'move';
    });
    element.addEventListener('dragleave', event => { if (!element.contains(event.relatedTarget)) light(null); });
    document.addEventListener('dragend', () => light(null));
    element.addEventListener('drop', event => {
        const address = into(event);
        light(null);
        if (address === null) return;
        event.preventDefault();
        const entries = dragged;
        dragged = [];
        moveAll(entries, address);
    });
}
