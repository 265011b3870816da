/* api.js: what the page asks of its server, and what it understands of the answers. Every request of the
 * page but the uploads' own (tus.js) goes through here. A request that fails throws Trouble: nothing else
 * of a failure ever leaves this module. Addresses are those of names.js. */
import { encodeEntry, toApi } from './names.js';
import { breathe, due } from './slices.js';

/* code: as in the API, or 'offline' (no answer), 'broken' (not an answer of ours). */
export class Trouble extends Error {
    constructor(code, message = '', status = 0, wait = 0) {
        super(message);
        this.code = code;
        this.status = status;
        this.wait = wait;                         /* seconds that the server asks to wait, or 0 */
    }
}

let token = '';
let signIn = () => Promise.reject(new Trouble('sign_in', '', 401));
let signingIn = null;

/* ask(): called once when the session has ended; resolves when there is one again. */
export function onSignedOut(ask) {
    signIn = ask;
}

export const csrfToken = () => token;

export function signedOut() {
    signingIn ??= signIn().finally(() => { signingIn = null; });
    return signingIn;
}

/* What an answer with an error means; for bodies that are no JSON of ours, by the status alone. */
export function troubleOf(status, body, retryAfter) {
    const wait = Number(retryAfter) || 0;
    try {
        const { error, message } = JSON.parse(body);
        if (typeof error === 'string') return new Trouble(error, String(message ?? ''), status, wait);
    } catch {
        /* A proxy's page, or nothing. */
    }
    const codes = { 401: 'sign_in', 403: 'not_allowed', 404: 'not_found', 413: 'too_large', 429: 'too_many', 503: 'busy', 507: 'no_space' };
    return new Trouble(codes[status] ?? 'failed', '', status, wait);
}

async function request(address, options = {}) {
    for (;;) {
        let answer;
        try {
            answer = await fetch(address, options);
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            throw new Trouble('offline');
        }
        if (answer.ok) return answer;
        const trouble = troubleOf(answer.status, await answer.text().catch(() => ''), answer.headers.get('Retry-After'));
        if (trouble.code !== 'sign_in' && trouble.code !== 'other_account') throw trouble;
        await signedOut();
    }
}

async function json(address, options) {
    const answer = await request(address, options);
    try {
        return await answer.json();
    } catch (error) {
        if (error.name === 'AbortError') throw error;
        throw new Trouble('broken');
    }
}

/* The token is read anew at each try: there may be another after signing in again. */
function post(address, body, more = {}) {
    return request(address, {
        method: 'POST', body: JSON.stringify(body), ...more,
        get headers() { return { 'Content-Type': 'application/json', 'X-CSRF-Token': token }; },
    });
}

export async function me({ anyway = false } = {}) {
    const answer = anyway ? await fetch('/api/me') : await request('/api/me');
    if (!answer.ok) throw troubleOf(answer.status, '');
    const found = await answer.json();
    token = found.csrf;
    return found;
}

export const stat = address => json('/api/stat?path=' + address);
export const digest = (address, signal) => json('/api/digest?path=' + address, { signal });
export const makeFolder = address => post('/api/mkdir', { path: toApi(address) });

export function rename(from, to, replace = false) {
    return post('/api/rename', { from: toApi(from), to: toApi(to), replace });
}

/* Resolves to [{address, error}], error null or a sentence. */
export async function remove(addresses) {
    const answer = await post('/api/delete', { paths: addresses.map(toApi) });
    const { results } = await answer.json().catch(() => ({ results: [] }));
    return addresses.map((address, index) => ({ address, error: results[index]?.error ?? null }));
}

/* The same for a page that is being left: nobody waits for the answer. What is longer than a page may
 * leave behind (64 KiB in all, Fetch; a third is kept for others) is not sent: then it is false. */
const LEFT_BEHIND_BYTES = 40_000;

const removal = addresses => new Blob([JSON.stringify({ paths: addresses.map(toApi) })], { type: 'application/json' });

export const fitsLeaving = addresses => addresses.length < LEFT_BEHIND_BYTES / 4 && removal(addresses).size <= LEFT_BEHIND_BYTES;

export function removeOnLeaving(addresses) {
    if (!fitsLeaving(addresses)) return false;
    fetch('/api/delete', { method: 'POST', keepalive: true, body: removal(addresses), headers: { 'X-CSRF-Token': token } }).catch(() => {});
    return true;
}

export const fileAddress = (address, inline = false) => '/files' + address + (inline ? '?inline' : '');

/* Whether a download would begin: throws what the server has against it. */
export const check = address => request(fileAddress(address), { method: 'HEAD' });

/* The first bytes of a file. */
export async function head(address, bytes, signal) {
    const answer = await request(fileAddress(address, true), { headers: { Range: `bytes=0-${bytes - 1}` }, signal });
    return { bytes: new Uint8Array(await answer.arrayBuffer()), whole: answer.status === 200 };
}

/* An address stands in a query as it is: its %XX are the bytes, and it holds no & + # or =. */
export const listing = (address, signal) => entries(`/api/list?path=${address}`, address, signal);

export function finding(address, text, signal) {
    return entries(`/api/search?path=${address}&text=${encodeURIComponent(text)}`, address, signal);
}

/* Yields {head} once and {batch: [entry]} as they come; throws Trouble where the server breaks off. Each
 * entry gets its address. One entry a line: a line is parsed when it is there, in slices. */
async function* entries(url, folder, signal) {
    const answer = await request(url, { signal });
    const prefix = folder === '/' ? '/' : folder + '/';
    let begun = false;
    let batch = [];
    for await (const line of lines(answer.body)) {
        if (!begun) {
            begun = true;
            yield { head: parse(line + ']}') };
        } else if (line[0] === ']') {
            if (batch.length > 0) yield { batch };
            const tail = parse('{"entries": [' + line);
            if (tail.error) throw new Trouble(tail.error.error ?? 'failed', tail.error.message ?? '');
            return;
        } else if (line !== '') {
            const entry = parse(line.endsWith(',') ? line.slice(0, -1) : line);
            entry.address = prefix + encodeEntry(entry);
            batch.push(entry);
            if (due()) {
                yield { batch };
                batch = [];
                await breathe();
            }
        }
    }
    if (batch.length > 0) yield { batch };
    throw new Trouble('broken');
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        throw new Trouble('broken');
    }
}

async function* lines(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            const parts = (rest + value).split('\n');
            rest = parts.pop();
            yield* parts;
        }
        if (rest !== '') yield rest;
    } catch (error) {
        throw error.name === 'AbortError' ? error : new Trouble('offline');
    } finally {
        reader.cancel().catch(() => {});
    }
}
