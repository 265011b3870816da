/* transfers.js: the uploads: which file goes next, in which pieces (tus 1.0.0), what happens when one is paused,
 * cancelled, cut off or refused; what is not finished is kept over a reload. panel.js shows it. */
import * as api from './api.js';
import { made, may } from './folder.js';
import { Conflicts, settle } from './move.js';
import { byId, el } from './dom.js';
import { join, nameOf, numbered, parentOf, toApiBase64, toBase64 } from './text.js';

const AT_ONCE = 3;  /* of a browser's six connections */
const PIECE_BYTES = 32 * 1024 * 1024;  /* in one PATCH */
const WITH_CREATION_BYTES = 256 * 1024;  /* one request for a file */
const CHECKED_BYTES = 8 * 1024 * 1024;  /* pieces that fit in memory */
const TICK_MS = 250;
const SPEED_MS = 6000;
const LONGEST_WAIT_S = 15;
const TRIES = 5;  /* while the server fails */

export const STATES = {
  waiting: { actions: ['pause', 'cancel'], open: true, busy: true },
  running: { actions: ['pause', 'cancel'], open: true, busy: true },
  asking: { actions: ['cancel'], open: true, busy: true },
  offline: { actions: ['retry', 'cancel'], open: true, busy: true },
  paused: { actions: ['resume', 'cancel'], open: true },
  missing: { actions: ['choose', 'cancel'], open: true },  /* its file must be chosen again */
  failed: { actions: ['retry', 'cancel'] },
  done: { actions: [] },
};

/* ---- the files that a person hands over: {file, path, handle}: path its folders and its name; handle what the
 * browser keeps of it over a reload ({root, path}), or null ---- */

/* {files, folders}: paths, so that empty ones come along. After the event the browser has forgotten the roots. */
export async function fromDrop({ items }) {
  const roots = [...items].filter(item => item.kind === 'file').map(item =>
    [item.webkitGetAsEntry(), item.getAsFileSystemHandle?.().catch(() => null)]);
  const found = { files: [], folders: [] };
  for (const [entry, handle] of roots) if (entry) await walk(entry, [entry.name], await handle, found);
  return found;
}

async function walk(entry, path, root, found) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    found.files.push({ file, path, handle: root ? { root, path: path.slice(1) } : null });
    return;
  }
  found.folders.push(path);
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return;
    for (const child of some) await walk(child, [...path, child.name], root, found);
  }
}

export async function pickFiles() {
  if (!window.showOpenFilePicker) return fromInput({ multiple: true });
  const roots = await showOpenFilePicker({ multiple: true }).catch(() => []);
  return { files: await Promise.all(roots.map(async root => ({ file: await root.getFile(), path: [root.name], handle: { root, path: [] } }))), folders: [] };
}

export const canPickFolders = 'webkitdirectory' in HTMLInputElement.prototype;

export const pickFolder = () => fromInput({ multiple: true, webkitdirectory: true });

/* Browsers tell a detached input nothing. */
export function fromInput(attributes) {
  return new Promise(done => {
    const finish = () => {
      input.remove();
      done({ files: [...input.files].map(file => ({ file, path: (file.webkitRelativePath || file.name).split('/'), handle: null })), folders: [] });
    };
    const input = el('input', { type: 'file', hidden: true, id: 'picker', onchange: finish, oncancel: finish, ...attributes });
    byId('picker')?.remove();
    document.body.append(input);
    input.click();
  });
}

/* 'denied' where the browser would have to ask and may not (ask: a click is being handled); null: gone. */
async function fromHandle({ root, path }, ask) {
  try {
    let allowed = await root.queryPermission?.({ mode: 'read' }) ?? 'granted';
    if (allowed === 'prompt' && ask) allowed = await root.requestPermission({ mode: 'read' });
    if (allowed !== 'granted') return 'denied';
    let handle = root;
    for (const name of path.slice(0, -1)) handle = await handle.getDirectoryHandle(name);
    if (path.length > 0) handle = await handle.getFileHandle(path.at(-1));
    return await handle.getFile();
  } catch {
    return null;
  }
}

/* Not once it was changed or moved. */
const isReadable = file => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

/* ---- tus ---- */

const VERSION = '1.0.0';
const BYTES = 'application/offset+octet-stream';

/* Not fetch: it tells no progress. */
function request(method, address, { headers = {}, body = null, signal, progress }) {
  return new Promise((done, failed) => {
    signal?.throwIfAborted();
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    signal?.addEventListener('abort', abort);
    xhr.open(method, address);
    for (const [name, value] of Object.entries({ 'Tus-Resumable': VERSION, 'X-CSRF-Token': api.token(), ...headers })) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = event => progress?.(event.loaded);
    xhr.onloadend = () => {
      signal?.removeEventListener('abort', abort);
      if (signal?.aborted) failed(signal.reason);
      else if (xhr.status === 0) failed(new api.Trouble('offline'));
      else if (xhr.status >= 300) failed(api.troubleOf(xhr.status, xhr.responseText));
      else done(xhr);
    };
    xhr.send(body);
  });
}

const inBase64 = text => toBase64(new TextEncoder().encode(text));

const metadata = ({ address, replace, modified }) =>
  `path ${toApiBase64(address)},replace ${inBase64(replace ? 'yes' : 'no')},mtime ${inBase64(String(modified))}`;

async function checksum(piece) {
  const hash = await crypto.subtle.digest('SHA-256', await piece.arrayBuffer());
  return { 'Upload-Checksum': `sha256 ${toBase64(new Uint8Array(hash))}` };
}

const offsetIn = xhr => Number(xhr.getResponseHeader('Upload-Offset'));

async function create(item, body, signal, progress) {
  const headers = { 'Upload-Length': item.size, 'Upload-Metadata': metadata(item), ...body && { 'Content-Type': BYTES, ...await checksum(body) } };
  const xhr = await request('POST', '/api/uploads', { headers, body, signal, progress });
  item.location = new URL(xhr.getResponseHeader('Location'), document.baseURI).pathname;
  item.sent = body ? offsetIn(xhr) : 0;
}

/* null where the server knows it no longer. */
async function offsetOf({ location }, signal) {
  try {
    return offsetIn(await request('HEAD', location, { signal }));
  } catch (error) {
    if ([404, 410].includes(error.status)) return null;
    throw error;
  }
}

async function patch(item, piece, signal, progress) {
  const headers = {
    'Content-Type': BYTES, 'Upload-Offset': item.sent,
    ...piece.size > 0 && piece.size <= CHECKED_BYTES && await checksum(piece),
  };
  return offsetIn(await request('PATCH', item.location, { headers, body: piece, signal, progress }));
}

/* Each upload belongs to a tab, which holds a lock as long as it lives; what belongs to no living tab is adopted
 * by the next that opens. Where the browser keeps nothing, nothing is kept. */
const TAB = crypto.randomUUID();
const LOCK = 'sallyport-tab-';
const KEPT = ['id', 'address', 'top', 'name', 'size', 'modified', 'lastModified', 'location', 'replace', 'handle'];

let database = null;

async function store(mode, work) {
  database ??= new Promise((done, failed) => {
    const opening = indexedDB.open('sallyport', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('uploads', { keyPath: 'id' });
    opening.onsuccess = () => done(opening.result);
    opening.onerror = failed;
  });
  try {
    const transaction = (await database).transaction('uploads', mode);
    const result = work(transaction.objectStore('uploads'));
    await new Promise((done, failed) => {
      transaction.oncomplete = done;
      transaction.onabort = failed;
    });
    return result;
  } catch {
    return null;
  }
}

const record = item => ({ ...Object.fromEntries(KEPT.map(key => [key, item[key]])), paused: item.state === 'paused', account: api.me().account, tab: TAB });

const keep = items => store('readwrite', uploads => { for (const item of items) uploads.put(record(item)); });

const forget = items => store('readwrite', uploads => { for (const { id } of items) uploads.delete(id); });

async function adopt() {
  if (!navigator.locks) return [];
  await new Promise(held => { navigator.locks.request(LOCK + TAB, () => { held(); return new Promise(() => {}); }); });
  return navigator.locks.request('sallyport-adopt', async () => {
    const living = (await navigator.locks.query()).held.map(({ name }) => name);
    const all = (await store('readonly', uploads => uploads.getAll()))?.result ?? [];
    const mine = all.filter(one => one.account === api.me().account && !living.includes(LOCK + one.tab));
    await store('readwrite', uploads => { for (const one of mine) uploads.put({ ...one, tab: TAB }); });
    return mine;
  });
}

/* Bytes a second, of the last seconds; 0 while it is too early to tell. */
class Speed {
  #samples = [];

  add(bytes) {
    const now = performance.now();
    this.#samples.push([now, bytes]);
    while (now - this.#samples[0][0] > SPEED_MS) this.#samples.shift();
  }

  forget() {
    this.#samples = [];
  }

  get value() {
    const [[from, before], [to, after]] = [this.#samples[0] ?? [0, 0], this.#samples.at(-1) ?? [0, 0]];
    return to - from < 500 ? 0 : Math.max(0, after - before) / (to - from) * 1000;
  }
}

class Skipped extends Error {}

class Transfers extends EventTarget {
  items = [];
  speed = new Speed();
  #running = 0;
  #ticker = null;
  #held = null;  /* the timer until what was cut off tries again */
  #fails = 0;  /* in a row */
  #sentInAll = 0;  /* bytes, since the page was opened */

  async begin() {
    addEventListener('online', () => this.#again());
    const batch = { conflicts: new Conflicts(), folders: new Map() };
    for (const { paused, ...kept } of await adopt()) this.items.push(this.#make({ ...kept, batch, state: paused ? 'paused' : 'missing' }));
    await this.reopen(false);
  }

  #make(fields) {
    return { sent: 0, tries: 0, number: 2, file: null, location: null, replace: false, speed: new Speed(), ...fields };
  }

  add({ files, folders }, top) {
    const batch = { conflicts: new Conflicts(), folders: new Map() };
    const addressOf = path => path.reduce((address, name) => join(address, encodeURIComponent(name)), top);
    const fresh = files.map(({ file, path, handle }) => this.#make({
      id: crypto.randomUUID(), file, handle, address: addressOf(path), top, batch, state: 'waiting', name: path.join('/'),
      size: file.size, modified: Math.floor(file.lastModified / 1000), lastModified: file.lastModified,
    }));
    this.#makeFolders(folders.map(addressOf), batch);
    this.items.push(...fresh);
    keep(fresh);
    this.#tell('change');
    this.#pump();
  }

  pause(item) {
    this.#halt(item, 'paused');
    keep([item]);
  }

  async resume(item) {
    item.tries = 0;
    this.#set(item, item.file ? 'waiting' : 'missing');
    keep([item]);
    if (!item.file) await this.reopen(true);
    this.#pump();
  }

  async retry(item) {
    await this.resume(item);
    this.#again();
  }

  cancel(item) {
    this.#halt(item, 'cancelled');
    this.#remove(item);
    this.#drop(item);
    this.#pump();
  }

  clear() {
    forget(this.items.filter(item => !STATES[item.state].open));
    this.items = this.items.filter(item => STATES[item.state].open);
    this.#tell('change');
  }

  all(action) {
    for (const item of [...this.items]) if (STATES[item.state].actions.includes(action)) this[action](item);
  }

  get isBusy() {
    return this.items.some(item => STATES[item.state].busy);
  }

  /* Files that were chosen once more; how many were wanted. */
  match(files) {
    const found = files.filter(({ file }) => {
      const item = this.items.find(one => one.state === 'missing' && this.#isOf(one, file) && one.name.split('/').at(-1) === file.name);
      if (!item) return false;
      item.file = file;
      this.#set(item, 'waiting');
      return true;
    });
    this.#pump();
    return found.length;
  }

  #isOf(item, file) {
    return item.size === file.size && item.lastModified === file.lastModified;
  }

  /* By kept handles. ask: a click is being handled. */
  async reopen(ask) {
    for (const item of this.items.filter(one => !one.file && one.handle && ['missing', 'paused'].includes(one.state))) {
      const file = await fromHandle(item.handle, ask);
      if (file === 'denied') continue;
      if (!file || !this.#isOf(item, file)) item.handle = null;
      else {
        item.file = file;
        if (item.state === 'missing') this.#set(item, 'waiting');
      }
    }
    this.#tell('change');
    this.#pump();
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }

  #set(item, state, trouble = null) {
    Object.assign(item, { state, trouble });
    this.#tell('change');
  }

  #halt(item, state) {
    item.speed.forget();
    this.#set(item, state);
    item.stop?.abort(new Skipped());
  }

  #remove(item) {
    this.items = this.items.filter(one => one !== item);
    forget([item]);
    this.#tell('change');
  }

  #again() {
    clearTimeout(this.#held);
    this.#held = null;
    for (const item of this.items) if (item.state === 'offline') this.#set(item, 'waiting');
    this.#pump();
  }

  #pump() {
    for (const item of this.items) {
      if (this.#held || this.#running >= AT_ONCE) break;
      if (item.state === 'waiting') this.#run(item);
    }
    if (this.#running > 0) this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
    else {
      clearInterval(this.#ticker);
      this.#ticker = null;
      this.speed.forget();
    }
  }

  #tick() {
    this.speed.add(this.#sentInAll);
    for (const item of this.items) if (item.state === 'running') item.speed.add(item.sent);
    this.#tell('tick');
  }

  async #run(item) {
    const stop = item.stop = new AbortController();
    this.#running++;
    this.#set(item, 'running');
    try {
      for (const address of this.#above(item)) await this.#ensureFolder(address, item.batch);
      await this.#send(item, stop.signal);
      this.#finish(item);
    } catch (error) {
      if (!stop.signal.aborted && !(error instanceof Skipped)) await this.#broke(item, error);
    }
    this.#running--;
    this.#pump();
  }

  /* What is whole at the server but has no name yet is ended by a piece of no bytes. An upload belongs to
   * its name: where that was taken meanwhile another is begun. */
  async #send(item, signal) {
    if (item.location) {
      const offset = await offsetOf(item, signal);
      if (offset === null && await this.#isThere(item)) return;
      if (offset === null) item.location = null;
      item.sent = offset ?? 0;
    }
    for (;;) {
      try {
        if (!item.location) await this.#create(item, signal);
        else await this.#sendPiece(item, signal);
        if (item.sent === item.size) return;
      } catch (error) {
        if (!api.isTaken(error)) throw error;
        await this.#ask(item, error, signal);
        this.#drop(item);
      }
    }
  }

  async #create(item, signal) {
    await settle([item.address]);
    signal.throwIfAborted();
    item.sent = 0;
    await create(item, item.size > 0 && item.size <= WITH_CREATION_BYTES ? item.file : null, signal, this.#progress(item));
    if (item.sent < item.size) keep([item]);
  }

  #drop(item) {
    if (item.location) request('DELETE', item.location, {}).catch(() => {});
    item.location = null;
  }

  async #sendPiece(item, signal) {
    const from = item.sent;
    const piece = item.file.slice(from, from + PIECE_BYTES);
    const to = await patch(item, piece, signal, this.#progress(item));
    if (to !== from + piece.size) throw new api.Trouble('broken');
    item.sent = to;
    item.tries = 0;
    this.#fails = 0;
  }

  #progress(item) {
    const from = item.sent;
    return loaded => {
      const sent = Math.min(item.size, from + loaded);
      this.#sentInAll += Math.max(0, sent - item.sent);
      item.sent = sent;
    };
  }

  /* While the question stands another goes on in this one's place. */
  async #ask(item, { code }, signal) {
    const address = item.wanted ??= item.address;
    this.#set(item, 'asking');
    this.#running--;
    this.#pump();
    const choice = await item.batch.conflicts.ask({
      address, entry: { type: 'file', size: item.size, mtime: item.modified }, canReplace: code === 'exists' && may('overwrite') && !item.replace,
    });
    this.#running++;
    signal.throwIfAborted();
    if (choice === 'skip') {
      this.#drop(item);
      this.#remove(item);
      throw new Skipped();
    }
    if (choice === 'replace') item.replace = true;
    else item.address = numbered(address, item.number++);
    this.#set(item, 'running');
    keep([item]);
  }

  /* The last answer may have been lost: then the file is there, as it was sent. */
  async #isThere(item) {
    const there = await api.stat(item.address).catch(() => null);
    return there?.type === 'file' && there.size === item.size && Math.floor(there.mtime) === item.modified;
  }

  #finish(item) {
    const { address, size, modified } = item;
    Object.assign(item, { sent: size, file: null });
    this.#set(item, 'done');
    forget([item]);
    made([{ name: nameOf(address), type: 'file', size, mtime: modified, address }]);
  }

  async #broke(item, error) {
    item.speed.forget();
    if (!(error instanceof api.Trouble)) this.#set(item, 'failed', new api.Trouble('unreadable'));
    else if (error.code === 'offline' && !await isReadable(item.file)) this.#set(item, 'failed', new api.Trouble('unreadable'));
    else if (api.ofSession(error)) {
      await api.signedOut();
      this.#set(item, 'waiting');
    } else if (error.code === 'offline' || (this.#mayPass(error) && item.tries < TRIES)) this.#later(item, error);
    else this.#set(item, 'failed', error);
  }

  /* What another try may cure: a server in trouble, another offset or checksum. */
  #mayPass({ code, status }) {
    return ['busy', 'broken'].includes(code) || [409, 423, 460].includes(status) || (status >= 500 && code !== 'no_space');
  }

  /* One waits for all. */
  #later(item, trouble) {
    item.tries++;
    this.#set(item, 'offline', trouble);
    this.#held ??= setTimeout(() => this.#again(), 1000 * Math.min(LONGEST_WAIT_S, 2 ** this.#fails++));
  }

  /* No file would ask for the empty ones. */
  async #makeFolders(addresses, batch) {
    for (const address of addresses) {
      try {
        await this.#ensureFolder(address, batch);
      } catch (trouble) {
        this.dispatchEvent(new CustomEvent('trouble', { detail: { address, trouble: api.expect(trouble) } }));
        return;
      }
    }
  }

  #above({ address, top }) {
    const above = [];
    for (let one = parentOf(address); one.length > top.length; one = parentOf(one)) above.unshift(one);
    return above;
  }

  /* One request, whichever file asks. */
  #ensureFolder(address, { folders }) {
    if (!folders.has(address)) {
      const making = this.#makeFolder(address);
      folders.set(address, making);
      making.catch(() => folders.delete(address));
    }
    return folders.get(address);
  }

  async #makeFolder(address) {
    await settle([address]);
    try {
      await api.makeFolder(address);
    } catch (error) {
      if (error.code === 'exists') return;
      throw error;
    }
    made([{ name: nameOf(address), type: 'folder', size: 0, mtime: Date.now() / 1000, address }]);
  }
}

export const transfers = new Transfers();
