/* copy.js: a line of text with a button that copies it: checksums, fingerprints, commands. */
import { announce, button, el } from './dom.js';
import { words } from './strings.js';

const SEEN_MS = 1500;

/* label stands before it and is told with the button ("Copy SHA-256"). */
export function copyLine(label, value) {
    const code = el('code', {}, value);
    return el('div', { class: 'copy-line' }, el('span', { class: 'copy-label' }, label), code,
        button(words.copy(label), 'copy', event => copy(event.currentTarget, code, label), { bare: true }));
}

async function copy(pressed, code, label) {
    try {
        await navigator.clipboard.writeText(code.textContent);
    } catch {
        getSelection().selectAllChildren(code);
        announce(words.copyByHand, true);
        return;
    }
    announce(words.copied(label));
    pressed.classList.add('copied');
    setTimeout(() => pressed.classList.remove('copied'), SEEN_MS);
}
