/* codes.js: two-step login: a secret for the authenticator, the first code, recovery codes, and the end of it. */
import * as api from './api.js';
import { toast } from './dialogs.js';
import { button, copyLine, el } from './dom.js';
import { codeField, field, form, userField } from './fields.js';
import { words } from './strings.js';

const own = words.own;
const SVG = 'http://www.w3.org/2000/svg';
const BORDER = 4;  /* squares of light around the picture: ISO/IEC 18004 */

export function twoStep({ codes, codes_required: required, recovery_left: left }, again) {
  if (codes !== 'on') return enrolSection(again);
  return [
    el('p', { class: 'help' }, own.codes.on(left)),
    required ? el('p', { class: 'help' }, own.codes.required) : form([codeField(false)], own.codes.end, async ({ code }) => {
      await api.endCodes(code.trim());
      toast(own.codes.ended);
      again();
    }, { main: false }),
  ];
}

/* Password, picture and first code, recovery codes; done() when they are kept. */
export function enrolSection(done) {
  const place = el('div', { class: 'enrol' });
  const fields = [field('current', own.current, { secret: true, autocomplete: 'current-password' }), codeField()];
  place.append(form(fields, own.codes.begin, async values => {
    const secret = await api.prove('/api/codes/begin', values).then(answer => answer.json());
    showSecret(place, secret, done);
  }, { before: userField(api.me().account) }));
  return place;
}

/* Letters are read by four. */
const grouped = secret => secret.replace(/.{4}(?=.)/g, '$& ');

function showSecret(place, { secret, uri, qr }, done) {
  const code = codeField(false, '');
  const steps = el('ol', { class: 'steps' },
    el('li', {}, el('p', {}, own.codes.scan), qr && picture(qr), copyLine(own.codes.secret, grouped(secret)), el('p', {}, el('a', { href: uri }, own.codes.here))),
    el('li', {}, el('p', {}, own.codes.type), form([code], own.codes.confirm, async values => {
      const { recovery } = await api.confirmCodes(values.code.trim());
      showRecovery(place, recovery, done);
    })));
  place.replaceChildren(steps);
  code.input.focus({ preventScroll: true });
  steps.scrollIntoView({ block: 'nearest' });
}

/* Dark on light, whatever the theme: cameras want it so. */
function picture({ size, path }) {
  const svg = document.createElementNS(SVG, 'svg');
  const squares = document.createElementNS(SVG, 'path');
  const whole = size + 2 * BORDER;
  svg.setAttribute('class', 'qr');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', own.codes.picture);
  svg.setAttribute('viewBox', `${-BORDER} ${-BORDER} ${whole} ${whole}`);
  squares.setAttribute('d', path);
  svg.append(squares);
  return svg;
}

function showRecovery(place, recovery, done) {
  const text = recovery.join('\n');
  const title = el('h3', { tabindex: '-1' }, own.codes.recovery);
  place.replaceChildren(title, el('p', { class: 'help' }, own.codes.recoveryHelp),
    el('div', { class: 'values' }, copyLine(own.codes.recovery, text)),
    el('div', { class: 'ending' }, button(own.codes.save, 'download', () => save(text)), button(own.codes.kept, 'check', done)));
  title.focus();
}

function save(text) {
  const address = URL.createObjectURL(new Blob([own.codes.file(words.name(api.me().account)) + text + '\n'], { type: 'text/plain' }));
  const link = el('a', { href: address, download: own.codes.fileName });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
