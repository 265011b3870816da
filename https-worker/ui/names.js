/* names.js: file names and addresses, which are bytes, and how they are shown, which is text.
 * An address is the whole path, each byte outside of the unreserved characters as %XX: '/' for the top,
 * '/photos/a%20b.png', '/old/caf%E9' (a name that is not UTF-8). Everything in the page names files by
 * addresses; only here are they made, taken apart, and turned into what the API or a person reads.
 * Nothing here ever returns a control character or a mark of direction that would be obeyed. */

const encoder = new TextEncoder();
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

const UNRESERVED = /[A-Za-z0-9\-_.!~*'()]/;

/* The bytes of one part of an address; a % that stands for nothing is itself. */
function bytesOf(part) {
    const bytes = [];
    for (let at = 0; at < part.length;) {
        const hex = /^%([0-9a-f]{2})/i.exec(part.slice(at, at + 3));
        if (hex) {
            bytes.push(parseInt(hex[1], 16));
            at += 3;
        } else {
            const character = String.fromCodePoint(part.codePointAt(at));
            bytes.push(...encoder.encode(character));
            at += character.length;
        }
    }
    return new Uint8Array(bytes);
}

function encodeBytes(bytes, keepSlash = false) {
    let text = '';
    for (const byte of bytes) {
        const character = String.fromCharCode(byte);
        text += UNRESERVED.test(character) || (keepSlash && byte === 0x2f)
            ? character
            : '%' + byte.toString(16).toUpperCase().padStart(2, '0');
    }
    return text;
}

export function toBase64(bytes) {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
}

function fromBase64(text) {
    return Uint8Array.from(atob(text), character => character.charCodeAt(0));
}

/* A name as the API tells it ({name, raw}) as a part of an address; slashes in it (search) stay. */
export function encodeEntry(entry) {
    if (entry.raw) return encodeBytes(fromBase64(entry.raw), true);
    const text = encodeURIComponent(entry.name.toWellFormed?.() ?? entry.name);
    return text.includes('%2F') ? text.replaceAll('%2F', '/') : text;
}

export const encodeText = text => encodeURIComponent(text);

export const join = (folder, part) => (folder === '/' ? '/' : folder + '/') + part;

export const lastPart = address => address.slice(address.lastIndexOf('/') + 1);

export function parentOf(address) {
    return address.slice(0, Math.max(1, address.lastIndexOf('/')));
}

export const isInside = (address, folder) =>
    address === folder || address.startsWith(folder === '/' ? '/' : folder + '/');

/* Whatever stands in the browser's address line, as an address of ours. */
export function tidy(text) {
    const parts = text.split('/').map(part => encodeBytes(bytesOf(part)));
    return '/' + parts.filter(part => part !== '' && part !== '.' && part !== '..').join('/');
}

/* As the API wants it in JSON: text, or {raw} where the bytes are none. */
export function toApi(address) {
    try {
        return decodeURIComponent(address);
    } catch {
        return { raw: toBase64(bytesOf(address)) };
    }
}

export const toApiBase64 = address => toBase64(bytesOf(address));

/* As a person reads it, before visible(): bad bytes are U+FFFD. */
export function textOf(address) {
    try {
        return decodeURIComponent(address);
    } catch {
        return lenient.decode(bytesOf(address));
    }
}

export const nameOf = address => textOf(lastPart(address));

/* Name and ending, for renaming and for "keep both": 'a.tar.gz' is 'a' and '.tar.gz', '.profile' has none. */
export function splitEnding(name) {
    const match = /^(.+?)((?:\.tar)?\.[A-Za-z0-9]{1,8})$/.exec(name);
    return match ? [match[1], match[2]] : [name, ''];
}

export function ending(name) {
    return splitEnding(name)[1].replace(/^\.(tar\.)?/, '').toLowerCase();
}

/* The address beside this one with (2), (3) ... before the ending; the bytes of its name stay as they are. */
export function numbered(address, number) {
    const name = lastPart(address);
    const [, start, tail] = /^(.+?)((?:\.tar)?\.[A-Za-z0-9]{1,8})?$/.exec(name);
    return join(parentOf(address), `${start}%20(${number})${tail ?? ''}`);
}

/* What must be seen instead of obeyed: controls, marks of direction, characters without any width. */
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

function markOf(character) {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `[U+${code.toString(16).toUpperCase().padStart(4, '0')}]`;
}

/* A name for a sentence, a tooltip, a screen reader. */
export const visible = text => text.replace(HIDDEN, markOf);

/* The same in pieces, so that the marks can look unlike the name: [{text, mark}]. */
export function pieces(text) {
    const found = [];
    let at = 0;
    for (const match of text.matchAll(HIDDEN)) {
        if (match.index > at) found.push({ text: text.slice(at, match.index), mark: false });
        found.push({ text: markOf(match[0]), mark: true });
        at = match.index + match[0].length;
    }
    if (at < text.length) found.push({ text: text.slice(at), mark: false });
    return found;
}
