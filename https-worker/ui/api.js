/* api.js: what the page asks of its server (all but the uploads), and who is signed in. A request that fails
 * throws Trouble, and nothing else of a failure leaves. */
import { breathe, due, rested } from './slices.js';
import { encodeEntry, toApi } from './text.js';

/* code: as in the API, 'offline' (no answer) or 'broken' (no answer of ours); field: of the request, if it is one's fault. */
export class Trouble extends Error {
  constructor(code, message = '', status = 0, field = null) {
    super(message);
    Object.assign(this, { code, status, field });
  }
}

/* A mistake of ours must not look like the server's. */
export function expect(error) {
  if (!(error instanceof Trouble)) throw error;
  return error;
}

let account = null;
let signIn = null;
let signingIn = null;

export const me = () => account;

export const token = () => account.csrf;

/* When the session has ended, ask() resolves once there is one again. */
export const onSignedOut = ask => { signIn = ask; };

export const signedOut = () => signingIn ??= signIn().finally(() => { signingIn = null; });

export function troubleOf(status, body) {
  let told = {};
  try {
    told = JSON.parse(body);
  } catch { /* a proxy's */ }
  return new Trouble(told.error ?? 'failed', told.message, status, told.field);
}

export const ofSession = ({ code }) => ['sign_in', 'other_account', 'bad_token'].includes(code);

export const isTaken = ({ code }) => code === 'exists' || code === 'is_folder';

/* options() anew for each try: the token may be another. */
async function request(address, options = () => ({})) {
  for (;;) {
    const answer = await fetch(address, options()).catch(error => {
      throw error.name === 'AbortError' ? error : new Trouble('offline');
    });
    if (answer.ok) return answer;
    const trouble = troubleOf(answer.status, await answer.text().catch(() => ''));
    if (!ofSession(trouble)) throw trouble;
    await signedOut();
  }
}

async function json(address, signal) {
  const answer = await request(address, () => ({ signal }));
  return parse(await answer.text().catch(() => ''));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Trouble('broken');
  }
}

const TYPE = { 'Content-Type': 'application/json' };

const send = (method, address, body, keepalive = false) => request(address, () => ({
  method, body: JSON.stringify(body), keepalive, headers: { ...TYPE, 'X-CSRF-Token': account.csrf },
}));

const post = (address, body, keepalive) => send('POST', address, body, keepalive);

export async function begin() {
  account = await json('/api/me');
}

/* Where the files are not open to it: an account that is to enrol for codes. */
export async function beginLimited() {
  account = await json('/api/account');
}

/* False when it is another account now. */
export async function comeBack() {
  const answer = await fetch('/api/me').catch(() => { throw new Trouble('offline'); });
  if (!answer.ok) throw troubleOf(answer.status, await answer.text().catch(() => ''));
  const found = await answer.json();
  if (found.account !== account.account) return false;
  account = found;
  return true;
}

/* ---- the account's own ---- */

export const own = () => json('/api/account');
export const endSession = path => send('DELETE', '/api/sessions/' + path);
export const removeKey = number => send('DELETE', '/api/keys/' + number);
export const addKeys = async text => parse(await (await post('/api/keys', { text })).text());
export const confirmCodes = async code => parse(await (await post('/api/codes/confirm', { code })).text());
export const endCodes = code => send('DELETE', '/api/codes', { code });

/* What asks for the password comes without the session: on a connection that is nobody's. */
export const ask = (address, body) => request(address, () => ({ method: 'POST', body: JSON.stringify(body), credentials: 'omit', headers: TYPE }));

export const prove = (address, body) => ask(address, { user: account.account, ...body });

/* Returns where to go on. */
export async function signInWith(values) {
  const answer = await request('/login', () => ({ method: 'POST', body: new URLSearchParams(values), headers: { Accept: 'application/json' } }));
  return parse(await answer.text()).next;
}

/* ---- files ---- */

export const stat = address => json('/api/stat?path=' + address);
export const digest = (address, signal) => json('/api/digest?path=' + address, signal);
export const makeFolder = address => post('/api/mkdir', { path: toApi(address) });
export const rename = (from, to, replace = false) => post('/api/rename', { from: toApi(from), to: toApi(to), replace });

/* [{address, error}], error null or a sentence. */
export async function remove(addresses) {
  const answer = await post('/api/delete', removal(addresses));
  const { results } = parse(await answer.text().catch(() => ''));
  return addresses.map((address, index) => ({ address, error: results[index].error }));
}

/* Of the 64 KiB that a page may leave behind (Fetch) a third is kept for others. */
const LEFT_BEHIND_BYTES = 40_000;

const removal = addresses => ({ paths: addresses.map(toApi) });

export const fitsLeaving = addresses => addresses.length < LEFT_BEHIND_BYTES / 4 && new TextEncoder().encode(JSON.stringify(removal(addresses))).length <= LEFT_BEHIND_BYTES;

export const removeOnLeaving = addresses => post('/api/delete', removal(addresses), true).catch(() => {});

export const fileAddress = (address, inline = false) => '/files' + address + (inline ? '?inline' : '');

export const check = address => request(fileAddress(address), () => ({ method: 'HEAD' }));

export async function firstBytes(address, count, signal) {
  const answer = await request(fileAddress(address, true), () => ({ headers: { Range: `bytes=0-${count - 1}` }, signal }));
  return new Uint8Array(await answer.arrayBuffer());
}

/* Of a folder, or those below it whose names hold a text, in batches as they come, with addresses;
 * throws where the server breaks off. An address needs no escaping in a query. */
export async function* entries(folder, text, signal, begin = () => {}) {
  const answer = await request(text ? `/api/search?path=${folder}&text=${encodeURIComponent(text)}` : `/api/list?path=${folder}`, () => ({ signal }));
  const prefix = folder === '/' ? '/' : folder + '/';
  let begun = null;
  let batch = [];
  for await (const part of lines(answer.body)) {
    for (const padded of part) {
      const line = padded.trim();  /* blanks come while nothing is found */
      if (!begun) begin(begun = parse(line + ']}'));
      else if (line[0] === ']') {
        yield batch;
        const { error } = parse('{"entries": [' + line);
        if (error) throw new Trouble(error.error, error.message);
        return;
      } else if (line !== '') {
        const entry = parse(line.replace(/,$/, ''));
        entry.address = prefix + encodeEntry(entry);
        batch.push(entry);
        if (due()) await breathe();
      }
    }
    yield batch;
    batch = [];
  }
  throw new Trouble('broken');
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rested();
      const parts = (rest + value).split('\n');
      rest = parts.pop();
      yield parts;
    }
    if (rest !== '') yield [rest];
  } catch (error) {
    throw error.name === 'AbortError' ? error : new Trouble('offline');
  } finally {
    reader.cancel().catch(() => {});
  }
}
