/* own-api.js: what the account's own page and mailed links ask of the server, as api.js does it. */
import { json, me, parse, request, send, TYPE } from './api.js';

export const own = () => json('/api/account');
export const endSession = path => send('DELETE', '/api/sessions/' + path);
export const removeKey = number => send('DELETE', '/api/keys/' + number);
export const addKeys = async text => parse(await (await send('POST', '/api/keys', { text })).text());
export const confirmCodes = async code => parse(await (await send('POST', '/api/codes/confirm', { code })).text());
export const endCodes = code => send('DELETE', '/api/codes', { code });

/* What asks for the password comes without the session: on a connection that is nobody's. */
export const ask = (address, body) => request(address, () => ({ method: 'POST', body: JSON.stringify(body), credentials: 'omit', headers: TYPE }));

export const prove = (address, body) => ask(address, { user: me().account, ...body });

/* Returns where to go on. */
export async function signInWith(values) {
  const answer = await request('/login', () => ({ method: 'POST', body: new URLSearchParams(values), headers: { Accept: 'application/json' } }));
  return parse(await answer.text()).next;
}
