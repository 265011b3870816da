/* main.js: puts the page together: starts the parts in their order, opens what the address line says, and
 * does what concerns the page as a whole (signing in again, leaving it, coming back to it). */
import { startAccount } from './account.js';
import { act, open, partOf, reload, takeWanted } from './actions.js';
import * as api from './api.js';
import { showPath, startBreadcrumbs } from './breadcrumbs.js';
import { changes } from './changes.js';
import { showActions, startCommands } from './commands.js';
import { connectPage } from './connect.js';
import { choose } from './dialogs.js';
import { el } from './dom.js';
import { startDrop } from './drop.js';
import { folder } from './folder.js';
import { startKeys } from './keys.js';
import { entryAt, focusList, listElement, listHasFocus, restore, scrollTop, startList } from './list.js';
import { dragStarts, dropPlace, mayDrag } from './move.js';
import { isInside, join, nameOf, parentOf } from './names.js';
import { startNotices, title } from './notices.js';
import { startPanel } from './panel.js';
import { hidePreview, isPreviewed, previewed, showPreview, startPreview } from './preview.js';
import { leave, tooMuchToLeave } from './remove.js';
import { goTo, href, onRoute, read } from './router.js';
import { showSearch, startSearch } from './search.js';
import { selection } from './selection.js';
import { begin, comeBack, me, spaceChanged } from './session.js';
import { words } from './strings.js';
import { startToasts, toast } from './toasts.js';
import { transfers } from './transfers.js';
import { follow, learn, startTree } from './tree.js';

const STALE_MS = 60_000;
const READ_AGAIN_AT_MOST = 5000;                /* entries */
const FOLLOW_MS = 80;

const organisation = document.title;
const left = new Map();                         /* how each folder was left: {active, top} */

let page = '';                                  /* 'files', or another of router.js */
let awaited = null;                             /* how the folder that is loading was left */
let pushed = false;                             /* the preview is a step of the way back */

const part = id => document.getElementById(id);

async function start() {
    api.onSignedOut(signInAgain);
    const first = read();
    const account = begin();
    if (first.page === 'files') folder.load(first.address, first.find);
    await account;
    startToasts();
    part('skip').textContent = words.skip;
    part('skip').addEventListener('click', focusList);
    part('list-place').append(listElement);
    startList({ open: openEntry, menu: (entry, place) => showActions(entry ? selection.entries() : [], place), mayDrag });
    startNotices();
    startTree();
    startCommands();
    startBreadcrumbs();
    startSearch();
    startAccount();
    startPreview({ close: closePreview, download: entry => act('download', [entry]) });
    startPanel();
    startDrop();
    startKeys({ inFiles: () => page === 'files', closePreview });
    startMoving();
    listen();
    onRoute(route);
    route();
    document.body.removeAttribute('aria-busy');
    transfers.begin();
}

function listen() {
    folder.addEventListener('state', loaded);
    selection.addEventListener('change', followSelection);
    changes.addEventListener('moved', ({ detail: { entry, after } }) => {
        if (previewed()?.address === entry.address) goTo(href(folder.address, { find: folder.search, show: partOf(after) }), { instead: true });
    });
    changes.addEventListener('gone', ({ detail }) => {
        if (isPreviewed(detail)) closePreview();
        if (detail.some(address => isInside(folder.address, address))) goTo(href(parentOf(detail[0])));
        spaceChanged();
    });
    transfers.addEventListener('trouble', ({ detail }) => toast(words.notMade(nameOf(detail.address), detail.trouble), { trouble: true }));
    addEventListener('beforeunload', event => { if (transfers.isBusy || tooMuchToLeave()) event.preventDefault(); });
    addEventListener('pagehide', leave);
    document.addEventListener('visibilitychange', backAgain);
}

/* Rows are dragged to folders in the list; breadcrumbs.js and tree.js see to theirs. */
function startMoving() {
    listElement.addEventListener('dragstart', event => {
        const entry = entryAt(event.target);
        if (!entry) return;
        if (!selection.has(entry.address)) selection.only(entry.address);
        dragStarts(event, selection.entries());
    });
    const target = element => {
        const entry = entryAt(element);
        return entry?.type === 'folder' && !entry.draft ? entry.address : null;
    };
    dropPlace(listElement, target, element => element.closest('.row'));
}

/* ---- what is open ---- */

function route() {
    const { page: now, address, find, show } = read();
    const files = now === 'files';
    const other = page !== now;
    page = now;
    part('files').hidden = !files;
    part('commands').hidden = !files;
    part('page').hidden = files;
    if (!files) {
        closeFiles();
        showSearch('');
        follow(null);
        part('page').replaceChildren(connectPage());
        document.title = `${words.connect.title} · ${organisation}`;
        showPath(null);
        if (other) part('page-title').focus();
        return;
    }
    if (other || address !== folder.address || find !== folder.search) openFolder(address, find, show);
    showSearch(find);
    showPath(address);
    document.title = `${title()} · ${organisation}`;
    if (show === null) endPreview();
    else preview(join(address, show));
}

function closeFiles() {
    left.set(folder.address + folder.search, { active: selection.active, top: scrollTop() });
    endPreview();
}

/* show: what is to be previewed there, or null; then that is what is selected. */
function openFolder(address, find, show) {
    const before = folder.address;
    if (before !== address || find !== folder.search) {
        left.set(before + folder.search, { active: selection.active, top: scrollTop() });
        folder.load(address, find);
    }
    const child = before !== address && isInside(before, address) ? childOn(before, address) : null;
    const known = left.get(address + find) ?? {};
    const meant = takeWanted(address) ?? (show === null ? child : join(address, show));
    awaited = { top: known.top ?? 0, active: meant ?? known.active ?? null, select: meant !== null };
    selection.reset(awaited.active);
    follow(address);
    if (folder.state !== 'loading') loaded();
}

/* The folder right below `above` on the way to `address`. */
function childOn(address, above) {
    let one = address;
    while (parentOf(one) !== above) one = parentOf(one);
    return one;
}

function loaded() {
    if (folder.state === 'loading') return;
    if (!folder.search && folder.state === 'ready') learn(folder.address, folder.rows);
    if (!awaited) return;
    const { active, top, select } = awaited;
    awaited = null;
    restore({ active, top });
    if (select && folder.indexOf(active) >= 0) selection.only(active);
    if (listHasFocus()) focusList();
}

function openEntry(entry) {
    pushed = entry.type !== 'folder' && !previewed();
    open(entry);
}

/* ---- the preview ---- */

async function preview(address) {
    let entry = folder.find(address);
    try {
        entry ??= { ...await api.stat(address), address };
    } catch (trouble) {
        if (!(trouble instanceof api.Trouble)) throw trouble;
        toast(words.trouble(trouble), { trouble: true });
        closePreview();
        return;
    }
    const { show } = read();
    if (show !== null && join(folder.address, show) === address) showPreview(entry);
}

function endPreview() {
    pushed = false;
    if (hidePreview() && page === 'files' && (document.activeElement === document.body || listHasFocus())) focusList();
}

function closePreview() {
    if (pushed) history.back();
    else goTo(href(folder.address, { find: folder.search }), { instead: true });
}

let following = null;

/* The preview shows what is selected, once the keys rest. */
function followSelection() {
    clearTimeout(following);
    if (!previewed() || selection.size !== 1) return;
    following = setTimeout(() => {
        const [entry] = selection.entries();
        if (entry && previewed() && entry.address !== previewed().address) goTo(href(folder.address, { find: folder.search, show: partOf(entry) }), { instead: true });
    }, FOLLOW_MS);
}

/* ---- coming and going ---- */

/* Who comes back after a while sees what others did meanwhile. */
function backAgain() {
    const old = Date.now() - folder.loadedAt > STALE_MS;
    if (!document.hidden && page === 'files' && old && folder.state === 'ready' && !folder.draft && folder.count < READ_AGAIN_AT_MOST && !part('name-hint')) reload();
}

/* The session has ended: a window to sign in, and the page goes on where it was. */
async function signInAgain() {
    if (!me()) {
        location.assign('/login' + location.hash);
        return new Promise(() => {});
    }
    for (;;) {
        try {
            if (!await comeBack()) location.reload();
            return;
        } catch (trouble) {
            if (!(trouble instanceof api.Trouble)) throw new api.Trouble('offline');
        }
        await askToSignIn();
    }
}

function askToSignIn() {
    return new Promise(done => {
        let close = null;
        const back = () => { if (!document.hidden) close(); };
        const choices = [{ link: '/login', label: words.signIn }, { id: 'again', label: words.signedIn }];
        choose({ title: words.signedOut, text: words.signedOutHelp, choices, insist: given => { close = given; } }).then(() => {
            document.removeEventListener('visibilitychange', back);
            done();
        });
        document.addEventListener('visibilitychange', back);
    });
}

start().catch(error => {
    const text = error instanceof api.Trouble ? words.trouble(error) : words.cannotStart;
    document.getElementById('said-at-once').textContent = text;
    document.querySelector('main').replaceChildren(el('p', { class: 'notice whole' }, text, ' ', el('a', { href: '/' }, words.tryAgain)));
    throw error;
});
