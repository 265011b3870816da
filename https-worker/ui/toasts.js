/* toasts.js: short messages low on the page, with at most one thing to do about each. */
import { button, el, announce } from './dom.js';
import { words } from './strings.js';

const SHOWN_MS = 6000;

let region;

export function startToasts() {
    region = document.getElementById('toasts');
    region.setAttribute('aria-label', words.messages);
}

/* stays: until its owner closes it. trouble: stays until it is closed by hand, and is said at once. */
export function toast(text, { label = null, run = null, stays = false, trouble = false } = {}) {
    const close = () => {
        clearTimeout(timer);
        if (note.contains(document.activeElement)) document.querySelector('.grid .row[tabindex="0"]')?.focus();
        note.remove();
    };
    const note = el('div', { class: trouble ? 'toast trouble' : 'toast' }, el('p', {}, text),
        label && button(label, null, () => { close(); run(); }),
        (trouble || !stays) && button(words.close, 'close', close, { bare: true }));
    const timer = stays || trouble ? null : setTimeout(close, SHOWN_MS);
    region.append(note);
    announce(label ? `${text} ${words.canUndo}` : text, trouble);
    return { close };
}
