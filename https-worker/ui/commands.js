/* commands.js: the bar above the list: what can be done with the folder, or, as soon as something is
 * selected, with that. Made from the table in actions.js; nothing is decided here. */
import { ACTIONS, act, available, labelOf } from './actions.js';
import { button, el } from './dom.js';
import { folder } from './folder.js';
import { size } from './format.js';
import { focusList } from './list.js';
import { showMenu } from './menu.js';
import { clipboard } from './move.js';
import { selection } from './selection.js';
import { toggleTree, treeFits, treeIsShown } from './tree.js';
import { words } from './strings.js';

let bar;
let shown = '';

export function startCommands() {
    bar = document.getElementById('commands');
    bar.setAttribute('aria-label', words.commands);
    for (const source of [selection, folder, clipboard]) source.addEventListener('change', paint);
    folder.addEventListener('state', paint);
    matchMedia('(min-width: 900px)').addEventListener('change', () => { shown = ''; paint(); });
    paint();
}

function paint() {
    const entries = selection.entries();
    const actions = available(entries).filter(action => !action.menuOnly);
    const marks = entries.length > 0 ? [words.selected(entries.length), sizeOf(entries)].filter(Boolean) : [];
    const now = JSON.stringify([actions.map(action => [action.id, labelOf(action)]), marks]);
    if (now === shown) return;
    shown = now;
    const focused = bar.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    bar.classList.toggle('of-selection', entries.length > 0);
    bar.replaceChildren(...entries.length > 0 ? ofSelection(actions, marks) : ofFolder(actions));
    if (focused) bar.querySelector(`[data-action="${focused}"]`)?.focus();
    if (focused && !bar.contains(document.activeElement)) focusList();
}

function sizeOf(entries) {
    const files = entries.filter(entry => entry.type === 'file');
    return files.length > 0 ? size(files.reduce((sum, entry) => sum + entry.size, 0)) : '';
}

function ofFolder(actions) {
    const tree = treeFits() && button(words.showTree, 'sidebar', event => {
        toggleTree();
        event.currentTarget.setAttribute('aria-pressed', String(treeIsShown()));
    }, { bare: true, 'aria-pressed': String(treeIsShown()), 'data-action': 'tree' });
    return [tree, ...actions.map(action => make(action))].filter(Boolean);
}

function ofSelection(actions, marks) {
    return [
        button(words.clearSelection, 'close', () => { selection.clear(); focusList(); }, { bare: true, 'data-action': 'clear' }),
        el('p', { class: 'marks' }, el('strong', {}, marks[0]), marks[1] && el('span', {}, marks[1])),
        ...actions.map(action => make(action)),
        button(words.actions.more, 'more', event => moreMenu(event.currentTarget), { bare: true, 'aria-haspopup': 'menu', 'aria-expanded': 'false', class: 'bare overflow', 'data-action': 'more' }),
    ];
}

function make(action) {
    const classes = `${action.id === 'upload' ? 'main' : 'plain'} ${action.main ? 'main-action' : 'side-action'}`;
    const made = button(labelOf(action), action.icon, () => act(action.id), { class: classes, 'data-action': action.id, 'aria-keyshortcuts': action.shortcut });
    made.title = action.keys ? `${labelOf(action)} (${action.keys})` : labelOf(action);
    return made;
}

/* The same actions as a menu: right click, the row's button, the menu key. entries []: the folder's. */
export function showActions(entries, place) {
    const items = available(entries).map(action => ({
        label: labelOf(action), icon: action.icon, keys: action.keys, shortcut: action.shortcut, danger: action.danger, run: () => act(action.id, entries),
    }));
    if (items.length > 0) showMenu(items, place, entries.length > 0 ? words.actionsFor(entries.map(entry => entry.name)) : words.actionsForFolder);
}

const moreMenu = under => showActions(selection.entries(), { under });

/* The keys of actions, for the list of keys. */
export const actionKeys = () => ACTIONS.filter(action => action.keys && action.keys !== 'Enter').map(action => [action.keys, words.actions[action.id]]);
