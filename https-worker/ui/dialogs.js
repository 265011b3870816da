/* dialogs.js: what stands above the page: questions, menus, short messages. */
import { announce, bare, button, byId, el, icon } from './dom.js';
import { words } from './strings.js';

/* {id, checked}, or null when it was closed without a choice. The `main` choice has the focus (what is `wide`
 * is read first). check: the label of a box to tick. insist(close): only the caller closes it. */
export async function choose({ title, text, body, choices, check, insist, wide }) {
  const box = check && el('input', { type: 'checkbox' });
  let picked = null;
  const dialog = el('dialog', { 'aria-labelledby': 'dialog-title', class: wide && 'wide' },
    el('h2', { id: 'dialog-title', tabindex: '-1', autofocus: wide }, title), text && el('p', {}, text), body,
    check && el('label', { class: 'check' }, box, check),
    el('div', { class: 'choices' }, choices.map(({ id, label, main, link }) => (link
      ? el('a', { class: 'button main', href: link, target: '_blank', rel: 'noopener', autofocus: true }, label)
      : el('button', { type: 'button', class: main ? 'main' : 'plain', autofocus: main && !wide, onclick: () => { picked = id; dialog.close(); } }, label)))));
  insist?.(() => dialog.close());
  dialog.addEventListener('cancel', event => { if (insist) event.preventDefault(); });
  document.body.append(dialog);
  dialog.showModal();
  await new Promise(done => dialog.addEventListener('close', done));
  dialog.remove();
  return picked && { id: picked, checked: Boolean(box?.checked) };
}

const SHOWN_MS = 6000;

/* stays: until its owner closes it. trouble: until it is closed by hand. */
export function toast(text, { label, run, stays, trouble = false } = {}) {
  const close = () => {
    clearTimeout(timer);
    if (note.contains(document.activeElement)) document.querySelector('.row[tabindex="0"]')?.focus();
    note.remove();
  };
  const note = el('div', { class: 'toast' }, el('p', {}, text),
    label && button(label, null, () => { close(); run(); }), !stays && bare(words.close, 'close', close));
  const timer = stays || trouble ? null : setTimeout(close, SHOWN_MS);
  byId('toasts').append(note);
  announce(label ? `${text} ${words.canUndo}` : text, trouble);
  return close;
}

let open = null;

export const isAbove = () => open !== null || document.querySelector('dialog[open]') !== null;

/* items: {label, icon, keys, run, checked, danger}, {heading}, or '-'. place: {under: element} or {x, y}. */
export function showMenu(items, place, label) {
  closeMenu();
  const before = document.activeElement;
  const menu = el('div', { class: 'menu', role: 'menu', popover: 'auto', 'aria-label': label, tabindex: '-1', onkeydown: menuKey }, items.map(makeItem));
  const expanded = is => place.under?.hasAttribute('aria-expanded') && place.under.setAttribute('aria-expanded', is);
  menu.addEventListener('toggle', event => {
    if (event.newState !== 'closed') return;
    const focused = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (open === menu) open = null;
    expanded(false);
    if (focused) before?.focus();
  });
  document.querySelector('main').append(menu);
  menu.showPopover();
  open = menu;
  expanded(true);
  position(menu, place);
  (menu.querySelector('[aria-checked="true"]') ?? menu.querySelector('[role^="menuitem"]')).focus();
}

const closeMenu = () => open?.hidePopover();

function makeItem(item) {
  if (item === '-') return el('hr');
  if (item.heading) return el('p', { class: 'heading', role: 'presentation' }, item.heading);
  const one = 'checked' in item;
  return el('button', {
    type: 'button', class: item.danger && 'danger', tabindex: '-1', role: one ? 'menuitemradio' : 'menuitem', 'aria-checked': one && String(item.checked),
    onclick: () => { closeMenu(); item.run(); },
  }, one && !item.checked ? el('span', { class: 'icon' }) : icon(one ? 'check' : item.icon), el('span', {}, item.label), item.keys && el('kbd', {}, item.keys));
}

/* Inside of the window, towards where there is room. */
function position(menu, { under, x, y }) {
  const { width, height } = menu.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const box = under?.getBoundingClientRect() ?? { right: x + width, bottom: y - 4, top: y + 4 };
  const fits = box.bottom + 4 + height <= clientHeight - 8;
  menu.style.left = `${Math.max(8, Math.min(box.right - width, clientWidth - width - 8))}px`;
  menu.style.top = `${fits ? box.bottom + 4 : Math.max(8, box.top - 4 - height)}px`;
}

function menuKey(event) {
  const { key } = event;
  const items = [...event.currentTarget.querySelectorAll('[role^="menuitem"]')];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[key];
  event.stopPropagation();
  if (key === 'Tab' || key === 'Escape') closeMenu();
  else if (to !== undefined) items[to % items.length].focus();
  else if (/^\S$/.test(key) && !event.ctrlKey && !event.metaKey) {
    [...items.slice(at + 1), ...items].find(item => item.textContent.toLowerCase().startsWith(key.toLowerCase()))?.focus();
  } else return;
  event.preventDefault();
}
