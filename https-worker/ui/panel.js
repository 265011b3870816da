/* panel.js: the uploads low on the right: each one and the whole, with bar, speed, time left, and what can
 * be done about it. It shows transfers.js and decides nothing; it opens by itself and is closed by hand. */
import { announce, button, el, nameElement } from './dom.js';
import { percent, size } from './format.js';
import { nameOf, parentOf, textOf } from './names.js';
import { Scroller } from './scroller.js';
import { fromInput } from './sources.js';
import { words } from './strings.js';
import { STATES, transfers } from './transfers.js';

const ROW_PX = 64;
const SHOWN_ROWS = 4.5;
const NARROW = matchMedia('(max-width: 639px)');

const ACTIONS = {
    pause: { icon: 'pause', run: item => transfers.pause(item) },
    resume: { icon: 'play', run: item => transfers.resume(item) },
    retry: { icon: 'retry', run: item => transfers.retry(item) },
    choose: { icon: 'folder', run: () => chooseAgain() },
    cancel: { icon: 'close', run: item => transfers.cancel(item) },
};

let panel;
let parts;
let scroller;
let folded = null;                     /* null: as wide as the window lets it be */
let painted = false;
let wasBusy = false;

export function startPanel() {
    panel = document.getElementById('panel');
    panel.setAttribute('aria-label', words.uploads);
    parts = {
        title: el('h2', {}),
        sum: el('p', { class: 'sum' }),
        bar: el('progress', { max: '1', value: '0', 'aria-label': words.uploadsWhole }),
        all: button('', 'pause', pauseOrResume, { bare: true }),
        fold: button(words.fold, 'down', () => { folded = !isFolded(); paint(); }, { bare: true, class: 'bare fold', 'aria-expanded': 'true' }),
        close: button(words.close, 'close', () => transfers.clear(), { bare: true }),
        notice: el('div', { class: 'notice' }),
        box: el('div', { class: 'box' }),
        canvas: el('div', { class: 'canvas', role: 'list' }),
    };
    parts.box.append(parts.canvas);
    panel.append(el('div', { class: 'panel-head' }, el('div', { class: 'told' }, parts.title, parts.sum), parts.all, parts.fold, parts.close),
        parts.bar, parts.notice, parts.box);
    scroller = new Scroller({ box: parts.box, canvas: parts.canvas, height: ROW_PX, make: makeRow, bind: bindRow, keyOf: item => item.id });
    for (const name of ['change', 'tick']) transfers.addEventListener(name, paintSoon);
    NARROW.addEventListener('change', paintSoon);
}

const isFolded = () => folded ?? NARROW.matches;

function pauseOrResume() {
    transfers.all(transfers.isBusy ? 'pause' : 'resume');
}

/* The files of what was cut off: by the handles that the browser kept, else by choosing them again. */
async function chooseAgain() {
    if (missing().some(item => item.handle)) await transfers.reopen(true);
    if (missing().length === 0) return;
    const { files } = await fromInput({ multiple: true });
    if (files.length > 0 && transfers.match(files) === 0) announce(words.notTheSame, true);
}

const missing = () => transfers.items.filter(item => item.state === 'missing');

function paintSoon() {
    if (painted) return;
    painted = true;
    requestAnimationFrame(() => {
        painted = false;
        paint();
    });
}

/* Everything that stands in the panel, from the uploads as they are. */
function paint() {
    const { items } = transfers;
    panel.hidden = items.length === 0;
    if (panel.hidden) return;
    const done = items.filter(item => item.state === 'done').length;
    const failed = items.filter(item => item.state === 'failed').length;
    const lost = missing();
    paintHead(items, done, failed);
    parts.notice.hidden = lost.length === 0;
    if (lost.length > 0 && parts.notice.dataset.count !== String(lost.length)) {
        const kept = lost.some(item => item.handle);
        parts.notice.dataset.count = String(lost.length);
        parts.notice.replaceChildren(el('p', {}, words.cutOff(lost.length, kept)),
            button(kept ? words.carryOn : words.chooseAgain, null, chooseAgain, { class: 'main' }));
    }
    parts.box.hidden = isFolded();
    parts.box.style.height = `${Math.min(items.length, SHOWN_ROWS) * ROW_PX}px`;
    scroller.items = items;
    tellEnd(done, failed);
}

function paintHead(items, done, failed) {
    const open = items.filter(item => transfers.isOpen(item)).length;
    const bytes = items.reduce((sum, item) => sum + item.size, 0);
    const sent = items.reduce((sum, item) => sum + item.sent, 0);
    const busy = transfers.isBusy;
    const share = bytes > 0 ? sent / bytes : done / items.length;
    parts.title.textContent = open > 0 ? words.uploading(done, items.length) : failed > 0 ? words.uploadsFailed(failed) : words.uploadsDone(done);
    parts.sum.textContent = open > 0 ? words.joined([percent(share), ...pace(transfers.speed.value, bytes - sent)]) : '';
    parts.bar.value = share;
    parts.bar.hidden = open === 0;
    const canResume = items.some(item => item.state === 'paused');
    parts.all.hidden = !busy && !canResume;
    label(parts.all, busy ? 'pause' : 'play', busy ? words.pauseAll : words.resumeAll);
    label(parts.fold, 'down', isFolded() ? words.unfold : words.fold);
    parts.fold.classList.toggle('up', isFolded());
    parts.fold.setAttribute('aria-expanded', String(!isFolded()));
    parts.close.hidden = open > 0;
}

function label(element, iconName, text) {
    if (element.title === text) return;
    element.title = text;
    element.setAttribute('aria-label', text);
    const use = element.querySelector('use');
    use.setAttribute('href', use.getAttribute('href').replace(/#.*/, '#' + iconName));
}

const pace = (speed, bytes) => (speed > 0 ? [words.speed(speed), words.left(bytes / speed)] : []);

/* Screen readers hear the end, not each step of the way. */
function tellEnd(done, failed) {
    const busy = transfers.isBusy;
    if (wasBusy && !busy) {
        if (failed > 0) announce(words.uploadsFailed(failed), true);
        else if (done > 0) announce(words.uploadsDone(done));
    }
    wasBusy = busy;
}

/* ---- rows ---- */

function makeRow() {
    return el('div', { class: 'transfer', role: 'listitem' },
        el('div', { class: 'told' }, el('p', { class: 'title' }), el('p', { class: 'about' })),
        el('div', { class: 'buttons' }),
        el('progress', { max: '1', value: '0' }));
}

function bindRow(row, item, index) {
    const [told, buttons, bar] = row.children;
    const [title, about] = told.children;
    row.setAttribute('aria-setsize', String(transfers.items.length));
    row.setAttribute('aria-posinset', String(index + 1));
    row.dataset.state = item.state;
    if (row.item !== item.id || row.address !== item.address) {
        row.item = item.id;
        row.address = item.address;
        row.state = null;
        title.replaceChildren(nameElement(nameOf(item.address), { cut: true }));
        title.title = words.goesTo(nameOf(item.address), textOf(parentOf(item.address)));
        bar.setAttribute('aria-label', words.uploadOf(nameOf(item.address)));
    }
    about.textContent = aboutOf(item);
    bar.value = item.size > 0 ? item.sent / item.size : Number(item.state === 'done');
    if (row.state === item.state) return;
    row.state = item.state;
    const had = buttons.contains(document.activeElement);
    buttons.replaceChildren(...STATES[item.state].actions.map(action =>
        button(words.uploadActions[action](item.name), ACTIONS[action].icon, () => ACTIONS[action].run(item), { bare: true, 'data-action': action })));
    if (had) (buttons.firstChild ?? parts.fold).focus();
}

function aboutOf(item) {
    switch (item.state) {
    case 'running': return words.joined([words.sentOf(item.sent, item.size), ...pace(item.speed.value, item.size - item.sent)]);
    case 'done': return size(item.size);
    case 'failed': return words.trouble(item.trouble);
    case 'paused': return words.joined([words.uploadStates.paused, words.sentOf(item.sent, item.size)]);
    case 'offline': return item.trouble.code === 'offline' ? words.uploadStates.offline : words.trouble(item.trouble);
    default: return words.uploadStates[item.state];
    }
}
