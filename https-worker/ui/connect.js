/* connect.js: the account: its menu in the corner, and "How to connect", with what other programs need, to
 * copy. All of it from /api/me. */
import * as api from './api.js';
import { showMenu } from './dialogs.js';
import { bare, byId, copyLine, el, icon } from './dom.js';
import { showKeys } from './keys.js';
import { settleAll } from './move.js';
import { goTo } from './router.js';
import { words } from './strings.js';

/* limited: nothing but leaving is open to it. */
export function startAccount(limited = false) {
  const { account } = api.me();
  const opener = bare(words.account(account), 'user', event => openMenu(event, limited), { 'aria-haspopup': 'menu', 'aria-expanded': 'false', id: 'account-button' });
  opener.append(el('span', { class: 'who' }, words.name(account)), icon('down'));
  byId('account').append(opener);
}

const PARTS = { profile: 'user', password: 'lock', keys: 'key', codes: 'phone', sessions: 'sessions' };

function openMenu(event, limited) {
  const { account } = api.me();
  showMenu([
    { heading: words.signedInAs(account) },
    ...limited ? [] : [
      ...Object.entries(PARTS).map(([part, sign]) => ({ label: words.own[part].title, icon: sign, run: () => goTo('#account/' + part) })),
      '-',
      { label: words.connect.title, icon: 'connect', run: () => goTo('#connect') },
      { label: words.keys.title, icon: 'keyboard', keys: '?', run: showKeys },
    ],
    '-',
    { heading: words.theme },
    ...Object.entries(words.themes).map(([name, label]) => ({ label, checked: document.documentElement.dataset.theme === name, run: () => setTheme(name) })),
    '-',
    { label: words.signOut, icon: 'leave', run: signOut },
  ], { under: event.currentTarget }, words.account(account));
}

/* early.js reads it before the page is painted. */
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem('theme', name);
}

/* What is held for deletion goes first. */
async function signOut() {
  await settleAll();
  const form = el('form', { method: 'post', action: '/logout', hidden: true }, el('input', { type: 'hidden', name: 'csrf', value: api.token() }));
  document.body.append(form);
  form.submit();
}

/* For a shell. */
const quoted = text => (/^[\w@%+=:,./[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function connectPage() {
  const { account, connect: { host, https, sftp, ftps } } = api.me();
  const at = host.includes(':') ? `[${host}]` : host;
  const where = (port, usual) => at + (port === usual ? '' : `:${port}`) + '/';
  const url = (scheme, port, usual) => `${scheme}://${encodeURIComponent(account)}@${where(port, usual)}`;
  const user = quoted(account);
  return el('div', { class: 'sheet' },
    el('h1', { tabindex: '-1', id: 'page-title' }, words.connect.title), el('p', { class: 'lead' }, words.connect.lead),
    sftp && section('sftp', host, sftp.port, [
      ['sftp', `sftp ${sftp.port === 22 ? '' : `-P ${sftp.port} `}${quoted(`${account}@${at}`)}`],
      ['FileZilla', url('sftp', sftp.port, 22)],
      ['WinSCP', url('sftp', sftp.port, 22)],
    ], sftp.fingerprints.flatMap(({ type, sha256, md5 }) => [[type, sha256], [`${type}, MD5`, md5]])),
    ftps && section('ftps', host, ftps.port, [
      ['FileZilla', url('ftpes', ftps.port, 21)],
      ['WinSCP', url('ftpes', ftps.port, 21)],
      ['curl', `curl --ssl-reqd -u ${user} ${quoted(`ftp://${where(ftps.port, 21)}`)}`],
      ...ftps.implicit ? [[words.connect.implicit, url('ftps', ftps.implicit, 990)]] : [],
    ], [[words.connect.certificate, ftps.certificate]]),
    section('https', host, https, [['curl', `curl -u ${user} -O ${quoted(`https://${where(https, 443)}files/NAME`)}`]], []));
}

function section(id, host, port, lines, fingerprints) {
  const { title, help } = words.connect[id];
  const values = (pairs, more = '') => el('div', { class: `values ${more}` }, pairs.map(([label, text]) => copyLine(label, text)));
  return el('section', { 'aria-labelledby': `connect-${id}` },
    el('h2', { id: `connect-${id}` }, title), el('p', {}, help),
    values([[words.connect.host, host], [words.connect.port, String(port)], [words.connect.user, api.me().account]]),
    el('h3', {}, words.connect.programs), values(lines),
    fingerprints.length > 0 && [el('h3', {}, words.connect.fingerprints), el('p', {}, words.connect.compare), values(fingerprints, 'long')]);
}
