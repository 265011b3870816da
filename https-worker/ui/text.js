/* text.js: names, addresses, sizes and dates as text. An address is a whole path of percent-encoded bytes:
 * '/' for the top, '/photos/a%20b.png', '/old/caf%E9' (a name that is no UTF-8). The page names files by
 * addresses alone; here they are made, taken apart, and turned into what the API or a person reads. */

/* Bytes as the characters U+0000 to U+00FF. */
const binaryOf = address => address.replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));

const fromBinary = bytes => bytes.replace(/[^A-Za-z0-9\-_.!~*'()/]/g, byte => '%' + byte.charCodeAt().toString(16).toUpperCase().padStart(2, '0'));

const toBytes = binary => Uint8Array.from(binary, byte => byte.charCodeAt());

export const toBase64 = bytes => btoa(String.fromCharCode(...bytes));

/* A name as the API tells it, as a part of an address; a search's slashes stay. */
export const encodeEntry = ({ name, raw }) => (raw ? fromBinary(atob(raw)) : encodeURIComponent(name).replaceAll('%2F', '/'));

export const join = (folder, part) => (folder === '/' ? '/' : folder + '/') + part;

export const lastPart = address => address.slice(address.lastIndexOf('/') + 1);

export const parentOf = address => address.slice(0, Math.max(1, address.lastIndexOf('/')));

export const isInside = (address, folder) => address === folder || address.startsWith(join(folder, ''));

/* Whatever stands in the address line, as an address. */
export function tidy(text) {
  const escaped = text.replace(/%(?![0-9a-f]{2})|[^\0-\x7f]/giu, encodeURIComponent);
  return '/' + fromBinary(binaryOf(escaped)).split('/').filter(part => !/^\.{0,2}$/.test(part)).join('/');
}

const decoded = (address, otherwise) => {
  try {
    return decodeURIComponent(address);
  } catch {
    return otherwise(binaryOf(address));
  }
};

/* For JSON: text, or {raw} where the bytes are none. */
export const toApi = address => decoded(address, bytes => ({ raw: btoa(bytes) }));

export const toApiBase64 = address => btoa(binaryOf(address));

/* Before visible(): bad bytes are U+FFFD. */
export const textOf = address => decoded(address, bytes => new TextDecoder().decode(toBytes(bytes)));

export const nameOf = address => textOf(lastPart(address));

/* 'a.tar.gz' is 'a' and '.tar.gz'; '.profile' has no ending. */
export const splitEnding = name => /^(.+?)((?:\.tar)?\.[A-Za-z0-9]{1,8})?$/s.exec(name)?.slice(1) ?? [name];

export const endingOf = name => splitEnding(name)[1]?.split('.').at(-1).toLowerCase() ?? '';

export function numbered(address, number) {
  const [start, ending = ''] = splitEnding(lastPart(address));
  return join(parentOf(address), `${start}%20(${number})${ending}`);
}

/* What is seen instead of obeyed: controls, marks of direction, characters without any width. */
const HIDDEN = /([\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}])/u;

const markOf = character => `[U+${character.codePointAt().toString(16).toUpperCase().padStart(4, '0')}]`;

/* [text, whether it stands for something hidden]. */
export const pieces = text => text.split(HIDDEN).map((piece, index) => (index % 2 ? [markOf(piece), true] : [piece, false]));

/* A name for a sentence, a tooltip, a screen reader. */
export const visible = text => pieces(text).map(([piece]) => piece).join('');

const inUnit = (unit, unitDisplay, maximumFractionDigits) => new Intl.NumberFormat(undefined, { style: 'unit', unit, unitDisplay, maximumFractionDigits });

/* Decimal units, as disks are sold and Intl names them. */
const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'].map(unit =>
  [0, 1].map(digits => inUnit(unit, unit === 'byte' ? 'long' : 'short', digits)));

const TIMES = [['hour', 3600], ['minute', 60], ['second', 1]].map(([unit, seconds]) => [seconds, inUnit(unit, 'short', 0)]);

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' });

export const number = new Intl.NumberFormat().format;
export const percent = new Intl.NumberFormat(undefined, { style: 'percent' }).format;

export function size(bytes) {
  let unit = 0;
  for (; bytes >= 999.5 && unit < SIZES.length - 1; unit++) bytes /= 1000;
  return SIZES[unit][Number(unit > 0 && bytes < 99.95)].format(bytes);
}

export function duration(seconds) {
  const [length, format] = TIMES.find(([least]) => seconds >= least * 1.5) ?? TIMES[2];
  return format.format(Math.max(1, Math.round(seconds / length)));
}

/* A date far out of any calendar is none. */
const dateOf = (seconds, format) => (Math.abs(seconds) < 8.64e12 ? format.format(seconds * 1000) : '');

/* In a list: the time for what changed today, else the day. */
export const changed = seconds => dateOf(seconds, new Date(seconds * 1000).toDateString() === new Date().toDateString() ? clock : day);

export const moment = seconds => dateOf(seconds, full);
