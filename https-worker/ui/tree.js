/* tree.js: the folders as a tree beside the list, each read when it is opened. It can be hidden, and is
 * not there in narrow windows. The rows are those of scroller.js, so that thousands of folders are no matter. */
import * as api from './api.js';
import { changes } from './changes.js';
import { el, icon, nameElement, setIcon } from './dom.js';
import { dropPlace } from './move.js';
import { isInside, lastPart, parentOf, textOf, visible } from './names.js';
import { goTo, href } from './router.js';
import { Scroller } from './scroller.js';
import { Sorter } from './slices.js';
import { words } from './strings.js';

const ROW_PX = 32;
const INDENT_PX = 16;
const WIDE = matchMedia('(min-width: 900px)');

const collator = new Intl.Collator(undefined, { numeric: true });

/* A folder: its level, whether it is open, and its folders once they were read. */
const node = (address, level) => ({ address, level, open: false, children: null, reading: null });

const top = node('/', 1);
const known = new Map([['/', top]]);

let box;
let canvas;
let scroller;
let rows = [];
let current = '/';                      /* the folder that the list shows */
let active = '/';                       /* the one that the keyboard is on */
let wanted = true;

export function startTree() {
    box = document.getElementById('tree');
    box.setAttribute('aria-label', words.folders);
    canvas = el('div', { class: 'canvas', role: 'tree', 'aria-label': words.folders });
    box.append(canvas);
    try {
        wanted = localStorage.getItem('tree') !== 'hidden';
    } catch {
        /* It is shown. */
    }
    scroller = new Scroller({ box, canvas, height: ROW_PX, make: makeRow, bind: bindRow, keyOf: one => one.address });
    canvas.addEventListener('click', click);
    canvas.addEventListener('keydown', key);
    const at = target => target.closest('.branch');
    dropPlace(box, target => at(target)?.node.address ?? null, at);
    for (const what of ['made', 'gone']) changes.addEventListener(what, changed);
    WIDE.addEventListener('change', show);
    show();
}

export const treeIsShown = () => wanted && WIDE.matches;

export const treeFits = () => WIDE.matches;

export function toggleTree() {
    wanted = !wanted;
    try {
        localStorage.setItem('tree', wanted ? 'shown' : 'hidden');
    } catch {
        /* It holds until the page is left. */
    }
    show();
}

function show() {
    box.hidden = !treeIsShown();
    if (!box.hidden) reveal(current);
}

/* The list shows another folder: all above it are opened. null: what is open is no folder. */
export function follow(address) {
    current = address;
    if (address !== null) active = address;
    if (!box.hidden) reveal(address ?? '/');
}

async function reveal(address) {
    top.open = true;
    const above = [];
    for (let one = address; one !== '/'; one = parentOf(one)) above.unshift(parentOf(one));
    for (const one of above) {
        const found = known.get(one);
        if (!found || current !== address) break;
        found.open = true;
        await read(found);
    }
    list();
    if (current === address && known.has(address)) scroller.scrollTo(rows.indexOf(known.get(address)));
}

/* What the list has read anyway. */
export async function learn(address, entries) {
    const one = known.get(address);
    if (!one) return;
    const before = one.children ?? [];
    await setChildren(one, entries.filter(entry => entry.type === 'folder' && !entry.draft));
    for (const child of before) if (!one.children.includes(child)) forget(child.address);
    if (!box.hidden) list();
}

/* The folders in a folder. What cannot be listed has none. */
async function read(one) {
    if (one.children) return;
    one.reading ??= (async () => {
        const found = [];
        try {
            for await (const { batch } of api.listing(one.address)) found.push(...(batch ?? []).filter(entry => entry.type === 'folder'));
        } catch (error) {
            if (!(error instanceof api.Trouble)) throw error;
        }
        await setChildren(one, found);
        one.reading = null;
    })();
    await one.reading;
}

async function setChildren(one, entries) {
    const sorter = new Sorter((a, b) => collator.compare(label(a), label(b)));
    await sorter.add(entries.map(entry => known.get(entry.address) ?? remember(node(entry.address, one.level + 1))));
    one.children = await sorter.all();
}

function remember(one) {
    known.set(one.address, one);
    return one;
}

function forget(address) {
    for (const other of [...known.keys()]) if (isInside(other, address)) known.delete(other);
}

/* The folders in sight, in one row. */
function list() {
    rows = [];
    const add = one => {
        rows.push(one);
        if (one.open) for (const child of one.children ?? []) add(child);
    };
    add(top);
    if (!rows.some(one => one.address === active)) active = '/';
    scroller.kept = active;
    scroller.items = rows;
}

/* What the page changed: folders come, go and move. */
async function changed(event) {
    const touched = new Set();
    for (const one of event.detail) {
        const address = one.address ?? one;
        if (event.type === 'made' && one.type !== 'folder') continue;
        if (event.type === 'gone') forget(address);
        touched.add(parentOf(address));
    }
    for (const address of touched) {
        const above = known.get(address);
        if (!above?.children) continue;
        if (event.type === 'gone') above.children = above.children.filter(child => known.has(child.address));
        else await setChildren(above, [...above.children, ...event.detail.filter(one => one.type === 'folder' && parentOf(one.address) === address && !known.has(one.address))]);
    }
    if (touched.size > 0 && !box.hidden) list();
}

const label = one => (one.address === '/' ? words.top : textOf(lastPart(one.address)));

/* ---- rows ---- */

function makeRow() {
    return el('div', { class: 'branch', role: 'treeitem' }, el('span', { class: 'turn' }, icon('right')), icon('folder'), el('span', { class: 'label' }));
}

function bindRow(row, one) {
    const leaf = one.children?.length === 0;
    row.node = one;
    row.setAttribute('aria-level', String(one.level));
    row.setAttribute('aria-selected', String(one.address === current));
    row.style.paddingInlineStart = `${(one.level - 1) * INDENT_PX + 4}px`;
    row.tabIndex = one.address === active ? 0 : -1;
    row.classList.toggle('leaf', leaf);
    row.title = visible(label(one));
    if (leaf) row.removeAttribute('aria-expanded');
    else row.setAttribute('aria-expanded', String(one.open && one.children !== null));
    setIcon(row.children[1], one.address === '/' ? 'home' : 'folder');
    row.lastChild.replaceChildren(nameElement(label(one)));
}

function click(event) {
    const one = event.target.closest('.branch')?.node;
    if (!one) return;
    active = one.address;
    if (event.target.closest('.turn')) turn(one, !one.open);
    else goTo(href(one.address));
}

async function turn(one, open) {
    one.open = open;
    if (open) await read(one);
    if (!open && isInside(active, one.address)) active = one.address;
    list();
}

function key(event) {
    const at = rows.findIndex(one => one.address === active);
    const one = rows[at];
    if (!one || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) step(to);
    else if (event.key === 'Enter' || event.key === ' ') goTo(href(one.address));
    else if (event.key === 'ArrowRight') {
        if (one.open) step(at + (one.children?.length > 0));
        else turn(one, true).then(() => step(rows.indexOf(one)));
    } else if (event.key === 'ArrowLeft') {
        if (one.open && one.children?.length > 0) turn(one, false).then(() => step(rows.indexOf(one)));
        else if (one.address !== '/') step(rows.indexOf(known.get(parentOf(one.address))));
    } else return;
    event.preventDefault();
    event.stopPropagation();
}

function step(index) {
    const one = rows[index];
    if (!one) return;
    active = one.address;
    scroller.kept = active;
    scroller.refresh();
    scroller.scrollTo(index);
    scroller.element(active)?.focus({ preventScroll: true });
}
