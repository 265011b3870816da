/* router.js: the address line decides what is open: '#/photos/2024' is a folder, '?find=text' a search below
 * it, '?show=NAME' the preview of an entry, '?at=NAME' leads to one; '#connect' and '#account/PART' are no folders. */
import { join, tidy } from './text.js';

export function read() {
  const hash = location.hash.slice(1);
  const [, page, part] = /^(connect|account)(?:\/([a-z]+))?$/.exec(hash) ?? [];
  if (page) return { page, part };
  const [path, query = ''] = hash.split('?');
  const asked = Object.fromEntries(query.split('&').map(part => part.split('=')));
  const address = tidy(path);
  const entry = part => (part === undefined ? null : join(address, tidy(part).slice(1)));
  return { page: 'files', address, find: decodeURIComponent(tidy(asked.find ?? '').slice(1)), show: entry(asked.show), at: entry(asked.at) };
}

/* show, at: parts of addresses, below this one. */
export function href(address, { find, show, at } = {}) {
  const asked = [find && `find=${encodeURIComponent(find)}`, show && `show=${show}`, at && `at=${at}`].filter(Boolean);
  return `#${address}${asked.length > 0 ? '?' : ''}${asked.join('&')}`;
}

let heard;
let pushed = null;

export function onRoute(listener) {
  heard = listener;
  addEventListener('hashchange', listener);
}

/* Whether the step before is one of this page's own. */
export const isPushed = () => location.hash === pushed;

/* instead: no step of the way back. */
export function goTo(target, instead = false) {
  if (target === (location.hash || '#/')) return;
  if (!instead) location.hash = pushed = target;
  else {
    history.replaceState(null, '', target);
    heard();
  }
}
