/* dom.js: elements from code. Text goes in as text, styles through the CSSOM, and nothing is ever parsed:
 * the page's policy (Trusted Types, no inline style) would refuse it. */
import { pieces } from './names.js';

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = new URL('icons.svg', import.meta.url).pathname;

/* el('button', {class: 'x', onclick: f, 'aria-label': 'y'}, child, 'text', [more]).
 * Attributes that are null, undefined or false are left out; true is the empty attribute. */
export function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
    return element;
}

export function icon(name) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(document.createElementNS(SVG, 'use'));
    setIcon(svg, name);
    return svg;
}

export function setIcon(svg, name) {
    const address = `${ICONS}#${name}`;
    if (svg.firstChild.getAttribute('href') !== address) svg.firstChild.setAttribute('href', address);
}

/* A button with an icon: its label beside it, or (bare) told by the tooltip and to screen readers. */
export function button(label, iconName, onclick, { bare = false, ...more } = {}) {
    return el('button', {
        type: 'button', class: bare ? 'bare' : 'plain', title: bare ? label : null, 'aria-label': bare ? label : null, onclick, ...more,
    }, iconName && icon(iconName), bare ? null : el('span', {}, label));
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

function namePieces(text) {
    return pieces(text).map(piece => (piece.mark ? el('span', { class: 'mark-of' }, piece.text) : piece.text));
}

/* A file's name: isolated from the direction of what stands around it, with its hidden characters seen.
 * Where it may be cut short it is cut before its last characters, so that the ending stays in sight. */
export function nameElement(text, { cut = false } = {}) {
    const keep = cut && text.length > 24 && !RIGHT_TO_LEFT.test(text) ? /(?![\p{M}\u200d]).{8}$/u.exec(text) : null;
    if (!keep) return el('bdi', { class: 'name-of' }, namePieces(text));
    return el('bdi', { class: 'name-of cut' },
        el('span', { class: 'start' }, namePieces(text.slice(0, keep.index))), el('span', {}, namePieces(keep[0])));
}

/* For screen readers: said when there is a moment, or at once (trouble). */
export function announce(text, atOnce = false) {
    const region = document.getElementById(atOnce ? 'said-at-once' : 'said');
    region.textContent = region.textContent === text ? text + '\u00a0' : text;
}
