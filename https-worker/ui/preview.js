/* preview.js: what is in a file, as far as the browser can show it: its bytes come from /files/PATH?inline, with
 * a policy that lets them do nothing. Below: size, date, checksums. */
import * as api from './api.js';
import { bare, button, byId, copyLine, el, icon, nameElement } from './dom.js';
import { may } from './folder.js';
import { words } from './strings.js';
import { encodeEntry, endingOf, isInside, lastPart, moment, number, size, textOf } from './text.js';

const TEXT_BYTES = 256 * 1024;
const LARGEST_PICTURE_BYTES = 100_000_000;
const LARGEST_DRAWING_BYTES = 4_000_000;
const NARROW = matchMedia('(max-width: 899px)');

/* What a name promises: icon, how it is shown, endings. */
const KINDS = [
  ['picture', showPicture, 'png jpg jpeg jfif gif webp avif bmp ico'],
  ['picture', showDrawing, 'svg'],
  ['picture', null, 'heic heif tif tiff psd raw cr2 nef dng xcf'],
  ['sound', showMedia('audio'), 'mp3 ogg oga opus wav flac m4a aac weba'],
  ['video', showMedia('video'), 'mp4 m4v webm ogv mov'],
  ['video', null, 'avi mkv wmv mpg mpeg flv 3gp'],
  ['pdf', showPdf, 'pdf'],
  ['text', showText, 'txt md log nfo rst tex srt vtt ics vcf eml asc sig pem crt pub diff patch readme license makefile changelog'],
  ['text', null, 'doc docx odt rtf pages epub'],
  ['table', showText, 'csv tsv'],
  ['table', null, 'xls xlsx ods numbers'],
  ['code', showText, 'c h cc cpp rs go py rb pl php js ts java sh bat ps1 sql html htm xml css json yaml yml toml ini conf cfg lua r'],
  ['archive', null, 'zip gz tgz bz2 xz zst 7z rar tar jar deb rpm iso dmg img'],
];
const BY_ENDING = new Map(KINDS.flatMap(([sign, show, endings]) => endings.split(' ').map(ending => [ending, { sign, show }])));

function kindOf(entry) {
  const name = textOf(lastPart(encodeEntry(entry)));
  return entry.type === 'file' && BY_ENDING.get(endingOf(name) || name.toLowerCase()) || { sign: entry.type === 'folder' ? 'folder' : 'file', show: null };
}

export const iconOf = entry => kindOf(entry).sign;

let aside;
let calls;
let shown = null;  /* the entry */
let stop;  /* ends what is under way for it */
let withSums = false;  /* were asked for: the next file's too */

export function startPreview(given) {
  calls = given;
  aside = byId('preview');
  aside.setAttribute('aria-label', words.preview);
  NARROW.addEventListener('change', cover);
  aside.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    calls.close();
  });
}

export const previewed = () => shown;

export const isPreviewed = addresses => shown !== null && addresses.some(address => isInside(shown.address, address));

export function showPreview(entry) {
  if (shown === entry) return;
  const first = shown === null;
  hideContent();
  shown = entry;
  stop = new AbortController();
  const close = bare(words.closePreview, 'close', () => calls.close());
  const readable = entry.type === 'file' && may('read');
  aside.replaceChildren(
    el('div', { class: 'preview-head' }, el('h2', {}, nameElement(entry.name.slice(entry.name.lastIndexOf('/') + 1))), close),
    el('div', { class: 'look' }, readable ? content(entry) : sign(entry)),
    el('div', { class: 'about' }, facts(entry), readable && [
      el('div', { class: 'preview-actions' }, button(words.actions.download, 'download', () => calls.download(entry))), sums(entry, stop.signal)]));
  aside.hidden = false;
  cover();
  if (first && NARROW.matches) close.focus();
}

export function hidePreview() {
  if (!shown) return false;
  hideContent();
  shown = null;
  aside.hidden = true;
  cover();
  return true;
}

/* Sound and video would play on out of the page. */
function hideContent() {
  stop?.abort();
  for (const media of aside.querySelectorAll('audio, video')) {
    media.pause();
    media.removeAttribute('src');
    media.load();
  }
  aside.replaceChildren();
}

/* What is behind in a narrow window can be neither reached nor read. */
function cover() {
  for (const element of document.querySelectorAll('.bar, .tree, main, .skip')) element.inert = shown !== null && NARROW.matches;
}

function content(entry) {
  const { show } = kindOf(entry);
  if (entry.size === 0) return sign(entry, words.emptyFile);
  return show ? show(entry, api.fileAddress(entry.address, true), stop.signal) : sign(entry, words.noPreview);
}

const sign = (entry, text) => el('div', { class: 'sign' }, icon(iconOf(entry)), text && el('p', {}, text));

const failing = entry => event => event.target.replaceWith(sign(entry, words.cannotShow));

function showPicture(entry, src) {
  return entry.size > LARGEST_PICTURE_BYTES ? sign(entry, words.noPreview) : el('img', { src, alt: words.name(entry.name), onerror: failing(entry) });
}

/* The server sends drawings, which may hold scripts, only as bytes; as a picture they run none. */
function showDrawing(entry, src, signal) {
  const img = el('img', { alt: words.name(entry.name), onload: () => URL.revokeObjectURL(img.src), onerror: failing(entry) });
  api.firstBytes(entry.address, LARGEST_DRAWING_BYTES, signal).then(
    bytes => { img.src = URL.createObjectURL(new Blob([bytes], { type: 'image/svg+xml' })); },
    () => img.replaceWith(sign(entry, words.cannotShow)));
  return img;
}

function showMedia(tag) {
  return (entry, src) => el(tag, { src, controls: true, preload: 'metadata', playsinline: true, 'aria-label': words.name(entry.name), onerror: failing(entry) });
}

/* Browsers show no PDF in a frame with a sandbox; their viewers are one. */
function showPdf(entry, src) {
  return navigator.pdfViewerEnabled ? el('iframe', { src, title: words.name(entry.name) }) : sign(entry, words.cannotShow);
}

function showText(entry, src, signal) {
  const view = el('pre', { tabindex: '0', role: 'document', 'aria-label': words.name(entry.name), 'aria-busy': 'true' });
  readText(entry, view, signal).catch(error => {
    if (!signal.aborted) view.replaceWith(sign(entry, words.trouble(api.expect(error))));
  });
  return view;
}

async function readText(entry, view, signal) {
  const bytes = await api.firstBytes(entry.address, TEXT_BYTES, signal);
  if (bytes.includes(0)) {
    view.replaceWith(sign(entry, words.noPreview));
    return;
  }
  const whole = bytes.length >= entry.size;
  view.textContent = decode(bytes, whole);
  view.removeAttribute('aria-busy');
  if (!whole) view.after(el('p', { class: 'more-text' }, words.firstPart(TEXT_BYTES)));
}

/* The last character may be cut. */
function decode(bytes, whole) {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !whole });
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function facts(entry) {
  const line = (label, text) => [el('dt', {}, label), el('dd', {}, text)];
  return el('dl', { class: 'facts' },
    entry.type === 'file' && line(words.columns.size, words.exactSize(size(entry.size), number(entry.size), entry.size)),
    line(words.columns.changed, moment(entry.mtime)));
}

function sums(entry, signal) {
  const box = el('div', { class: 'sums' });
  return el('details', {
    open: withSums,
    ontoggle: event => {
      withSums = event.target.open;
      if (withSums && !box.hasChildNodes()) loadSums(entry, box, signal);
    },
  }, el('summary', {}, words.checksums), box);
}

async function loadSums(entry, box, signal) {
  box.replaceChildren(el('p', { role: 'status' }, words.computing));
  try {
    const { sha256, md5 } = await api.digest(entry.address, signal);
    box.replaceChildren(copyLine('SHA-256', sha256), copyLine('MD5', md5));
  } catch (error) {
    if (!signal.aborted) box.replaceChildren(el('p', { class: 'wrong', role: 'alert' }, words.trouble(api.expect(error))));
  }
}
