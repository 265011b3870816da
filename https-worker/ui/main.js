/* main.js: puts the page together: starts the parts, opens what the address line says, tells about the open
 * folder, and does what concerns the page as a whole: searching, signing in again, leaving, coming back. */
import { startAccount } from './account-menu.js';
import { act, offers, open, partOf, reload, showActions, startActions } from './actions.js';
import * as api from './api.js';
import { choose, toast } from './dialogs.js';
import { announce, bare, button, byId, el, icon } from './dom.js';
import { changes, folder, may } from './folder.js';
import { startKeys } from './keys.js';
import { entryAt, focusList, grid, leaving, listHasFocus, menuByKey, restore, startList } from './list.js';
import { dragStarts, dropPlace, leave, tooMuchToLeave } from './move.js';
import { startPanel } from './panel.js';
import { hidePreview, isPreviewed, previewed, showPreview, startPreview } from './preview.js';
import { goTo, href, isPushed, onRoute, read } from './router.js';
import { selection } from './selection.js';
import { words } from './strings.js';
import { isInside, nameOf, parentOf, size } from './text.js';
import { transfers } from './transfers.js';
import { follow, showPath, startPath, startTree } from './tree.js';

const STALE_MS = 60_000;
const READ_AGAIN_AT_MOST = 5000;  /* entries */
const FOLLOW_MS = 80;
const TYPING_MS = 300;
const PATIENCE_MS = 250;  /* what comes sooner needs no sign */
const SPACE_MS = 1500;

const organisation = document.title;
const left = new Map();  /* how each folder was left: {active, top} */

let page = '';  /* 'files', or another of router.js */
let awaited = null;  /* to be found again once loaded */
let pushed = false;  /* the preview is a step of the way back */
let following = null;  /* the timer until the preview follows the selection */

async function start() {
  api.onSignedOut(signInAgain);
  const { page: first, address, find } = read();
  const account = api.begin();
  if (first === 'files') folder.load(address, find);
  await account.catch(async error => {
    if (api.expect(error).code !== 'codes_needed') throw error;
    const { enrol } = await import('./account.js');
    await enrol();
  });
  byId('toasts').setAttribute('aria-label', words.messages);
  byId('skip').textContent = words.skip;
  byId('skip').addEventListener('click', focusList);
  byId('list-place').append(grid);
  startList({ open, menu: (entry, place) => showActions(entry ? selection.entries() : [], place), mayDrag: () => may('rename') });
  startTree();
  startActions();
  startPath();
  startSearch();
  startAccount();
  startPreview({ close: closePreview, download: entry => act('download', [entry]) });
  startPanel();
  startKeys({ inFiles: () => page === 'files', closePreview, menu: menuByKey });
  listen();
  onRoute(route);
  route();
  said();
  paint();
  paintSpace();
  document.body.removeAttribute('aria-busy');
  transfers.begin();
}

function listen() {
  folder.addEventListener('state', () => { found(); said(); paint(); });
  folder.addEventListener('change', paint);
  selection.addEventListener('change', followSelection);
  changes.addEventListener('moved', ({ detail: { entry, after } }) => {
    if (previewed()?.address === entry.address) goTo(href(folder.address, { find: folder.search, show: partOf(after) }), true);
  });
  changes.addEventListener('gone', ({ detail }) => {
    if (isPreviewed(detail)) closePreview();
    const around = detail.find(address => isInside(folder.address, address));
    if (around) goTo(href(parentOf(around)));
    spaceChanged();
  });
  changes.addEventListener('made', spaceChanged);
  transfers.addEventListener('trouble', ({ detail }) => toast(words.notMade(nameOf(detail.address), detail.trouble), { trouble: true }));
  addEventListener('beforeunload', event => { if (transfers.isBusy || tooMuchToLeave()) event.preventDefault(); });
  addEventListener('pagehide', leave);
  document.addEventListener('visibilitychange', backAgain);
  grid.addEventListener('dragstart', event => {
    const entry = entryAt(event.target);
    if (!selection.has(entry.address)) selection.only(entry.address);
    dragStarts(event, selection.entries());
  });
  dropPlace(grid, target => {
    const entry = entryAt(target);
    return entry?.type === 'folder' && [target.closest('.row'), entry.address];
  });
}

function route() {
  const { page: now, part, address, find, show, at } = read();
  const files = now === 'files';
  const other = page !== now;
  if (other && page === 'files') left.set(folder.address + folder.search, leaving());
  page = now;
  byId('files').hidden = !files;
  byId('page').hidden = files;
  showSearch(files ? find : '');
  showPath(files ? address : null);
  const title = files ? words.titleOf(address) : words[now === 'connect' ? 'connect' : 'own'].title;
  byId('title').textContent = title;
  document.title = `${title} · ${organisation}`;
  if (files) {
    if (other || at || address !== folder.address || find !== folder.search) openFolder(address, find, at ?? show, other);
    if (show && !previewed()) pushed = isPushed();
    if (show) preview(show);
    else endPreview();
    return;
  }
  endPreview();
  follow(null);
  openPage(now, part, other);
}

/* What is typed there stays when only the part is another. */
async function openPage(now, part, other) {
  const module = await import(`./${now}.js`).catch(() => null);
  if (page !== now) return;
  if (!module) {
    toast(words.trouble({ code: 'offline' }), { trouble: true });
    return;
  }
  if (!other) {
    module.reach(part);
    return;
  }
  byId('page').replaceChildren(module.sheet(part, () => page !== now));
  byId('page-title').focus();
}

/* at: an entry that is meant; else the folder that the way up came from, or how this one was left. */
function openFolder(address, find, at, again) {
  const before = folder.address;
  if (before !== address || find !== folder.search) {
    if (!again) left.set(before + folder.search, leaving());
    folder.load(address, find);
  }
  const known = left.get(address + find) ?? { top: 0, active: null };
  const meant = at ?? (before !== address && isInside(before, address) ? childOf(address, before) : null);
  awaited = { top: known.top, active: meant ?? known.active, select: meant !== null };
  selection.clear(awaited.active);
  follow(address);
  found();
}

const childOf = (above, address) => (parentOf(address) === above ? address : childOf(above, parentOf(address)));

function found() {
  if (folder.state === 'loading') return;
  if (!awaited) return;
  restore(awaited);
  awaited = null;
  if (listHasFocus()) focusList();
}

let waiting = null;

function said() {
  clearTimeout(waiting);
  byId('loading').hidden = true;
  if (folder.state === 'loading') waiting = setTimeout(() => { byId('loading').hidden = false; }, PATIENCE_MS);
  else if (folder.trouble) announce(words.trouble(folder.trouble), true);
  else announce(words.opened(folder.address, folder.count, folder.search));
}

function paint() {
  const { state, trouble, draft, count, seen, search } = folder;
  const busy = state === 'loading';
  const notice = byId('notice');
  const empty = count === 0 && !draft && !busy;
  byId('count').textContent = busy && seen === 0 ? words.reading : words.counted(busy ? seen : count, search, size(folder.bytes));
  notice.hidden = !empty && !trouble;
  notice.classList.toggle('whole', empty);
  if (!notice.hidden) notice.replaceChildren(...notices().filter(Boolean));
}

function notices() {
  const { trouble, search, address, count } = folder;
  const offered = offers();
  const help = (sign, title, text) => [icon(sign), el('h2', {}, title), offered.length > 0 && el('p', {}, text), ...offered];
  if (!may('list')) return help('upload', words.leaveFiles, words.leaveHelp);
  if (trouble) return [icon('warning'), el('p', {}, count > 0 ? words.brokeOff(trouble) : words.trouble(trouble)), button(words.tryAgain, 'retry', () => folder.load(address, search))];
  return search ? [icon('search'), el('p', {}, words.nothingFound(search, address))] : help('folder', words.empty, words.emptyHelp);
}

function paintSpace() {
  const { space } = api.me();
  byId('space').hidden = !space;
  if (!space) return;
  const used = (space.total - space.free) / space.total;
  byId('space').classList.toggle('little', used > 0.9);
  byId('space').replaceChildren(el('span', {}, words.free(size(space.free)), el('span', { class: 'of-all' }, words.ofAll(size(space.total)))),
    el('meter', { max: '1', high: '0.9', value: used, 'aria-label': words.spaceUsed }));
}

let asking = null;

/* Once for many doings. */
function spaceChanged() {
  clearTimeout(asking);
  if (api.me().space) asking = setTimeout(() => api.comeBack().then(paintSpace, () => {}), SPACE_MS);
}

/* ---- searching ---- */

let field;
let ending;
let typing = null;

function startSearch() {
  field = el('input', { type: 'search', id: 'search-field', 'aria-label': words.search, placeholder: words.search, autocomplete: 'off', spellcheck: 'false' });
  ending = bare(words.clearSearch, 'close', endSearch);
  field.addEventListener('input', () => {
    ending.hidden = field.value === '';
    clearTimeout(typing);
    typing = setTimeout(seek, TYPING_MS);
  });
  field.addEventListener('keydown', event => {
    if (event.key === 'Escape') endSearch();
    else if (event.key !== 'Enter' && event.key !== 'ArrowDown') return;
    event.preventDefault();
    seek();
    focusList();
  });
  byId('search').append(icon('search'), field, ending);
}

function seek() {
  clearTimeout(typing);
  typing = null;
  const text = field.value.trim();
  if (text !== folder.search) goTo(href(folder.address, { find: text }), folder.search !== '' && text !== '');
}

function endSearch() {
  field.value = '';
  seek();
  focusList();
}

/* What is being typed is not disturbed. */
function showSearch(text) {
  if (typing === null && field.value.trim() !== text) field.value = text;
  ending.hidden = field.value === '';
}

/* ---- the preview ---- */

async function preview(address) {
  clearTimeout(following);
  if (selection.size === 1 && folder.find(address)) selection.only(address);
  try {
    const entry = folder.find(address) ?? { ...await api.stat(address), address };
    if (read().show === address) showPreview(entry);
  } catch (error) {
    toast(words.trouble(api.expect(error)), { trouble: true });
    closePreview();
  }
}

function endPreview() {
  pushed = false;
  if (hidePreview() && page === 'files' && (document.activeElement === document.body || listHasFocus())) focusList();
}

/* What would follow the selection would open it again: going back takes a moment. */
function closePreview() {
  clearTimeout(following);
  if (pushed) history.back();
  else goTo(href(folder.address, { find: folder.search }), true);
}

/* Once the keys rest. */
function followSelection() {
  clearTimeout(following);
  if (!previewed() || selection.size !== 1) return;
  following = setTimeout(() => {
    const [entry] = selection.entries();
    if (entry && previewed()) goTo(href(folder.address, { find: folder.search, show: partOf(entry) }), true);
  }, FOLLOW_MS);
}

/* ---- coming and going ---- */

/* Who comes back after a while sees what others did meanwhile. */
function backAgain() {
  const old = Date.now() - folder.loadedAt > STALE_MS;
  if (!document.hidden && page === 'files' && old && folder.state === 'ready' && folder.count < READ_AGAIN_AT_MOST && !byId('name-hint')) reload();
}

async function signInAgain() {
  for (;;) {
    if (!api.me()) {
      location.assign('/login' + location.hash);
      return new Promise(() => {});
    }
    try {
      if (!await api.comeBack()) location.reload();
      return;
    } catch (error) {
      if (!api.ofSession(api.expect(error))) throw error;
    }
    const back = () => { if (!document.hidden) close(); };
    let close;
    document.addEventListener('visibilitychange', back);
    await choose({
      title: words.signedOut, text: words.signedOutHelp, insist: given => { close = given; },
      choices: [{ link: '/login', label: words.signIn }, { id: 'again', label: words.signedIn }],
    });
    document.removeEventListener('visibilitychange', back);
  }
}

start().catch(error => {
  document.querySelector('main').replaceChildren(el('p', { class: 'notice', role: 'alert' },
    error instanceof api.Trouble ? words.trouble(error) : words.cannotStart, ' ', el('a', { href: '/' }, words.tryAgain)));
  throw error;
});
