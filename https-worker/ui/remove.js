/* remove.js: deleting, with ten seconds in which it can be undone. What is deleted disappears at once and
 * is held here; the server hears of it when the time is over, when something needs the name, or when the
 * page is left (main.js calls leave()). */
import * as api from './api.js';
import { changes, gone } from './changes.js';
import { folder } from './folder.js';
import { isInside } from './names.js';
import { words } from './strings.js';
import { toast } from './toasts.js';

const HELD_MS = 10_000;
const AT_ONCE = 200;                    /* addresses in one request */

const held = new Set();                 /* {addresses, timer, note} */

export function remove(entries) {
    const addresses = entries.map(entry => entry.address);
    const one = { addresses, timer: setTimeout(() => send(one), HELD_MS), note: null };
    held.add(one);
    folder.hide(addresses);
    one.note = toast(words.deleted(entries.map(entry => entry.name)), { label: words.undo, run: () => undo(one), stays: true });
}

async function undo(one) {
    if (!held.delete(one)) return;
    clearTimeout(one.timer);
    one.note.close();
    await folder.unhide(one.addresses);
    changes.dispatchEvent(new CustomEvent('back', { detail: one.addresses }));
}

/* Ctrl-Z: the last deletion that is still held. */
export function undoLast() {
    const last = [...held].at(-1);
    if (last) undo(last);
    return Boolean(last);
}

async function send(one) {
    if (!held.delete(one)) return;
    clearTimeout(one.timer);
    one.note.close();
    const failed = [];
    for (let at = 0; at < one.addresses.length; at += AT_ONCE) {
        const some = one.addresses.slice(at, at + AT_ONCE);
        try {
            const results = await api.remove(some);
            failed.push(...results.filter(result => result.error !== null));
        } catch (trouble) {
            if (!(trouble instanceof api.Trouble)) throw trouble;
            failed.push(...some.map(address => ({ address, error: words.trouble(trouble) })));
        }
    }
    const bad = new Set(failed.map(result => result.address));
    const done = one.addresses.filter(address => !bad.has(address));
    await folder.unhide([...bad]);
    folder.forget(done);
    gone(done);
    if (failed.length > 0) toast(words.notDeleted(failed), { trouble: true });
}

/* Before something is made under a name: what is held of that name goes first. */
export async function settle(addresses) {
    const waiting = [...held].filter(one => one.addresses.some(gone => addresses.some(address => isInside(address, gone))));
    await Promise.all(waiting.map(send));
}

export const settleAll = () => Promise.all([...held].map(send));

/* The page is being left: what is held is sent by requests that outlive it. */
export function leave() {
    for (const one of held) {
        if (!api.removeOnLeaving(one.addresses)) continue;
        clearTimeout(one.timer);
        one.note.close();
        held.delete(one);
    }
}

/* Whether something is held that is too long to be sent like that: leaving must be asked about. */
export const tooMuchToLeave = () => [...held].some(one => !api.fitsLeaving(one.addresses));
