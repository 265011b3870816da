/* search.js: the search field. What is typed is looked for below the open folder after a short pause; the
 * address line holds it, so that going back and reloading find it again. */
import { button, el, icon } from './dom.js';
import { folder } from './folder.js';
import { focusList } from './list.js';
import { goTo, href } from './router.js';
import { words } from './strings.js';

const PAUSE_MS = 300;

let field;
let clear;
let timer = null;

export function startSearch() {
    field = el('input', { type: 'search', id: 'search-field', 'aria-label': words.search, placeholder: words.search, autocomplete: 'off', spellcheck: 'false', 'aria-keyshortcuts': '/' });
    field.addEventListener('input', () => {
        clear.hidden = field.value === '';
        clearTimeout(timer);
        timer = setTimeout(seek, PAUSE_MS);
    });
    field.addEventListener('keydown', key);
    clear = button(words.clearSearch, 'close', end, { bare: true });
    document.getElementById('search').append(icon('search'), field, clear);
    showSearch(folder.search);
}

function end() {
    field.value = '';
    seek();
    focusList();
}

function seek() {
    clearTimeout(timer);
    timer = null;
    const text = field.value.trim();
    if (text === folder.search) return;
    goTo(href(folder.address, { find: text }), { instead: folder.search !== '' && text !== '' });
}

function key(event) {
    event.stopPropagation();
    if (event.key === 'Escape') end();
    else if (event.key === 'Enter' || event.key === 'ArrowDown') {
        seek();
        focusList();
    } else return;
    event.preventDefault();
}

/* The address line says what is looked for; what is being typed is not disturbed. */
export function showSearch(text) {
    if (timer === null && field.value.trim() !== text) field.value = text;
    clear.hidden = field.value === '';
}

export function focusSearch() {
    field.focus();
    field.select();
}
