/* dialogs.js: questions in native dialogs, one at a time: the browser keeps the focus inside and gives it
 * back afterwards. */
import { button, el } from './dom.js';
import { words } from './strings.js';

/* Resolves to {id, checked}, or null when it was closed without a choice. The choice that is `main` has
 * the focus and Enter; one with a `link` opens that in a window of its own and leaves the dialog open.
 * check: the label of a box to tick. insist(close): Escape does nothing, the caller closes it. */
export async function choose({ title, text = null, body = null, choices, check = null, insist = null }) {
    const box = check && el('input', { type: 'checkbox' });
    let picked = null;
    const buttons = choices.map(({ id, label, main, link }) => {
        if (link) return el('a', { class: 'button main', href: link, target: '_blank', rel: 'noopener', autofocus: true }, label);
        return el('button', { type: 'button', class: main ? 'main' : 'plain', autofocus: main, onclick: () => { picked = id; dialog.close(); } }, label);
    });
    const dialog = el('dialog', { 'aria-labelledby': 'dialog-title' },
        el('h2', { id: 'dialog-title' }, title), text && el('p', {}, text), body,
        check && el('label', { class: 'check' }, box, check),
        el('div', { class: 'choices' }, buttons));
    if (insist) {
        dialog.addEventListener('cancel', event => event.preventDefault());
        insist(() => dialog.close());
    }
    await shown(dialog);
    return picked && { id: picked, checked: Boolean(box?.checked) };
}

/* Something to read; closes by its button, Escape, or a click outside. */
export function tell({ title, body, wide = false }) {
    const dialog = el('dialog', { 'aria-labelledby': 'dialog-title', class: wide ? 'wide' : null },
        el('div', { class: 'dialog-head' }, el('h2', { id: 'dialog-title' }, title),
            button(words.close, 'close', () => dialog.close(), { bare: true, autofocus: true })), body);
    dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
    return shown(dialog);
}

export const anyDialog = () => document.querySelector('dialog[open]') !== null;

function shown(dialog) {
    document.body.append(dialog);
    dialog.showModal();
    return new Promise(done => {
        dialog.addEventListener('close', () => {
            dialog.remove();
            done();
        });
    });
}
