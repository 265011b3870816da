/* session.js: who is signed in, what that account may do, and how much room is left. */
import * as api from './api.js';
import { folder } from './folder.js';

export const session = new EventTarget();          /* 'space' when the room is another */

let account = null;

/* As /api/me tells it. */
export const me = () => account;

export async function begin() {
    account = await api.me();
}

/* Whether a right holds: for an entry, where the server said so of it, else for the open folder. */
export function may(right, entry = null) {
    return (entry?.rights ?? folder.rights ?? account.rights).includes(right);
}

export const mayAll = (right, entries) => entries.every(entry => may(right, entry));

let asked = null;

/* After what the page did the room is asked for anew, once for many doings. */
export function spaceChanged() {
    if (!account.space) return;
    clearTimeout(asked);
    asked = setTimeout(async () => {
        try {
            account = await api.me({ anyway: true });
            session.dispatchEvent(new Event('space'));
        } catch {
            /* The next one will tell. */
        }
    }, 1500);
}

/* When the session has ended: true once somebody is signed in again, false when that is another account. */
export async function comeBack() {
    const found = await api.me({ anyway: true });
    if (found.account !== account.account) return false;
    account = found;
    return true;
}
