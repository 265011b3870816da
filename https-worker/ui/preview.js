/* preview.js: beside the list, what is in a file, as far as the browser itself can show it: pictures,
 * sound and video by its elements, PDF in a frame, text as text. All bytes come from /files/PATH?inline,
 * which the server sends with a policy that lets them do nothing. Below: size, date, checksums. */
import * as api from './api.js';
import { copyLine } from './copy.js';
import { button, el, icon, nameElement } from './dom.js';
import { moment, number, size } from './format.js';
import { iconOf, wayOf } from './kinds.js';
import { isInside } from './names.js';
import { may } from './session.js';
import { words } from './strings.js';

const TEXT_BYTES = 256 * 1024;
const LARGEST_PICTURE_BYTES = 100 * 1000 * 1000;
const NARROW = matchMedia('(max-width: 899px)');

let aside;
let shown = null;                       /* the entry */
let stop = null;                        /* ends what is under way for it */
let withSums = false;                   /* the checksums were asked for: the next file's too */
let calls = {};

/* calls: close(), download(entry). */
export function startPreview(given) {
    calls = given;
    aside = document.getElementById('preview');
    aside.setAttribute('aria-label', words.preview);
    NARROW.addEventListener('change', cover);
    aside.addEventListener('keydown', event => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        calls.close();
    });
}

export const previewed = () => shown;

export function showPreview(entry) {
    if (shown?.address === entry.address && shown.mtime === entry.mtime && shown.size === entry.size) return;
    hideContent();
    const first = shown === null;
    shown = entry;
    stop = new AbortController();
    aside.hidden = false;
    const close = button(words.closePreview, 'close', () => calls.close(), { bare: true });
    const name = entry.name.slice(entry.name.lastIndexOf('/') + 1);
    aside.replaceChildren(
        el('div', { class: 'preview-head' }, el('h2', {}, nameElement(name)), close),
        el('div', { class: 'look' }, content(entry, stop.signal)),
        el('div', { class: 'about' }, facts(entry), may('read', entry) && entry.type === 'file' ? [actions(entry), sums(entry, stop.signal)] : null));
    cover();
    if (first && NARROW.matches) close.focus();
}

export function hidePreview() {
    if (!shown) return false;
    hideContent();
    shown = null;
    aside.hidden = true;
    aside.replaceChildren();
    cover();
    return true;
}

/* Sound and video go on loading and playing out of the page unless they are told. */
function hideContent() {
    stop?.abort();
    for (const media of aside.querySelectorAll('audio, video')) {
        media.pause();
        media.removeAttribute('src');
        media.load();
    }
}

/* In a narrow window the preview covers everything: what is behind can be neither reached nor read. */
function cover() {
    const covers = shown !== null && NARROW.matches;
    for (const element of document.querySelectorAll('.bar, .tree, main, .skip')) element.inert = covers;
}

/* ---- what is in it ---- */

function content(entry, signal) {
    if (entry.type === 'folder' || !may('read', entry)) return sign(entry);
    const way = wayOf(entry);
    if (way === null || (way === 'picture' && entry.size > LARGEST_PICTURE_BYTES)) return sign(entry, words.noPreview);
    if (entry.size === 0) return sign(entry, words.emptyFile);
    return WAYS[way](entry, api.fileAddress(entry.address, true), signal);
}

const sign = (entry, text = null) => el('div', { class: 'sign' }, icon(iconOf(entry)), text && el('p', {}, text));

const failing = entry => event => event.target.replaceWith(sign(entry, words.cannotShow));

const WAYS = {
    picture: (entry, address) => el('img', { src: address, alt: words.pictureOf(entry.name), onerror: failing(entry), decoding: 'async' }),
    sound: (entry, address) => el('audio', { src: address, controls: true, preload: 'metadata', 'aria-label': words.soundOf(entry.name), onerror: failing(entry) }),
    video: (entry, address) => el('video', { src: address, controls: true, preload: 'metadata', playsinline: true, 'aria-label': words.videoOf(entry.name), onerror: failing(entry) }),
    pdf: (entry, address) => (navigator.pdfViewerEnabled ? el('iframe', { src: address, title: words.pdfOf(entry.name) }) : sign(entry, words.cannotShow)),
    text: textView,
};

function textView(entry, address, signal) {
    const view = el('pre', { tabindex: '0', role: 'document', 'aria-label': words.textOf(entry.name), 'aria-busy': 'true' });
    readText(entry, view, signal).catch(error => {
        if (!signal.aborted) view.replaceWith(sign(entry, error instanceof api.Trouble ? words.trouble(error) : words.cannotShow));
    });
    return view;
}

async function readText(entry, view, signal) {
    const { bytes } = await api.head(entry.address, TEXT_BYTES, signal);
    const whole = bytes.length >= entry.size;
    if (bytes.includes(0)) {
        view.replaceWith(sign(entry, words.noPreview));
        return;
    }
    view.textContent = decode(bytes, whole);
    view.removeAttribute('aria-busy');
    if (!whole) view.after(el('p', { class: 'more-text' }, words.firstPart(TEXT_BYTES)));
}

/* UTF-8, else the old encoding that nearly all other files are in. The last character may be cut. */
function decode(bytes, whole) {
    try {
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !whole });
    } catch {
        return new TextDecoder('windows-1252').decode(bytes);
    }
}

/* ---- about it ---- */

function facts(entry) {
    const rows = [];
    if (entry.type === 'file') rows.push([words.columns.size, words.exactSize(size(entry.size), number(entry.size), entry.size)]);
    rows.push([words.columns.changed, moment(entry.mtime)]);
    return el('dl', { class: 'facts' }, rows.flatMap(([label, text]) => [el('dt', {}, label), el('dd', {}, text)]));
}

function actions(entry) {
    return el('div', { class: 'preview-actions' }, button(words.actions.download, 'download', () => calls.download(entry)));
}

function sums(entry, signal) {
    const box = el('div', { class: 'sums' });
    const details = el('details', { open: withSums }, el('summary', {}, words.checksums), box);
    const load = () => {
        withSums = details.open;
        if (details.open && !box.hasChildNodes()) loadSums(entry, box, signal);
    };
    details.addEventListener('toggle', load);
    return details;
}

async function loadSums(entry, box, signal) {
    box.replaceChildren(el('p', { role: 'status' }, words.computing));
    try {
        const found = await api.digest(entry.address, signal);
        box.replaceChildren(copyLine('SHA-256', found.sha256), copyLine('MD5', found.md5));
    } catch (error) {
        if (signal.aborted) return;
        box.replaceChildren(el('p', { class: 'wrong', role: 'alert' }, error instanceof api.Trouble ? words.trouble(error) : words.cannotShow));
    }
}

/* Whether what is shown is among what is gone. */
export const isPreviewed = addresses => shown !== null && addresses.some(address => isInside(shown.address, address));
