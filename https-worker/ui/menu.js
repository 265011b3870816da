/* menu.js: a menu at a point or under a button: a native popover with the roles and keys of a menu.
 * Opened by right click, by the row's ... button, by the menu key, by the account's button. */
import { el, icon } from './dom.js';

let open = null;                        /* {element, opener} */

/* items: {label, icon, keys, run, checked (one of several), danger}, {heading} or '-' for a line.
 * place: {under: element} or {x, y}. */
export function showMenu(items, place, label) {
    closeMenu();
    const opener = document.activeElement;
    const menu = el('div', { class: 'menu', role: 'menu', popover: 'auto', 'aria-label': label, tabindex: '-1' }, items.map(makeItem));
    menu.addEventListener('keydown', menuKey);
    menu.addEventListener('toggle', event => {
        if (event.newState !== 'closed') return;
        const focused = menu.contains(document.activeElement) || document.activeElement === document.body;
        menu.remove();
        if (open?.element === menu) open = null;
        place.under?.setAttribute('aria-expanded', 'false');
        if (focused && opener?.isConnected) opener.focus();
    });
    document.body.append(menu);
    menu.showPopover();
    open = { element: menu, opener };
    if (place.under?.hasAttribute('aria-haspopup')) place.under.setAttribute('aria-expanded', 'true');
    position(menu, place);
    (menu.querySelector('[aria-checked="true"]') ?? menu.querySelector('[role^="menuitem"]'))?.focus();
}

export function closeMenu() {
    open?.element.hidePopover();
}

export const menuIsOpen = () => open !== null;

function makeItem(item) {
    if (item === '-') return el('hr', {});
    if (item.heading) return el('p', { class: 'heading', role: 'presentation' }, item.heading);
    const radio = item.checked !== undefined;
    return el('button', {
        type: 'button', class: item.danger ? 'danger' : null, tabindex: '-1', role: radio ? 'menuitemradio' : 'menuitem',
        'aria-checked': radio ? String(item.checked) : null, 'aria-keyshortcuts': item.shortcut,
        onclick: () => { closeMenu(); item.run(); },
    }, radio && !item.checked ? el('span', { class: 'icon' }) : icon(radio ? 'check' : item.icon), el('span', {}, item.label), item.keys && el('kbd', {}, item.keys));
}

/* Inside of the window, towards where there is room. */
function position(menu, { under, x, y }) {
    const { width, height } = menu.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const high = document.documentElement.clientHeight;
    const box = under?.getBoundingClientRect();
    let left = box ? box.right - width : x;
    let top = box ? box.bottom + 4 : y;
    if (top + height > high - 8) top = Math.max(8, (box ? box.top - 4 : y) - height);
    left = Math.max(8, Math.min(left, wide - width - 8));
    menu.style.left = `${left}px`;
    menu.style.top = `${top}px`;
}

function menuKey(event) {
    const items = [...event.currentTarget.querySelectorAll('[role^="menuitem"]')];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    event.stopPropagation();
    if (event.key === 'Tab') closeMenu();
    else if (to !== undefined) items[to % items.length].focus();
    else if (event.key === 'Escape') closeMenu();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.key !== ' ') {
        const next = items.slice(at + 1).concat(items).find(item => item.textContent.toLowerCase().startsWith(event.key.toLowerCase()));
        next?.focus();
    } else return;
    if (event.key !== 'Tab') event.preventDefault();
}
