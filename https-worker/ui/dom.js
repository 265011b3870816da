/* dom.js: elements from code. Text goes in as text, styles through the CSSOM; nothing is ever parsed: the
 * page's policy would refuse it. */
import { words } from './strings.js';
import { pieces } from './text.js';

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = new URL('icons.svg', import.meta.url).pathname;

export const byId = id => document.getElementById(id);

/* null and false leave out what they stand for. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(2).filter(child => child !== false && child != null));
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
  const href = `${ICONS}#${name}`;
  if (svg.firstChild.getAttribute('href') !== href) svg.firstChild.setAttribute('href', href);
}

export const button = (label, iconName, onclick, more = {}) =>
  el('button', { type: 'button', class: 'plain', onclick, ...more }, iconName && icon(iconName), el('span', {}, label));

export const bare = (label, iconName, onclick, more = {}) =>
  el('button', { type: 'button', class: 'bare', title: label, 'aria-label': label, onclick, ...more }, icon(iconName));

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

const seen = text => pieces(text).map(([piece, hidden]) => (hidden ? el('span', { class: 'mark-of' }, piece) : piece));

/* A file's name: its direction kept to itself, its hidden characters seen. `cut` short, its end stays. */
export function nameElement(text, cut = false) {
  const end = cut && text.length > 24 && !RIGHT_TO_LEFT.test(text) && /(?![\p{M}\u200d]).{8}$/u.exec(text);
  return end
    ? el('bdi', { class: 'name-of cut' }, el('span', { class: 'start' }, seen(text.slice(0, end.index))), el('span', {}, seen(end[0])))
    : el('bdi', { class: 'name-of' }, seen(text));
}

/* For screen readers. */
export function announce(text, atOnce = false) {
  const region = byId(atOnce ? 'said-at-once' : 'said');
  region.textContent = region.textContent === text ? text + '\u00a0' : text;
}

export function copyLine(label, text) {
  const code = el('code', {}, text);
  const copy = bare(words.copy(label), 'copy', async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(code);
      announce(words.copyByHand, true);
      return;
    }
    announce(words.copied(label));
    copy.classList.add('copied');
    setTimeout(() => copy.classList.remove('copied'), 1500);
  });
  return el('div', { class: 'copy-line' }, el('span', { class: 'copy-label' }, label), code, copy);
}

const BEYOND = 6;  /* rows above and below */
const HIGHEST = 8_000_000;  /* px: browsers have an end */

/* Rows of one height in a box that scrolls: only those in sight are in the page. A row stays with its key, so
 * that focus and a field outlive changes around them; that of `kept` even out of sight. `head` px of the box
 * are covered; make() gives a row, bind(row, item, index) fills it. */
export class Scroller {
  kept = null;
  items = [];
  #shown = new Map();  /* key: {element, index} */
  #spare = [];

  constructor(how) {
    Object.assign(this, { head: 0, ...how });
    this.box.addEventListener('scroll', () => this.render(), { passive: true });
    new ResizeObserver(() => {
      this.high = this.box.clientHeight - this.head;
      this.render();
    }).observe(this.box);
    this.high = this.box.clientHeight - this.head;
  }

  show(items) {
    this.items = items;
    this.canvas.style.height = `${Math.min(items.length * this.height, HIGHEST)}px`;
    this.render(true);
  }

  /* px of rows for 1 px of the box: more where the height is cut. */
  get #pace() {
    const whole = this.items.length * this.height;
    return whole <= HIGHEST ? 1 : (whole - this.high) / (HIGHEST - this.high);
  }

  element(key) {
    return this.#shown.get(key)?.element;
  }

  render(again = false) {
    const { items, height, key } = this;
    const top = this.box.scrollTop * this.#pace;
    const shift = this.box.scrollTop - top;
    const first = Math.max(0, Math.floor(top / height) - BEYOND);
    const end = Math.min(items.length, Math.ceil((top + this.high) / height) + BEYOND);
    const wanted = new Map();
    for (let index = first; index < end; index++) wanted.set(key(items[index]), index);
    if (this.kept !== null && !wanted.has(this.kept)) {
      const index = items.findIndex(item => key(item) === this.kept);
      if (index >= 0) wanted.set(this.kept, index);
    }
    for (const [one, { element }] of this.#shown) {
      if (wanted.has(one)) continue;
      this.#shown.delete(one);
      element.remove();
      this.#spare.push(element);
    }
    for (const [one, index] of wanted) {
      const known = this.#shown.get(one);
      const element = known?.element ?? this.#spare.pop() ?? this.make();
      this.#shown.set(one, { element, index });
      element.style.transform = `translateY(${index * height + shift}px)`;
      if (again || !known) this.bind(element, items[index], index);
    }
    this.#spare.length = Math.min(this.#spare.length, BEYOND * 2);
    this.#inOrder();
  }

  /* Screen readers meet the rows in their order; what is moved loses the focus. */
  #inOrder() {
    let next = null;
    for (const { element } of [...this.#shown.values()].sort((a, b) => b.index - a.index)) {
      if (element.nextSibling !== next || !element.parentNode) this.canvas.insertBefore(element, next);
      next = element;
    }
  }

  scrollTo(index) {
    const { box, height } = this;
    const top = index * height / this.#pace;
    const bottom = ((index + 1) * height - this.high) / this.#pace;
    if (box.scrollTop > top) box.scrollTop = top;
    else if (box.scrollTop < bottom) box.scrollTop = bottom;
    this.render();
  }
}
