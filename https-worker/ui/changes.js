/* changes.js: what the page itself has changed on the server, told once and heard by every view that shows
 * it (folder, tree, preview, room). 'made': entries with their addresses; 'gone': addresses, with all below. */
import { folder } from './folder.js';

export const changes = new EventTarget();

export function made(entries) {
    folder.add(entries);
    changes.dispatchEvent(new CustomEvent('made', { detail: entries }));
}

export function gone(addresses) {
    folder.drop(addresses);
    changes.dispatchEvent(new CustomEvent('gone', { detail: addresses }));
}

/* One entry has another address and name. */
export function moved(entry, after) {
    changes.dispatchEvent(new CustomEvent('moved', { detail: { entry, after } }));
    gone([entry.address]);
    made([after]);
}

/* A folder or file under another address: an entry like it. */
export function movedTo(entry, address, name) {
    const { rank, raw, address: before, name: old, ...same } = entry;
    return { ...same, name, address };
}
