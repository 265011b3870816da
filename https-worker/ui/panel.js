/* panel.js: the uploads low on the right: each and the whole, bar, speed, time left, and what can be done; and
 * the light over the page while files are dragged in. It shows transfers.js and decides nothing. */
import { announce, bare, button, byId, el, nameElement, Scroller, setIcon } from './dom.js';
import { toast } from './dialogs.js';
import { folder, may } from './folder.js';
import { words } from './strings.js';
import { nameOf, parentOf, percent, size, textOf } from './text.js';
import { fromDrop, fromInput, STATES, transfers } from './transfers.js';

const ROW_PX = 64;
const ROWS = 4.5;  /* the half one tells of more */
const NARROW = matchMedia('(max-width: 639px)');

const ACTIONS = {
  pause: ['pause', item => transfers.pause(item)],
  resume: ['play', item => transfers.resume(item)],
  retry: ['retry', item => transfers.retry(item)],
  choose: ['folder', () => chooseAgain()],
  cancel: ['close', item => transfers.cancel(item)],
};

let panel;
let parts;
let scroller;
let folded = null;  /* null: as the width has it */
let painting = false;
let wasBusy = false;

export function startPanel() {
  panel = byId('panel');
  panel.setAttribute('aria-label', words.uploads);
  const canvas = el('div', { class: 'canvas', role: 'list' });
  parts = {
    title: el('h2'),
    sum: el('p', { class: 'sum' }),
    bar: el('progress', { max: '1', 'aria-label': words.uploadsWhole }),
    all: bare(' ', 'pause', () => transfers.all(transfers.isBusy ? 'pause' : 'resume')),
    fold: bare(' ', 'down', () => { folded = !isFolded(); paint(); }),
    close: bare(words.close, 'close', () => transfers.clear()),
    notice: el('div', { class: 'notice' }),
    box: el('div', { class: 'box' }, canvas),
  };
  const { title, sum, bar, all, fold, close, notice, box } = parts;
  panel.append(el('div', { class: 'panel-head' }, el('div', { class: 'told' }, title, sum), all, fold, close), bar, notice, box);
  scroller = new Scroller({ box, canvas, height: ROW_PX, make: makeRow, bind: bindRow, key: item => item.id });
  for (const what of ['change', 'tick']) transfers.addEventListener(what, paintSoon);
  NARROW.addEventListener('change', paintSoon);
  for (const listener of [dragenter, dragover, dragleave, drop]) addEventListener(listener.name, listener);
}

const isFolded = () => folded ?? NARROW.matches;

const missing = () => transfers.items.filter(item => item.state === 'missing');

async function chooseAgain() {
  await transfers.reopen(true);
  if (missing().length === 0) return;
  const { files } = await fromInput({ multiple: true });
  if (files.length > 0 && transfers.match(files) === 0) announce(words.notTheSame, true);
}

function paintSoon() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    paint();
  });
}

function paint() {
  const { items, isBusy } = transfers;
  const { title, sum, bar, all, fold, close, notice, box } = parts;
  panel.hidden = items.length === 0;
  if (panel.hidden) return;
  const count = state => items.filter(item => item.state === state).length;
  const bytes = items.reduce((whole, item) => whole + item.size, 0);
  const sent = items.reduce((whole, item) => whole + item.sent, 0);
  const open = items.some(item => STATES[item.state].open);
  const [done, failed, lost] = ['done', 'failed', 'missing'].map(count);
  const ended = failed > 0 ? words.uploadsFailed(failed) : words.uploadsDone(done);
  bar.value = bytes > 0 ? sent / bytes : done / items.length;
  title.textContent = open ? words.uploading(done, items.length) : ended;
  sum.textContent = open ? words.joined([percent(bar.value), ...pace(transfers.speed.value, bytes - sent)]) : '';
  bar.hidden = !open;
  close.hidden = open;
  all.hidden = !isBusy && count('paused') === 0;
  label(all, isBusy ? 'pause' : 'play', isBusy ? words.pauseAll : words.resumeAll);
  label(fold, 'down', isFolded() ? words.unfold : words.fold);
  fold.setAttribute('aria-expanded', !isFolded());
  notice.hidden = lost === 0;
  if (lost > 0 && notice.dataset.count !== String(lost)) {
    const kept = missing().some(item => item.handle);
    notice.dataset.count = lost;
    notice.replaceChildren(el('p', {}, words.cutOff(lost, kept)), button(kept ? words.carryOn : words.chooseAgain, null, chooseAgain, { class: 'main' }));
  }
  box.hidden = isFolded();
  box.style.height = `${Math.min(items.length, ROWS) * ROW_PX}px`;
  scroller.show(items);
  if (wasBusy && !isBusy && done + failed > 0) announce(ended, failed > 0);  /* not each step of the way */
  wasBusy = isBusy;
}

function label(element, iconName, text) {
  if (element.title === text) return;
  element.title = text;
  element.setAttribute('aria-label', text);
  setIcon(element.firstChild, iconName);
}

const pace = (speed, bytes) => (speed > 0 ? [words.speed(speed), words.left(bytes / speed)] : []);

function makeRow() {
  return el('div', { class: 'transfer', role: 'listitem' },
    el('div', { class: 'told' }, el('p', { class: 'title' }), el('p', { class: 'about' })),
    el('div', { class: 'buttons' }), el('progress', { max: '1' }));
}

function bindRow(row, item, index) {
  const [told, buttons, bar] = row.children;
  const [title, about] = told.children;
  const name = nameOf(item.address);
  const now = item.id + item.address + item.state;
  row.setAttribute('aria-setsize', transfers.items.length);
  row.setAttribute('aria-posinset', index + 1);
  about.textContent = aboutOf(item);
  bar.value = item.size > 0 ? item.sent / item.size : Number(item.state === 'done');
  if (row.shown === now) return;
  row.shown = now;
  row.dataset.state = item.state;
  title.replaceChildren(nameElement(name, true));
  title.title = words.goesTo(name, textOf(parentOf(item.address)));
  bar.setAttribute('aria-label', words.uploadOf(name));
  const focused = buttons.contains(document.activeElement);
  buttons.replaceChildren(...STATES[item.state].actions.map(action =>
    bare(words.uploadActions[action](name), ACTIONS[action][0], () => ACTIONS[action][1](item), { 'data-action': action })));
  if (focused) (buttons.firstChild ?? parts.fold).focus();
}

function aboutOf({ state, sent, size: all, speed, trouble }) {
  if (state === 'running') return words.joined([words.sentOf(sent, all), ...pace(speed.value, all - sent)]);
  if (state === 'paused') return words.joined([words.uploadStates.paused, words.sentOf(sent, all)]);
  if (state === 'done') return size(all);
  return trouble && trouble.code !== 'offline' ? words.trouble(trouble) : words.uploadStates[state];
}

let depth = 0;  /* dragged over: entered minus left */

const brings = event => event.dataTransfer?.types.includes('Files');

function light(to) {
  depth = Math.max(0, to);
  byId('drop').hidden = depth === 0 || !may('write');
  byId('drop').firstElementChild.textContent = words.dropHere(folder.address);
}

function dragenter(event) {
  if (brings(event)) light(depth + 1);
}

function dragleave(event) {
  if (brings(event)) light(depth - 1);
}

function dragover(event) {
  if (!brings(event)) return;
  event.preventDefault();  /* else the browser would open the file itself */
  event.dataTransfer.dropEffect = may('write') ? 'copy' : 'none';
}

async function drop(event) {
  if (!brings(event)) return;
  event.preventDefault();
  light(0);
  if (!may('write')) return;
  const into = folder.address;
  try {
    const { files, folders } = await fromDrop(event.dataTransfer);
    const alone = !may('mkdir') && folders.length > 0;
    if (alone) toast(words.noFolders, { trouble: true });
    transfers.add(alone ? { files: files.filter(({ path }) => path.length === 1), folders: [] } : { files, folders }, into);
  } catch {
    toast(words.unreadableDrop, { trouble: true });
  }
}
