/* router.js: the address line. '#/photos/2024' is a folder; '?find=text' below it a search, '?show=NAME'
 * the preview of one of its entries; '#connect' is a page that is no folder. Back and forward, reloading
 * and bookmarks work because nothing else decides what is open. */
import { tidy } from './names.js';

const PAGES = ['connect'];

export function read() {
    const hash = location.hash.slice(1);
    if (PAGES.includes(hash)) return { page: hash, address: '/', find: '', show: null };
    const [path, query = ''] = hash.split('?');
    const asked = new Map(query.split('&').map(part => part.split('=')));
    const show = asked.has('show') ? tidy(asked.get('show')).slice(1) : null;
    return { page: 'files', address: tidy(path), find: decode(asked.get('find') ?? ''), show };
}

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return '';
    }
}

/* show: the address of an entry below the folder, as names.js has it. */
export function href(address, { find = '', show = null } = {}) {
    const asked = [];
    if (find) asked.push('find=' + encodeURIComponent(find));
    if (show !== null) asked.push('show=' + show);
    return '#' + address + (asked.length > 0 ? '?' + asked.join('&') : '');
}

let heard = () => {};

export function onRoute(listener) {
    heard = listener;
    addEventListener('hashchange', listener);
}

/* instead: no step of the way back. */
export function goTo(target, { instead = false } = {}) {
    if (target === location.hash || (location.hash === '' && target === '#/')) heard();
    else if (instead) {
        history.replaceState(null, '', target);
        heard();
    } else location.hash = target;
}
