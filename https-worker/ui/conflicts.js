/* conflicts.js: a name that exists already: replace, keep both, skip; for this one, or for all of what is
 * being moved or uploaded together (one Conflicts each). Questions are asked one after the other. */
import * as api from './api.js';
import { el } from './dom.js';
import { choose } from './dialogs.js';
import { moment, size } from './format.js';
import { words } from './strings.js';

let last = Promise.resolve();               /* one dialog at a time, whoever asks */

export class Conflicts {
    stopped = false;
    #forAll = null;

    /* Resolves to 'replace', 'both' or 'skip'. entry: what comes ({size, mtime, type}); address: the name
     * that is taken. Closing the question skips this one and stops a move (`stopped`). */
    ask(question) {
        const answer = last.then(() => this.#known(question) ?? this.#ask(question));
        last = answer.catch(() => {});
        return answer;
    }

    #known({ canReplace }) {
        return this.#forAll === 'replace' && !canReplace ? null : this.#forAll;
    }

    async #ask({ name, entry, address, canReplace }) {
        const there = await api.stat(address).catch(() => null);
        const choices = [
            { id: 'skip', label: words.skip_ },
            { id: 'both', label: words.keepBoth, main: !canReplace },
            canReplace && { id: 'replace', label: words.replace, main: true },
        ].filter(Boolean);
        const body = el('dl', { class: 'facts' }, ...facts(words.there, there), ...facts(words.coming, entry));
        const answer = await choose({ title: words.exists(name), body, choices, check: words.forAll });
        if (answer === null) {
            this.stopped = true;
            return 'skip';
        }
        if (answer.checked) this.#forAll = answer.id;
        return answer.id;
    }
}

function facts(label, entry) {
    if (!entry) return [];
    const text = entry.type === 'file' ? `${size(entry.size)}, ${moment(entry.mtime)}` : `${words.folder}, ${moment(entry.mtime)}`;
    return [el('dt', {}, label), el('dd', {}, text)];
}
