/* connect.js: "How to connect", with what other programs need, to copy. All of it from /api/me. */
import * as api from './api.js';
import { copyLine, el } from './dom.js';
import { words } from './strings.js';

/* For a shell. */
const quoted = text => (/^[\w@%+=:,./[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/* All of it is one part. */
export const reach = () => {};

export function sheet() {
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
