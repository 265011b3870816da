/* transfers.js: the uploads: which file goes next, in which pieces, and what happens when one is paused,
 * cancelled, cut off or refused. Speaks through tus.js, remembers through memory.js, and shows nothing:
 * panel.js listens to 'change' (other uploads, other states) and 'tick' (bytes, some times a second). */
import * as api from './api.js';
import { made } from './changes.js';
import { Conflicts } from './conflicts.js';
import * as memory from './memory.js';
import { encodeText, join, nameOf, numbered, parentOf } from './names.js';
import { settle } from './remove.js';
import { may, me, spaceChanged } from './session.js';
import { fromHandle, isReadable } from './sources.js';
import * as tus from './tus.js';

const AT_ONCE = 3;                          /* of the six connections that a browser makes to a server */
const PIECE_BYTES = 32 * 1024 * 1024;       /* in one PATCH */
const WITH_CREATION_BYTES = 256 * 1024;     /* files up to this need one request */
const CHECKED_BYTES = 8 * 1024 * 1024;      /* pieces up to this carry a checksum: they fit in memory */
const TICK_MS = 250;
const SPEED_MS = 6000;                      /* the speed is that of the last seconds */
const LONGEST_WAIT_S = 15;
const TRIES = 5;                            /* of what fails on the server's side */

/* What can be done with an upload in each state; panel.js makes its buttons of it. */
export const STATES = {
    waiting: { actions: ['pause', 'cancel'], open: true },
    running: { actions: ['pause', 'cancel'], open: true },
    asking: { actions: ['cancel'], open: true },
    offline: { actions: ['retry', 'cancel'], open: true },
    paused: { actions: ['resume', 'cancel'], open: true },
    missing: { actions: ['choose', 'cancel'], open: true },      /* its file must be chosen again */
    failed: { actions: ['retry', 'cancel'], open: false },
    done: { actions: [], open: false },
};

class Speed {
    #samples = [];

    add(bytes) {
        const now = performance.now();
        this.#samples.push([now, bytes]);
        while (this.#samples.length > 2 && now - this.#samples[0][0] > SPEED_MS) this.#samples.shift();
    }

    forget() {
        this.#samples = [];
    }

    /* Bytes a second, or 0 while it is too early to tell. */
    get value() {
        if (this.#samples.length < 2) return 0;
        const [from, before] = this.#samples[0];
        const [to, after] = this.#samples.at(-1);
        return to - from < 500 ? 0 : Math.max(0, (after - before) / (to - from) * 1000);
    }
}

class Skipped extends Error {}

const targetOf = ({ address, replace, modified }) => ({ address, replace, modified });

class Transfers extends EventTarget {
    items = [];
    speed = new Speed();
    #running = 0;
    #ticker = null;
    #held = null;                       /* the timer after which what was cut off tries again */
    #fails = 0;                         /* how often in a row it was cut off */
    #sentInAll = 0;                     /* bytes, since the page was opened */

    /* What this tab or one that is gone did not finish. */
    async begin() {
        addEventListener('online', () => this.#again());
        const records = await memory.adopt(me().account);
        if (records.length === 0) return;
        const batch = { conflicts: new Conflicts(), folders: new Map() };
        for (const record of records) {
            const { tab, account, ...kept } = record;
            this.items.push(this.#make({ ...kept, batch, state: record.paused ? 'paused' : 'missing' }));
        }
        await this.#reopen(this.items, false);
    }

    #make(fields) {
        return { sent: 0, file: null, handle: null, location: null, replace: false, trouble: null, tries: 0, stop: null, speed: new Speed(), ...fields };
    }

    /* files and folders as sources.js gives them, into a folder. */
    add({ files, folders }, into) {
        const batch = { conflicts: new Conflicts(), folders: new Map() };
        const addressOf = path => path.reduce((address, name) => join(address, encodeText(name)), into);
        const fresh = files.map(({ file, path, handle }) => this.#make({
            id: crypto.randomUUID(), file, handle, address: addressOf(path), top: into, batch, state: 'waiting',
            name: path.join('/'), size: file.size, modified: Math.floor(file.lastModified / 1000), lastModified: file.lastModified,
        }));
        this.#makeFolders(folders.map(addressOf), batch);
        if (fresh.length === 0) return;
        this.items.push(...fresh);
        this.#keep(fresh);
        this.#tell('change');
        this.#pump();
    }

    #keep(items) {
        memory.keep(items.map(({ id, address, top, name, size, modified, lastModified, location, replace, handle, state }) => ({
            id, address, top, name, size, modified, lastModified, location, replace, handle, paused: state === 'paused', account: me().account,
        })));
    }

    /* ---- what a person does ---- */

    pause(item) {
        this.#halt(item, 'paused');
        this.#keep([item]);
    }

    resume(item) {
        if (!item.file) {
            this.#set(item, 'missing');
            return this.#reopen([item], true);
        }
        item.tries = 0;
        this.#set(item, 'waiting');
        this.#keep([item]);
        this.#pump();
        return Promise.resolve();
    }

    retry(item) {
        const resumed = this.resume(item);
        this.#again();
        return resumed;
    }

    cancel(item) {
        this.#halt(item, 'cancelled');
        this.#remove(item);
        if (item.location) tus.drop(item.location);
        this.#pump();
    }

    /* Takes what is finished out of the panel. */
    clear() {
        memory.forget(this.items.filter(item => item.state === 'failed').map(item => item.id));
        this.items = this.items.filter(item => this.isOpen(item));
        this.#tell('change');
    }

    all(action) {
        for (const item of [...this.items]) if (STATES[item.state].actions.includes(action)) this[action](item);
    }

    isOpen(item) {
        return STATES[item.state].open;
    }

    /* Whether leaving the page would break something off. */
    get isBusy() {
        return this.items.some(item => ['waiting', 'running', 'asking', 'offline'].includes(item.state));
    }

    /* The files of uploads that were cut off, chosen once more. Resolves to how many were found. */
    match(files) {
        let found = 0;
        for (const { file, path } of files) {
            const item = this.items.find(one => one.state === 'missing' && one.size === file.size && one.lastModified === file.lastModified &&
                (one.name === path.join('/') || one.name.split('/').at(-1) === file.name));
            if (!item) continue;
            found++;
            item.file = file;
            this.#set(item, 'waiting');
        }
        this.#pump();
        return found;
    }

    /* Those whose files the browser kept the way to. ask: a click is being handled. */
    async #reopen(items, ask) {
        for (const item of items) {
            if (item.file || !item.handle) continue;
            const file = await fromHandle(item.handle, ask);
            if (file === 'denied') continue;
            if (!file || file.size !== item.size || file.lastModified !== item.lastModified) {
                item.handle = null;
                continue;
            }
            item.file = file;
            if (item.state === 'missing') this.#set(item, 'waiting');
        }
        this.#tell('change');
        this.#pump();
    }

    reopen(ask) {
        return this.#reopen(this.items.filter(item => item.state === 'missing'), ask);
    }

    /* ---- states ---- */

    #set(item, state, trouble = null) {
        item.state = state;
        item.trouble = trouble;
        this.#tell('change');
    }

    #halt(item, state) {
        item.speed.forget();
        this.#set(item, state);
        item.stop?.abort(new Skipped());
    }

    #remove(item) {
        this.items = this.items.filter(one => one !== item);
        memory.forget([item.id]);
        this.#tell('change');
    }

    #tell(what) {
        this.dispatchEvent(new Event(what));
    }

    /* What was cut off tries again, now. */
    #again() {
        clearTimeout(this.#held);
        this.#held = null;
        for (const item of this.items) if (item.state === 'offline') item.state = 'waiting';
        this.#tell('change');
        this.#pump();
    }

    /* ---- sending ---- */

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
            await this.#ensureFolders(item);
            stop.signal.throwIfAborted();
            const wasThere = await this.#send(item, stop.signal);
            if (!wasThere) this.#finished(item);
        } catch (trouble) {
            if (item.stop === stop) await this.#broke(item, trouble, stop.signal);
        } finally {
            if (item.stop === stop) item.stop = null;
            this.#running--;
            this.#pump();
        }
    }

    /* True when it turns out that the file was there already. An upload that is whole at the server but
     * has no name yet (its last answer was lost, or the name was taken meanwhile) is ended by a piece of no bytes. */
    async #send(item, signal) {
        if (item.location) {
            const offset = await tus.offset(item.location, signal);
            if (offset === null && await this.#isThere(item)) return this.#finished(item);
            if (offset === null) item.location = null;
            item.sent = offset ?? 0;
        }
        let whole = false;
        if (!item.location) {
            await this.#create(item, signal);
            whole = item.sent === item.size;
        }
        for (let number = 2; !whole; number++) {
            try {
                await this.#sendPiece(item, signal);
                whole = item.sent === item.size;
            } catch (trouble) {
                if (trouble.code !== 'exists' && trouble.code !== 'is_folder') throw trouble;
                await this.#ask(item, trouble, signal, number);
                item.renamed = true;
                item.sent = await tus.offset(item.location, signal) ?? 0;
            }
        }
        return false;
    }

    async #sendPiece(item, signal) {
        const from = item.sent;
        const piece = item.file.slice(from, from + PIECE_BYTES);
        const to = await tus.patch(item.location, from, piece, {
            checked: piece.size > 0 && piece.size <= CHECKED_BYTES, signal, progress: this.#progress(item, from),
            target: item.renamed ? targetOf(item) : null,
        });
        if (to <= from && piece.size > 0) throw new api.Trouble('broken');
        item.sent = to;
        item.tries = 0;
        this.#fails = 0;
    }

    #progress(item, from) {
        return loaded => {
            this.#sentInAll += Math.max(0, from + loaded - item.sent);
            item.sent = Math.min(item.size, from + loaded);
        };
    }

    async #create(item, signal) {
        for (let number = 2; ; number++) {
            await settle([item.address]);
            const body = item.size > 0 && item.size <= WITH_CREATION_BYTES ? item.file : null;
            try {
                const created = await tus.create({ target: targetOf(item), size: item.size, body, signal, progress: this.#progress(item, 0) });
                item.location = created.location;
                item.sent = created.offset;
                if (item.sent < item.size) this.#keep([item]);
                return;
            } catch (trouble) {
                item.sent = 0;
                if (trouble.code !== 'exists' && trouble.code !== 'is_folder') throw trouble;
                await this.#ask(item, trouble, signal, number);
            }
        }
    }

    /* The name is taken. While the question stands another upload goes on in this one's place. */
    async #ask(item, trouble, signal, number) {
        const wanted = item.wanted ??= item.address;
        const canReplace = trouble.code === 'exists' && may('overwrite') && !item.replace;
        this.#set(item, 'asking');
        this.#running--;
        this.#pump();
        const choice = await item.batch.conflicts.ask({ name: nameOf(wanted), entry: { type: 'file', size: item.size, mtime: item.modified }, address: wanted, canReplace });
        this.#running++;
        signal.throwIfAborted();
        this.#set(item, 'running');
        if (choice === 'skip') {
            this.#remove(item);
            throw new Skipped();
        }
        if (choice === 'replace') item.replace = true;
        else item.address = numbered(wanted, number);
        this.#keep([item]);
    }

    /* The last answer may have been lost with the connection: then the file is there, as it was sent. */
    async #isThere(item) {
        const there = await api.stat(item.address).catch(() => null);
        return there?.type === 'file' && there.size === item.size && Math.floor(there.mtime) === item.modified;
    }

    #finished(item) {
        item.sent = item.size;
        item.file = null;
        this.#set(item, 'done');
        memory.forget([item.id]);
        made([{ name: nameOf(item.address), type: 'file', size: item.size, mtime: item.modified, address: item.address }]);
        spaceChanged();
        return true;
    }

    async #broke(item, trouble, signal) {
        item.speed.forget();
        if (signal.aborted || trouble instanceof Skipped) return;
        if (!(trouble instanceof api.Trouble)) {
            this.#set(item, 'failed', new api.Trouble('unreadable'));
            return;
        }
        if (trouble.code === 'sign_in' || trouble.code === 'other_account') {
            await api.signedOut();
            this.#set(item, 'waiting');
            return;
        }
        if (trouble.code === 'offline' && !await isReadable(item.file)) this.#set(item, 'failed', new api.Trouble('unreadable'));
        else if (this.#mayPass(trouble) && (trouble.code === 'offline' || item.tries < TRIES)) this.#later(item, trouble);
        else this.#set(item, 'failed', trouble);
    }

    /* What another try may cure: no connection, a server in trouble, an offset or a checksum that is not the server's. */
    #mayPass({ code, status }) {
        return ['offline', 'busy', 'too_many', 'broken'].includes(code) || [409, 423, 460].includes(status) || (status >= 500 && code !== 'no_space');
    }

    /* One waits for all: what cannot reach the server need not be found out by each. */
    #later(item, trouble) {
        item.tries++;
        this.#set(item, 'offline', trouble);
        if (this.#held) return;
        const wait = trouble.wait || Math.min(LONGEST_WAIT_S, 2 ** this.#fails);
        this.#fails++;
        this.#held = setTimeout(() => this.#again(), wait * 1000);
    }

    /* ---- folders ---- */

    /* All folders of a batch, one after the other: the empty ones have no file that would ask for them. */
    async #makeFolders(addresses, batch) {
        for (const address of addresses) {
            try {
                await this.#ensureFolder(address, batch);
            } catch (trouble) {
                this.dispatchEvent(new CustomEvent('trouble', { detail: { address, trouble } }));
                return;
            }
        }
    }

    async #ensureFolders({ address, top, batch }) {
        const above = [];
        for (let one = parentOf(address); one.length > top.length; one = parentOf(one)) above.unshift(one);
        for (const one of above) await this.#ensureFolder(one, batch);
    }

    /* One request for a folder, whichever file asks; a folder that is there already is as good. */
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
        } catch (trouble) {
            if (trouble.code === 'exists') return;
            throw trouble;
        }
        made([{ name: nameOf(address), type: 'folder', size: 0, mtime: Date.now() / 1000, address }]);
    }
}

export const transfers = new Transfers();
