/* format.js: sizes, dates and times as the browser's language writes them (Intl). */

const language = undefined;                       /* the browser's */

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'];
const sizes = UNITS.map(unit => [0, 1].map(digits => new Intl.NumberFormat(language, {
    style: 'unit', unit, unitDisplay: unit === 'byte' ? 'long' : 'short', maximumFractionDigits: digits,
})));
const plain = new Intl.NumberFormat(language);
const share = new Intl.NumberFormat(language, { style: 'percent' });
const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(language, { year: 'numeric', month: 'short', day: 'numeric' });
const whole = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'medium' });

/* 12.3 MB; decimal units, as disks are sold and Intl names them. */
export function size(bytes) {
    let unit = 0;
    let value = bytes;
    while (value >= 999.5 && unit < UNITS.length - 1) {
        value /= 1000;
        unit++;
    }
    return sizes[unit][unit > 0 && value < 99.95 ? 1 : 0].format(value);
}

export const number = value => plain.format(value);

export const percent = value => share.format(value);

const TIMES = [['hour', 3600], ['minute', 60], ['second', 1]].map(([unit, seconds]) =>
    [seconds, new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 0 })]);

/* "3 minutes": of a time that is only guessed, so in one unit. */
export function duration(seconds) {
    const [length, format] = TIMES.find(([least]) => seconds >= least * 1.5) ?? TIMES.at(-1);
    return format.format(Math.max(1, Math.round(seconds / length)));
}

let today = { start: 0, end: 0 };

/* Seconds since 1970 in a list: the time for what changed today, else the day. */
export function changed(seconds) {
    const time = seconds * 1000;
    if (!Number.isFinite(time) || Math.abs(time) > 8.64e15) return '';
    if (Date.now() >= today.end) {
        const start = new Date().setHours(0, 0, 0, 0);
        today = { start, end: new Date(start).setHours(24) };
    }
    return (time >= today.start && time < today.end ? clock : day).format(time);
}

export function moment(seconds) {
    const time = seconds * 1000;
    return Number.isFinite(time) && Math.abs(time) <= 8.64e15 ? whole.format(time) : '';
}
