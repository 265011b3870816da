/* move.js: entries that go: moved (cut and pasted, or dragged), or deleted, which can be undone for ten seconds;
 * and what is asked when a name is taken. */
import * as api from './api.js';
import { choose, toast } from './dialogs.js';
import { announce, byId, el } from './dom.js';
import { folder, gone, made, may, movedTo } from './folder.js';
import { dim } from './list.js';
import { words } from './strings.js';
import { isInside, join, lastPart, moment, nameOf, numbered, parentOf, size } from './text.js';

/* What is deleted disappears at once and is held here; the server hears of it when the time is over, when
 * something needs the name, or when the page is left. */

const HELD_MS = 10_000;
const AT_ONCE = 200;  /* addresses in one request */

const held = new Set();  /* {addresses, timer, close} */

export function remove(entries) {
  const addresses = entries.map(entry => entry.address);
  const one = { addresses, timer: setTimeout(() => send(one), HELD_MS) };
  held.add(one);
  folder.hold(addresses, true);
  one.close = toast(words.deleted(entries.map(entry => entry.name)), { label: words.undo, run: () => undo(one), stays: true });
}

function end(one) {
  clearTimeout(one.timer);
  one.close();
  return held.delete(one);
}

const undo = one => end(one) && folder.hold(one.addresses, false);

export function undoLast() {
  const last = [...held].at(-1);
  return Boolean(last) && undo(last) !== false;
}

async function send(one) {
  if (!end(one)) return;
  const failed = [];
  for (let at = 0; at < one.addresses.length; at += AT_ONCE) {
    const some = one.addresses.slice(at, at + AT_ONCE);
    const results = await api.remove(some).catch(error => some.map(address => ({ address, error: words.trouble(api.expect(error)) })));
    failed.push(...results.filter(result => result.error));
  }
  const bad = new Set(failed.map(({ address }) => address));
  gone(one.addresses.filter(address => !bad.has(address)));
  folder.hold(bad, false);
  if (failed.length > 0) toast(words.notDeleted(failed), { trouble: true });
}

/* Before something is made under these names. */
export const settle = addresses => Promise.all([...held].filter(one =>
  one.addresses.some(gone => addresses.some(address => isInside(address, gone)))).map(send));

export const settleAll = () => Promise.all([...held].map(send));

const fits = one => api.fitsLeaving(one.addresses);

/* Requests that outlive the page take what is held; about what is too long for that it was asked. */
export function leave() {
  for (const one of held) {
    if (!fits(one)) continue;
    api.removeOnLeaving(one.addresses);               /* first: browsers do not wait for the rest */
    end(one);
  }
}

export const tooMuchToLeave = () => [...held].some(one => !fits(one));

let last = Promise.resolve();  /* one question at a time */

/* A name is taken: what is answered for all that is moved or uploaded together. */
export class Conflicts {
  stopped = false;
  #forAll = null;

  /* 'replace', 'both' or 'skip'; closing the question skips this one and stops a move. */
  ask(question) {
    const known = () => (this.#forAll === 'replace' && !question.canReplace ? null : this.#forAll);
    return last = last.then(() => known() ?? this.#ask(question));
  }

  async #ask({ address, entry, canReplace }) {
    const there = await api.stat(address).catch(() => null);
    const line = (label, one) => one && [el('dt', {}, label), el('dd', {}, `${one.type === 'file' ? size(one.size) : words.folder}, ${moment(one.mtime)}`)];
    const answer = await choose({
      title: words.exists(nameOf(address)), body: el('dl', { class: 'facts' }, line(words.there, there), line(words.coming, entry)), check: words.forAll,
      choices: ['skip', 'both', 'replace'].slice(0, canReplace ? 3 : 2).map((id, index, all) => ({ id, label: words.conflict[id], main: index === all.length - 1 })),
    });
    this.stopped ||= answer === null;
    if (answer?.checked) this.#forAll = answer.id;
    return answer?.id ?? 'skip';
  }
}

export const clipboard = new EventTarget();        

let taken = [];

export const cutEntries = () => taken;

export function cut(entries) {
  taken = entries;
  dim(entries.map(entry => entry.address));
  if (entries.length > 0) announce(words.cutDone(entries.map(entry => entry.name)));
  clipboard.dispatchEvent(new Event('change'));
}

/* Not where it is already, and no folder into itself. */
const canMove = (entry, into) => parentOf(entry.address) !== into && !isInside(into, entry.address);

export const canPaste = () => taken.some(entry => canMove(entry, folder.address));

export function paste() {
  const entries = taken;
  cut([]);
  moveAll(entries, folder.address);
}

async function moveAll(entries, into) {
  const conflicts = new Conflicts();
  const done = [];
  for (const entry of entries.filter(one => canMove(one, into))) {
    try {
      const to = await moveOne(entry, join(into, lastPart(entry.address)), conflicts);
      if (to) done.push([entry, to]);
    } catch (error) {
      toast(words.notMoved(entry.name, api.expect(error)), { trouble: true });
      break;
    }
    if (conflicts.stopped) break;
  }
  if (done.length === 0) return;
  gone(done.map(([entry]) => entry.address));
  made(done.map(([entry, to]) => movedTo(entry, to, nameOf(to))));
  toast(words.moved(done.map(([entry]) => nameOf(entry.address)), into));
}

/* Its new address, or null where it was skipped. */
async function moveOne(entry, wanted, conflicts) {
  let to = wanted;
  let replace = false;
  for (let number = 2; ; number++) {
    await settle([to]);
    try {
      await api.rename(entry.address, to, replace);
      return to;
    } catch (error) {
      if (!api.isTaken(error)) throw error;
      const choice = await conflicts.ask({ address: wanted, entry, canReplace: error.code === 'exists' && may('overwrite') && entry.type !== 'folder' && !replace });
      if (choice === 'skip') return null;
      if (choice === 'replace') replace = true;
      else to = numbered(wanted, number);
    }
  }
}

const TYPE = 'application/x-sallyport-entries';

let dragged = [];

export function dragStarts(event, entries) {
  if (!may('rename')) {
    event.preventDefault();
    return;
  }
  dragged = entries;
  const picture = byId('drag-picture');
  picture.textContent = words.names(entries.map(entry => entry.name));
  event.dataTransfer.effectAllowed = 'move';
  event.dataTransfer.setData(TYPE, '');
  event.dataTransfer.setDragImage(picture, -12, -8);
}

/* at(target): the element there that stands for a folder, and its address. */
export function dropPlace(element, at) {
  let lit = null;
  const light = place => {
    lit?.classList.remove('drop-here');
    lit = place;
    lit?.classList.add('drop-here');
  };
  const find = event => {
    const [place, address] = event.dataTransfer.types.includes(TYPE) && at(event.target) || [];
    return place && dragged.some(entry => canMove(entry, address)) ? [place, address] : [null];
  };
  element.addEventListener('dragover', event => {
    const [place] = find(event);
    light(place);
    if (!place) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'move';
  });
  element.addEventListener('dragleave', event => { if (!element.contains(event.relatedTarget)) light(null); });
  document.addEventListener('dragend', () => light(null));
  element.addEventListener('drop', event => {
    const [place, address] = find(event);
    light(null);
    if (!place) return;
    event.preventDefault();
    moveAll(dragged, address);
  });
}
