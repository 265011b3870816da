/* slices.js: long work in slices of a few milliseconds, so that the page answers in between.
 * No workers: Trusted Types leave no way to start one, and the entries need not be copied this way. */

const SLICE_MS = 8;
const RUN = 256;                      /* what is sorted in one go: about a millisecond of collating */

let begun = 0;
const resume = [];
const channel = new MessageChannel();
channel.port1.onmessage = () => {
    begun = performance.now();
    resume.shift()();
};

/* Whether the slice is used up; then `await breathe()`. */
export const due = () => performance.now() - begun > SLICE_MS;

export function breathe() {
    return new Promise(done => {
        resume.push(done);
        channel.port2.postMessage(null);
    });
}

async function merge(left, right, compare) {
    if (compare(left.at(-1), right[0]) <= 0) return left.concat(right);
    const all = [];
    let i = 0;
    let j = 0;
    while (i < left.length && j < right.length) {
        all.push(compare(left[i], right[j]) <= 0 ? left[i++] : right[j++]);
        if ((all.length & 127) === 0 && due()) await breathe();
    }
    while (i < left.length) all.push(left[i++]);
    while (j < right.length) all.push(right[j++]);
    return all;
}

/* A stable merge sort that takes its entries as they come. Runs of like length are merged on the way,
 * so that all() at any time costs little more than once at the end. */
export class Sorter {
    #compare;
    #runs = [];

    constructor(compare) {
        this.#compare = compare;
    }

    async add(items) {
        for (let at = 0; at < items.length; at += RUN) {
            this.#runs.push(items.slice(at, at + RUN).sort(this.#compare));
            while (this.#runs.length > 1 && this.#runs.at(-2).length <= this.#runs.at(-1).length) await this.#join();
            if (due()) await breathe();
        }
    }

    async all() {
        while (this.#runs.length > 1) await this.#join();
        return this.#runs[0] ?? [];
    }

    async #join() {
        const right = this.#runs.pop();
        const left = this.#runs.pop();
        this.#runs.push(await merge(left, right, this.#compare));
    }
}
