/* folder.js: the entries of the open folder, or of a search below it: loaded, sorted, and changed as the page's
 * own actions change them. The views listen to `folder` ('change': other rows; 'state') and to `changes`. */
import * as api from './api.js';
import { breathe, Sorter, sorted } from './slices.js';
import { parentOf } from './text.js';

const collator = new Intl.Collator(undefined, { numeric: true });

export function byName(a, b) {
  if (a.rank !== undefined && b.rank !== undefined) return a.rank - b.rank;
  return collator.compare(a.name, b.name) || (a.address < b.address ? -1 : 1);
}

/* By column: the order of a first click, and what is compared. */
const COLUMNS = {
  name: [1, () => 0],
  size: [-1, (a, b) => (a.type === 'folder' ? 0 : a.size - b.size)],
  changed: [-1, (a, b) => a.mtime - b.mtime],
};

class Folder extends EventTarget {
  address = '/';
  search = '';  /* a search's text */
  rows = [];  /* what is shown: a draft first, nothing that is held */
  draft = null;  /* a new folder that is being named */
  state = 'loading';  /* or ready, broken */
  trouble = null;
  rights = null;  /* in this folder, once it is known: a folder set has its own */
  seen = 0;  /* entries that have come */
  loadedAt = 0;
  column = 'name';
  direction = 1;
  #all = [];
  #held = new Set();  /* for deletion */
  #meanwhile = new Map();  /* changed while loading: address, entry or null */
  #known = new Map();  /* address: entry; entry.at is its row, or -1 */
  #abort = null;

  get count() {
    return this.rows.length - Number(this.draft !== null);
  }

  get bytes() {
    return this.rows.reduce((sum, row) => sum + (row.type === 'file' ? row.size : 0), 0);
  }

  /* The rows show when the first have come, and each time that their number has doubled; quietly (the same
   * folder once more) when all are there. */
  async load(address, search = '', quietly = false) {
    this.#abort?.abort();
    const { signal } = this.#abort = new AbortController();
    Object.assign(this, { address, search, trouble: null, rights: null, seen: 0, state: 'loading' });
    this.#meanwhile.clear();
    if (!quietly) this.draft = null;
    this.#tell('state');
    const compare = this.#compare();
    const sorter = new Sorter(compare);
    const known = new Map();
    let next = 1;
    try {
      for await (const batch of api.entries(address, search, signal, ({ rights }) => { this.rights = rights; })) {
        this.seen += batch.length;
        for (const entry of batch) known.set(entry.address, Object.assign(entry, { at: -1, rank: undefined }));
        await sorter.add(batch);
        if (signal.aborted) return;
        if (quietly || this.seen < next) continue;
        next = this.seen * 2;
        const rows = await sorter.all();
        await breathe();
        if (signal.aborted) return;
        this.#known = known;
        this.#show(rows);
        this.#tell('state');
        await breathe();
      }
      this.state = 'ready';
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = api.expect(error);
      this.state = 'broken';
    }
    const rows = await sorter.all();
    await breathe();
    if (signal.aborted) return;
    this.loadedAt = Date.now();
    this.#known = known;
    this.#rank(rows, compare);
    this.#show(rows);
    if (this.#meanwhile.size > 0) {
      this.drop(this.#meanwhile.keys());
      this.add([...this.#meanwhile.values()].filter(Boolean));
    }
    if (compare !== this.comparing) await this.#sort();
    this.#tell('state');
  }

  #compare() {
    const { direction } = this;
    const own = COLUMNS[this.column][1];
    const first = this.column === 'name' ? direction : 1;
    return this.comparing = (a, b) => (b.type === 'folder') - (a.type === 'folder') || direction * own(a, b) || first * byName(a, b);
  }

  /* Comparing names again need not collate. */
  #rank(rows, compare) {
    if (this.column === 'name' && compare === this.comparing) rows.forEach((row, rank) => { row.rank = rank * this.direction; });
  }

  async sortBy(column) {
    this.direction = this.column === column ? -this.direction : COLUMNS[column][0];
    this.column = column;
    const compare = this.#compare();
    if (this.state !== 'loading') await this.#sort(compare);
  }

  async #sort(compare = this.comparing) {
    for (;;) {
      const before = this.#all;
      const rows = await sorted(before, compare);
      await breathe();
      if (compare !== this.comparing) return;
      if (before !== this.#all) continue;
      this.#rank(rows, compare);
      this.#show(rows);
      return;
    }
  }

  #show(all = this.#all) {
    this.#all = all;
    for (const address of this.#held) Object.assign(this.#known.get(address) ?? {}, { at: -1 });
    this.rows = this.#held.size > 0 ? all.filter(row => !this.#held.has(row.address)) : all;
    if (this.draft) this.rows = [this.draft, ...this.rows];
    this.rows.forEach((row, at) => { row.at = at; });
    this.#tell('change');
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }

  indexOf(address) {
    return (address === this.draft?.address ? this.draft : this.#known.get(address))?.at ?? -1;
  }

  find(address) {
    return this.rows[this.indexOf(address)];
  }

  /* What the page has made, moved here or uploaded. */
  add(entries) {
    const mine = entries.filter(entry => this.search === '' && parentOf(entry.address) === this.address);
    if (mine.length === 0) return;
    const taken = new Set(mine.map(entry => entry.address));
    const rows = this.#all.filter(row => !taken.has(row.address));
    for (const entry of mine) {
      rows.splice(this.#placeOf(entry, rows), 0, entry);
      this.#known.set(entry.address, entry);
      if (this.state === 'loading') this.#meanwhile.set(entry.address, entry);
    }
    this.#show(rows);
  }

  #placeOf(entry, rows) {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.comparing(rows[middle], entry) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  drop(addresses) {
    const gone = new Set(addresses);
    for (const address of gone) {
      this.#held.delete(address);
      this.#known.delete(address);
      if (this.state === 'loading') this.#meanwhile.set(address, null);
    }
    this.#show(this.#all.filter(row => !gone.has(row.address)));
  }

  hold(addresses, held) {
    for (const address of addresses) this.#held[held ? 'add' : 'delete'](address);
    this.#show();
  }

  setDraft(draft) {
    this.draft = draft;
    this.#show();
  }
}

export const folder = new Folder();

export const may = right => (folder.rights ?? api.me().rights).includes(right);

/* What the page itself has changed: 'made' (entries), 'gone' (addresses, with all below), 'moved' ({entry, after}). */
export const changes = new EventTarget();

const tell = (what, detail) => changes.dispatchEvent(new CustomEvent(what, { detail }));

export function made(entries) {
  folder.add(entries);
  tell('made', entries);
}

export function gone(addresses) {
  folder.drop(addresses);
  tell('gone', addresses);
}

export function moved(entry, after) {
  tell('moved', { entry, after });
  gone([entry.address]);
  made([after]);
}

export const movedTo = (entry, address, name) => ({ ...entry, rank: undefined, raw: undefined, address, name });
