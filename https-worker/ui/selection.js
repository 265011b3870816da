/* selection.js: which rows are selected, and which one the keyboard is on (the active one). Addresses, not
 * rows: they survive sorting and loading. One object, `selection`; 'change' when something is another. */
import { folder } from './folder.js';

class Selection extends EventTarget {
    addresses = new Set();
    active = null;
    #anchor = null;

    constructor() {
        super();
        folder.addEventListener('change', () => this.#prune());
    }

    get size() {
        return this.addresses.size;
    }

    has(address) {
        return this.addresses.has(address);
    }

    /* The entries in the order of the rows. */
    entries() {
        if (this.size === 1) return [folder.find([...this.addresses][0])].filter(Boolean);
        return folder.rows.filter(row => this.addresses.has(row.address));
    }

    only(address) {
        this.#set(new Set([address]), address, address);
    }

    toggle(address) {
        const addresses = new Set(this.addresses);
        if (!addresses.delete(address)) addresses.add(address);
        this.#set(addresses, address, address);
    }

    /* From where the last selecting began to here; `more` keeps what is selected elsewhere. */
    reach(address, more = false) {
        const from = folder.indexOf(this.#anchor ?? address);
        const to = folder.indexOf(address);
        const addresses = new Set(more ? this.addresses : []);
        for (let at = Math.max(0, Math.min(from, to)); at <= Math.max(from, to); at++) addresses.add(folder.rows[at].address);
        this.#set(addresses, address, from < 0 ? address : this.#anchor);
    }

    all() {
        this.#set(new Set(folder.rows.map(row => row.address)), this.active, this.#anchor);
    }

    /* The keyboard goes there; what is selected stays. */
    moveTo(address) {
        this.#set(this.addresses, address, this.#anchor ?? address);
    }

    clear() {
        if (this.size > 0) this.#set(new Set(), this.active, this.active);
    }

    /* Another folder: nothing is selected, and the keyboard is on `active` once that is there. */
    reset(active = null) {
        this.#set(new Set(), active, active);
    }

    #set(addresses, active, anchor) {
        this.addresses = addresses;
        this.active = active;
        this.#anchor = anchor;
        this.dispatchEvent(new Event('change'));
    }

    /* What is no longer there is not selected. The active row may still be coming while rows load. */
    #prune() {
        if (this.size > 0) {
            const left = new Set([...this.addresses].filter(address => folder.indexOf(address) >= 0));
            if (left.size !== this.size) this.#set(left, this.active, this.#anchor);
        }
    }
}

export const selection = new Selection();
