/* folder.js: the entries of the folder that is open, or of a search below it: loaded, kept in order, and
 * changed as the page's own actions change them. One object, `folder`; the views listen to it:
 *   'change'  the rows are others now          'state'  loading, ready, broken
 * It never touches the page. Entries: {name, type, size, mtime, link, rights, raw} as the API tells them,
 * with `address`; a draft (a new folder being named) stands first and is no entry of the server's. */
import * as api from './api.js';
import { parentOf, isInside } from './names.js';
import { Sorter } from './slices.js';

const collator = new Intl.Collator(undefined, { numeric: true });

const DIRECTIONS = { name: 1, size: -1, changed: -1 };     /* what a first click on the head gives */

function byName(a, b) {
    if (a.rank !== undefined && b.rank !== undefined) return a.rank - b.rank;
    return collator.compare(a.name, b.name) || (a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
}

const foldersFirst = (a, b) => (b.type === 'folder') - (a.type === 'folder');

const COMPARE = {
    name: direction => (a, b) => foldersFirst(a, b) || direction * byName(a, b),
    size: direction => (a, b) => foldersFirst(a, b) || (a.type === 'folder' ? 0 : direction * (a.size - b.size)) || byName(a, b),
    changed: direction => (a, b) => foldersFirst(a, b) || direction * (a.mtime - b.mtime) || byName(a, b),
};

class Folder extends EventTarget {
    address = '/';
    search = '';                       /* what is searched for, or '' */
    rows = [];
    rights = null;                     /* the folder's own, where the server tells them */
    state = 'loading';
    trouble = null;
    seen = 0;                          /* entries that have come, while loading */
    loadedAt = 0;
    order = { key: 'name', direction: 1 };
    draft = null;
    #hidden = new Set();               /* addresses that are held for deletion */
    #shelf = new Map();                /* those of them that belong to these rows */
    #meanwhile = new Map();            /* what the page changed while it was loading: address, entry or null */
    #index = null;
    #abort = null;

    get count() {
        return this.rows.length - (this.draft ? 1 : 0);
    }

    get bytes() {
        let sum = 0;
        for (const row of this.rows) if (row.type === 'file') sum += row.size;
        return sum;
    }

    /* Opens a folder, or a search in it. The rows show as soon as the first have come and again each
     * time that their number has doubled; `quiet` (the same folder once more) shows them when all are there. */
    async load(address, search = '', { quiet = false } = {}) {
        this.#abort?.abort();
        const abort = this.#abort = new AbortController();
        Object.assign(this, { address, search, trouble: null, seen: 0, state: 'loading' });
        if (!quiet) this.rights = null;
        this.#shelf.clear();
        this.#meanwhile.clear();
        if (!quiet) this.draft = null;
        this.#tell('state');
        const { order } = this;
        const sorter = new Sorter(this.#compare());
        let next = 1;
        try {
            for await (const { head, batch } of search ? api.finding(address, search, abort.signal) : api.listing(address, abort.signal)) {
                if (abort.signal.aborted) return;
                if (head) this.rights = head.rights ?? null;
                if (!batch) continue;
                this.seen += batch.length;
                await sorter.add(this.#visible(batch));
                if (quiet || this.seen < next) continue;
                const rows = await sorter.all();
                if (abort.signal.aborted) return;
                this.#show(rows);
                next = this.seen * 2;
                this.#tell('state');
            }
            const rows = await sorter.all();
            if (abort.signal.aborted) return;
            if (order === this.order) this.#rank(rows);
            this.#finish('ready', null, rows);
            if (order !== this.order) await this.#sortAgain([]);
        } catch (trouble) {
            if (abort.signal.aborted) return;
            if (!(trouble instanceof api.Trouble)) throw trouble;
            this.#finish('broken', trouble, await sorter.all());
        }
    }

    stop() {
        this.#abort?.abort();
    }

    #finish(state, trouble, rows) {
        Object.assign(this, { state, trouble, loadedAt: Date.now() });
        const meanwhile = [...this.#meanwhile.values()].filter(entry => entry !== null);
        this.#show(this.#meanwhile.size > 0 ? rows.filter(row => !this.#meanwhile.has(row.address)) : rows);
        this.#meanwhile.clear();
        this.add(meanwhile);
        this.#tell('state');
    }

    #compare() {
        return COMPARE[this.order.key](this.order.direction);
    }

    #visible(entries) {
        if (this.#hidden.size === 0) return entries;
        return entries.filter(entry => {
            if (!this.#hidden.has(entry.address)) return true;
            this.#shelf.set(entry.address, entry);
            return false;
        });
    }

    #show(rows) {
        this.rows = this.draft ? [this.draft, ...rows] : rows;
        this.#index = null;
        this.#tell('change');
    }

    #tell(what) {
        this.dispatchEvent(new Event(what));
    }

    /* Where an address stands among the rows, or -1. */
    indexOf(address) {
        this.#index ??= new Map(this.rows.map((row, index) => [row.address, index]));
        return this.#index.get(address) ?? -1;
    }

    find(address) {
        return this.rows[this.indexOf(address)];
    }

    /* The same column again turns the order round. */
    async sortBy(key) {
        const direction = this.order.key === key ? -this.order.direction : DIRECTIONS[key];
        this.order = { key, direction };
        if (this.state !== 'loading') await this.#sortAgain([]);
    }

    /* All rows and some more, in order; once again where the rows changed meanwhile. */
    async #sortAgain(more) {
        for (;;) {
            const { rows: before, order } = this;
            const sorter = new Sorter(this.#compare());
            await sorter.add(this.#entries().concat(more));
            const rows = await sorter.all();
            if (this.rows !== before || this.order !== order) continue;
            this.#rank(rows);
            this.#show(rows);
            return;
        }
    }

    /* In an order by name each row keeps its place: comparing names again need not collate. */
    #rank(rows) {
        if (this.order.key === 'name') rows.forEach((row, rank) => { row.rank = rank * this.order.direction; });
    }

    #entries() {
        return this.draft ? this.rows.slice(1) : this.rows;
    }

    /* What the page has made, moved here or uploaded; takes the place of what had the address. */
    add(entries) {
        const mine = this.#visible(entries.filter(entry => this.search === '' && parentOf(entry.address) === this.address));
        if (mine.length === 0) return;
        const taken = new Set(mine.map(entry => entry.address));
        const rows = this.#entries().filter(row => !taken.has(row.address));
        const compare = this.#compare();
        for (const entry of mine) {
            rows.splice(place(rows, entry, compare), 0, entry);
            if (this.state === 'loading') this.#meanwhile.set(entry.address, entry);
        }
        this.#show(rows);
    }

    /* What is gone from the server, with all below it. True where that is the open folder itself. */
    drop(addresses) {
        const gone = new Set(addresses);
        for (const address of gone) {
            this.#shelf.delete(address);
            if (this.state === 'loading') this.#meanwhile.set(address, null);
        }
        const rows = this.#entries().filter(row => !gone.has(row.address));
        if (rows.length !== this.count) this.#show(rows);
        return [...gone].some(address => isInside(this.address, address));
    }

    /* Hide what is held for deletion, and show it again. */
    hide(addresses) {
        for (const address of addresses) this.#hidden.add(address);
        const rows = this.#visible(this.#entries());
        if (rows.length !== this.count) this.#show(rows);
    }

    async unhide(addresses) {
        const back = [];
        for (const address of addresses) {
            this.#hidden.delete(address);
            const entry = this.#shelf.get(address);
            if (entry) back.push(entry);
            this.#shelf.delete(address);
        }
        if (back.length > 0) await this.#sortAgain(back);
    }

    /* What was hidden is deleted now: its address may be used again. */
    forget(addresses) {
        for (const address of addresses) {
            this.#hidden.delete(address);
            this.#shelf.delete(address);
        }
    }

    setDraft(draft) {
        const rows = this.#entries();
        this.draft = draft;
        this.#show(rows);
    }
}

function place(rows, entry, compare) {
    let low = 0;
    let high = rows.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (compare(rows[middle], entry) <= 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

export const folder = new Folder();
