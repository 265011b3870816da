/* selection.js: which rows are selected, and which one the keyboard is on (active). Addresses: they survive
 * sorting and loading. */
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

  entries() {
    return this.size > 1 ? folder.rows.filter(row => this.has(row.address)) : [...this.addresses].map(address => folder.find(address)).filter(Boolean);
  }

  only(address) {
    this.#set([address], address);
  }

  toggle(address) {
    const addresses = new Set(this.addresses);
    if (!addresses.delete(address)) addresses.add(address);
    this.#set(addresses, address);
  }

  /* From where the last selecting began; `more` keeps the rest. */
  reach(address, more = false) {
    const to = folder.indexOf(address);
    const from = Math.max(0, folder.indexOf(this.#anchor ?? address));
    const between = folder.rows.slice(Math.min(from, to), Math.max(from, to) + 1).map(row => row.address);
    this.#set([...more ? this.addresses : [], ...between], address, this.#anchor ?? address);
  }

  all() {
    this.#set(folder.rows.map(row => row.address), this.active, this.#anchor);
  }

  moveTo(address) {
    this.#set(this.addresses, address, this.#anchor ?? address);
  }

  clear(active = this.active) {
    this.#set([], active);
  }

  #set(addresses, active, anchor = active) {
    this.addresses = new Set(addresses);
    this.active = active;
    this.#anchor = anchor;
    this.dispatchEvent(new Event('change'));
  }

  #prune() {
    const left = [...this.addresses].filter(address => folder.indexOf(address) >= 0);
    if (left.length < this.size) this.#set(left, this.active, this.#anchor);
  }
}

export const selection = new Selection();
