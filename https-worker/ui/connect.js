/* connect.js: "How to connect": for each way into the account host, port, user name, fingerprints, and a
 * line for the programs that people have, each to copy. All of it from /api/me. */
import { copyLine } from './copy.js';
import { el } from './dom.js';
import { me } from './session.js';
import { words } from './strings.js';

const inAddress = host => (host.includes(':') ? `[${host}]` : host);

/* For a shell: as it is where nothing in it means anything there. */
const quoted = text => (/^[\w@%+=:,./\[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const port = (number, usual) => (number === usual ? '' : `:${number}`);

function target({ host, account }, scheme, number, usual) {
    return `${scheme}://${encodeURIComponent(account)}@${inAddress(host)}${port(number, usual)}/`;
}

/* Ways in: whether there is one, its port, its lines [label, text]. */
const WAYS = [
    {
        id: 'sftp',
        port: connect => connect.sftp?.port,
        lines: (at, number) => [
            ['sftp', `sftp ${number === 22 ? '' : `-P ${number} `}${quoted(`${at.account}@${inAddress(at.host)}`)}`],
            ['FileZilla', target(at, 'sftp', number, 22)],
            ['WinSCP', target(at, 'sftp', number, 22)],
        ],
    },
    {
        id: 'ftps',
        port: connect => connect.ftps?.port,
        lines: (at, number, { ftps }) => [
            ['FileZilla', target(at, 'ftpes', number, 21)],
            ['WinSCP', target(at, 'ftpes', number, 21)],
            ['curl', `curl --ssl-reqd -u ${quoted(at.account)} ${quoted(`ftp://${inAddress(at.host)}${port(number, 21)}/`)}`],
            ftps.implicit && [words.implicit, target(at, 'ftps', ftps.implicit, 990)],
        ].filter(Boolean),
    },
    {
        id: 'https',
        port: connect => connect.https,
        lines: (at, number) => [['curl', `curl -u ${quoted(at.account)} -O ${quoted(`https://${inAddress(at.host)}${port(number, 443)}/files/NAME`)}`]],
    },
];

export function connectPage() {
    const { account, connect } = me();
    const at = { account, host: connect.host };
    return el('div', { class: 'sheet' },
        el('h1', { tabindex: '-1', id: 'page-title' }, words.connect.title), el('p', { class: 'lead' }, words.connect.lead),
        WAYS.filter(way => way.port(connect)).map(way => section(way, at, connect)));
}

function section(way, at, connect) {
    const number = way.port(connect);
    const { title, help } = words.connect[way.id];
    return el('section', { 'aria-labelledby': `connect-${way.id}` },
        el('h2', { id: `connect-${way.id}` }, title), el('p', {}, help),
        el('div', { class: 'values' }, copyLine(words.connect.host, at.host), copyLine(words.connect.port, String(number)), copyLine(words.connect.user, at.account)),
        el('h3', {}, words.connect.programs), el('div', { class: 'values' }, way.lines(at, number, connect).map(([label, text]) => copyLine(label, text))),
        fingerprints(way.id, connect));
}

function fingerprints(id, connect) {
    const lines = id === 'sftp' ? connect.sftp.fingerprints.flatMap(({ type, sha256, md5 }) => [[type, sha256], [`${type}, MD5`, md5]])
        : id === 'ftps' ? [[words.connect.certificate, connect.ftps.certificate]] : [];
    if (lines.length === 0) return null;
    return [el('h3', {}, words.connect.fingerprints), el('p', { class: 'help' }, words.connect.compare),
        el('div', { class: 'values long' }, lines.map(([label, text]) => copyLine(label, text)))];
}
