/* breadcrumbs.js: the way to the open folder; each step a link, and a place to drop entries on. Where it
 * is too long for the bar, the steps in the middle go into a menu. */
import { button, el, icon, nameElement } from './dom.js';
import { showMenu } from './menu.js';
import { dropPlace } from './move.js';
import { nameOf, parentOf } from './names.js';
import { goTo, href } from './router.js';
import { words } from './strings.js';

let nav;
let address = '/';                      /* null: what is open is no folder */

export function startBreadcrumbs() {
    nav = document.getElementById('path');
    nav.setAttribute('aria-label', words.path);
    new ResizeObserver(fit).observe(nav);
    const crumb = target => target.closest('a[data-address]');
    dropPlace(nav, target => crumb(target)?.dataset.address ?? null, crumb);
}

export function showPath(to) {
    address = to;
    fit();
}

function steps() {
    const all = [];
    for (let one = address ?? '/'; one !== '/'; one = parentOf(one)) all.unshift(one);
    return ['/', ...all];
}

/* As many of the last steps as there is room for; the first and the last always. */
function fit() {
    const all = steps();
    for (let left = 0; left < Math.max(1, all.length - 1); left++) {
        nav.replaceChildren(el('ol', {}, trail(all, left)));
        if (nav.firstChild.scrollWidth <= nav.clientWidth) return;
    }
}

/* left: how many are left out after the first. */
function trail(all, left) {
    const out = all.slice(1, 1 + left);
    const crumbs = all.map((one, index) => crumb(one, index === all.length - 1));
    const menu = out.length > 0 && el('li', {}, icon('right'), button(words.moreFolders, 'more', event => showMenu(
        out.map(one => ({ label: words.name(nameOf(one)), icon: 'folder', run: () => goTo(href(one)) })),
        { under: event.currentTarget }, words.moreFolders), { bare: true, 'aria-haspopup': 'menu', 'aria-expanded': 'false' }));
    return [crumbs[0], menu, ...crumbs.slice(1 + left)];
}

function crumb(one, last) {
    const label = one === '/' ? [icon('home'), el('span', { class: last ? null : 'top' }, words.top)] : nameElement(nameOf(one));
    const attributes = { href: href(one), 'data-address': one, 'aria-current': last && address !== null ? 'page' : null, 'aria-label': one === '/' ? words.top : null, draggable: 'false' };
    return el('li', {}, one !== '/' && icon('right'), el('a', attributes, label));
}
