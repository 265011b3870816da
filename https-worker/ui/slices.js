/* slices.js: long work in slices, so that the page answers in between. (Trusted Types allow no worker.) */

const SLICE_MS = 8;
const RUN = 256;  /* sorted in one go */

let begun = 0;
const waiting = [];
const channel = new MessageChannel();
channel.port1.onmessage = () => {
  rested();
  waiting.shift()();
};

export const rested = () => { begun = performance.now(); };

/* Then `await breathe()`. */
export const due = () => performance.now() - begun > SLICE_MS;

export const breathe = () => new Promise(done => {
  waiting.push(done);
  channel.port2.postMessage(null);
});

async function merge(left, right, compare) {
  if (compare(left.at(-1), right[0]) <= 0) return left.concat(right);
  const all = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    all.push(compare(left[i], right[j]) <= 0 ? left[i++] : right[j++]);
    if (all.length % 128 === 0 && due()) await breathe();
  }
  return all.concat(left.slice(i), right.slice(j));
}

/* A stable merge sort of items as they come; all() at any time costs little more than once at the end. */
export class Sorter {
  #runs = [];

  constructor(compare) {
    this.compare = compare;
  }

  async add(items) {
    for (let at = 0; at < items.length; at += RUN) {
      this.#runs.push(items.slice(at, at + RUN).sort(this.compare));
      while (this.#runs.at(-2)?.length <= this.#runs.at(-1).length) await this.#join();
      if (due()) await breathe();
    }
    return this;
  }

  async all() {
    while (this.#runs.length > 1) await this.#join();
    return this.#runs[0] ?? [];
  }

  async #join() {
    const right = this.#runs.pop();
    this.#runs.push(await merge(this.#runs.pop(), right, this.compare));
  }
}

export const sorted = async (items, compare) => (await new Sorter(compare).add(items)).all();
