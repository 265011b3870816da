/* tree.js: where the open folder is: the breadcrumbs, and the folders as a tree, each read when it is opened.
 * Both are places to drop entries on. */
import * as api from './api.js';
import { showMenu } from './dialogs.js';
import { bare, byId, el, icon, nameElement, Scroller, setIcon } from './dom.js';
import { byName, changes, folder } from './folder.js';
import { dropPlace } from './move.js';
import { goTo, href } from './router.js';
import { sorted } from './slices.js';
import { words } from './strings.js';
import { isInside, nameOf, parentOf, visible } from './text.js';

function above(address) {
  const all = [];
  for (let one = address; one !== '/'; one = parentOf(one)) all.unshift(parentOf(one));
  return all;
}

const label = address => (address === '/' ? words.top : nameOf(address));

let nav;
let way = [];
let isFolder = true;

export function startPath() {
  nav = byId('path');
  nav.setAttribute('aria-label', words.path);
  new ResizeObserver(fit).observe(nav);
  dropPlace(nav, target => {
    const crumb = target.closest('a');
    return crumb && [crumb, crumb.dataset.address];
  });
}

/* null: what is open is no folder. */
export function showPath(address) {
  isFolder = address !== null;
  way = isFolder ? [...above(address), address] : ['/'];
  fit();
}

/* What there is no room for after the first step goes into a menu. */
function fit() {
  for (let left = 0; left < Math.max(1, way.length - 1); left++) {
    const out = way.slice(1, 1 + left);
    const more = out.length > 0 && el('li', {}, icon('right'), bare(words.moreFolders, 'more', event => showMenu(
      out.map(address => ({ label: words.name(nameOf(address)), icon: 'folder', run: () => goTo(href(address)) })),
      { under: event.currentTarget }, words.moreFolders), { 'aria-haspopup': 'menu', 'aria-expanded': 'false' }));
    nav.replaceChildren(el('ol', {}, way.filter(address => !out.includes(address)).map(crumb).toSpliced(1, 0, more)));
    if (nav.firstChild.scrollWidth <= nav.clientWidth) return;
  }
}

function crumb(address) {
  const last = address === way.at(-1);
  const top = address === '/';
  return el('li', {}, !top && icon('right'), el('a', {
    href: href(address), 'data-address': address, 'aria-current': last && isFolder && 'page', 'aria-label': top && words.top, draggable: 'false',
  }, top ? [icon('home'), last && el('span', {}, words.top)] : nameElement(nameOf(address))));
}

const ROW_PX = 32;
const INDENT_PX = 16;

export const treeFits = matchMedia('(min-width: 900px)');

const node = (address, level) => ({ address, name: label(address), level, open: false, children: null });

const known = new Map();

let box;
let scroller;
let rows = [];
let current = '/';  /* what the list shows, or null */
let active = '/';  /* what the keyboard is on */
let wanted = localStorage.getItem('tree') !== 'hidden';

export function startTree() {
  box = byId('tree');
  known.set('/', { ...node('/', 1), open: true });
  const canvas = el('div', { class: 'canvas', role: 'tree', 'aria-label': words.folders, onclick: click, onkeydown: key });
  box.setAttribute('aria-label', words.folders);
  box.append(canvas);
  scroller = new Scroller({ box, canvas, height: ROW_PX, make: makeRow, bind: bindRow, key: one => one.address });
  dropPlace(box, target => {
    const row = target.closest('.branch');
    return row && [row, row.node.address];
  });
  for (const what of ['made', 'gone']) changes.addEventListener(what, changed);
  folder.addEventListener('change', learn);
  learn();
  treeFits.addEventListener('change', show);
  show();
}

export const treeIsShown = () => wanted && treeFits.matches;

export function toggleTree() {
  wanted = !wanted;
  localStorage.setItem('tree', wanted ? 'shown' : 'hidden');
  show();
}

function show() {
  box.hidden = !treeIsShown();
  follow(current);
}

/* The list shows another folder (null: none): all above it are opened. */
export async function follow(address) {
  current = address;
  active = address ?? '/';
  if (box.hidden) return;
  for (const one of above(active)) {
    const found = known.get(one);
    if (!found || current !== address) break;
    found.open = true;
    await read(found);
  }
  list();
  const at = rows.findIndex(one => one.address === address);
  if (at >= 0) scroller.scrollTo(at);
}

/* What cannot be listed has no folders. */
function read(one) {
  return one.reading ??= (async () => {
    if (one.children) return;
    const found = [];
    try {
      for await (const batch of api.entries(one.address)) found.push(...batch);
    } catch (error) {
      api.expect(error);
    }
    await setChildren(one, found);
  })();
}

/* What the list has read anyway. */
async function learn() {
  const one = known.get(folder.address);
  if (!one || folder.search || folder.state !== 'ready') return;
  const folders = folder.rows.filter(row => row.type === 'folder' && !row.draft);
  const before = one.children ?? [];
  if (one.children && folders.length === before.length && folders.every(row => known.has(row.address))) return;
  await setChildren(one, folders);
  for (const child of before) if (!one.children.includes(child)) forget(child.address);
  if (!box.hidden) list();
}

async function setChildren(one, entries) {
  const children = entries.filter(entry => entry.type === 'folder').map(({ address }) => known.get(address) ?? node(address, one.level + 1));
  one.children = await sorted(children, byName);
  for (const child of children) known.set(child.address, child);
}

function forget(address) {
  for (const other of [...known.keys()]) if (isInside(other, address)) known.delete(other);
}

function list() {
  rows = [];
  const add = one => {
    rows.push(one);
    if (one.open) one.children?.forEach(add);
  };
  add(known.get('/'));
  if (!rows.some(one => one.address === active)) active = '/';
  scroller.kept = active;
  scroller.show(rows);
}

/* Folders came and went elsewhere: what was read there is read anew. */
function changed({ type, detail }) {
  const addresses = type === 'gone' ? detail.filter(address => known.has(address)) : detail.filter(entry => entry.type === 'folder').map(entry => entry.address);
  if (type === 'gone') addresses.forEach(forget);
  for (const address of new Set(addresses.map(parentOf))) {
    if (address !== folder.address && known.has(address)) Object.assign(known.get(address), { children: null, reading: null, open: false });
  }
  if (addresses.length > 0 && !box.hidden) list();
}

function makeRow() {
  return el('div', { class: 'branch', role: 'treeitem' }, el('span', { class: 'turn' }, icon('right')), icon('folder'), el('span', { class: 'label' }));
}

function bindRow(row, one) {
  const leaf = one.children?.length === 0;
  row.node = one;
  row.setAttribute('aria-level', one.level);
  row.setAttribute('aria-selected', one.address === current);
  row.style.paddingInlineStart = `${(one.level - 1) * INDENT_PX + 4}px`;
  row.tabIndex = one.address === active ? 0 : -1;
  row.classList.toggle('leaf', leaf);
  row.title = visible(one.name);
  if (leaf) row.removeAttribute('aria-expanded');
  else row.setAttribute('aria-expanded', one.open && one.children !== null);
  setIcon(row.children[1], one.address === '/' ? 'home' : 'folder');
  row.lastChild.replaceChildren(nameElement(one.name));
}

function click({ target }) {
  const one = target.closest('.branch')?.node;
  if (!one) return;
  active = one.address;
  if (target.closest('.turn')) turn(one, !one.open);
  else goTo(href(one.address));
}

async function turn(one, open) {
  one.open = open;
  if (open) await read(one);
  if (!open && isInside(active, one.address)) active = one.address;
  list();
}

async function key(event) {
  const at = rows.findIndex(one => one.address === active);
  const one = rows[at];
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  const acts = {
    Enter: () => goTo(href(one.address)),
    ArrowRight: () => (one.open ? step(at + 1) : turn(one, true).then(focus)),
    ArrowLeft: () => (one.open && one.children?.length > 0 ? turn(one, false).then(focus) : step(rows.findIndex(other => other.address === parentOf(one.address)))),
  };
  const act = to === undefined ? acts[event.key] : () => step(to);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

function step(index) {
  if (!rows[index]) return;
  active = rows[index].address;
  scroller.kept = active;
  scroller.render(true);
  scroller.scrollTo(index);
  focus();
}

const focus = () => scroller.element(active)?.focus({ preventScroll: true });
