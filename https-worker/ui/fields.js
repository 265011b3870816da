/* fields.js: fields and forms of the account's pages: a label, some help, and what is wrong beneath each. */
import { expect } from './api.js';
import { announce, bare, el } from './dom.js';
import { words } from './strings.js';

let count = 0;

/* {element, input, tell(text)}. secret: a password, which can be shown. fresh: a new one, whose strength is told
 * while it is typed. optional: may stay empty. later: hidden until the server asks for it. */
export function field(name, label, { help = '', secret = false, fresh = false, optional = false, later = false, tag = 'input', ...more } = {}) {
  const id = `field-${count += 1}`;
  const input = el(tag, {
    id, name, type: tag === 'input' && (secret ? 'password' : 'text'), autocapitalize: 'none', spellcheck: 'false', 'aria-required': !optional && 'true', 'aria-describedby': `${id}-help ${id}-wrong`, ...more,
  });
  const hint = el('p', { class: 'help', id: `${id}-help` }, help);
  const wrong = el('p', { class: 'wrong', id: `${id}-wrong` });
  const tell = text => {
    wrong.textContent = text;
    input.setAttribute('aria-invalid', String(text !== ''));
  };
  input.addEventListener('input', () => tell(''));
  const meter = fresh && judged(input, hint);
  const element = el('div', { class: 'input', hidden: later }, el('label', { for: id }, label), secret ? withShow(input) : input, meter, hint, wrong);
  return { name, element, input, optional, tell };
}

/* How good a new password is, from its first letter on; the server has the last word. */
function judged(input, hint) {
  const help = hint.textContent;
  const meter = el('meter', { class: 'strength', max: '3', low: '1', high: '3', optimum: '3', value: '0', 'aria-hidden': 'true', hidden: true });
  hint.setAttribute('aria-live', 'polite');
  input.addEventListener('input', async () => {
    const { strength } = await import('./strength.js');
    const { level, advice } = strength(input.value);
    const empty = input.value === '';
    meter.hidden = empty;
    meter.value = level;
    hint.textContent = empty ? help : words.strength(level, advice);
  });
  return meter;
}

function withShow(input) {
  const show = bare(words.showPassword, 'eye', () => {
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    show.setAttribute('aria-pressed', String(shown));
  }, { 'aria-pressed': 'false' });
  return el('div', { class: 'with-button' }, input, show);
}

export const codeField = (later = true, help = words.own.codeHelp) =>
  field('code', words.own.code, { help, later, inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: '32' });

/* For password managers: whose password it is. */
export const userField = user => el('input', { type: 'text', name: 'user', value: user, autocomplete: 'username', readonly: true, hidden: true });

/* send({name: value}) does it; what it throws is told beside the field that it names, else beneath the form. */
export function form(fields, label, send, { before = [], beside = [], main = true } = {}) {
  const status = el('p', { class: 'wrong' });
  const submit = el('button', { type: 'submit', class: main ? 'main' : 'plain' }, label);
  const shown = () => fields.filter(({ element }) => !element.hidden);

  function refuse(trouble) {
    const one = fields.find(({ name }) => name === trouble.field);
    const text = words.refused(trouble);
    if (!one) {
      status.textContent = text;
      announce(text, true);
      return;
    }
    one.element.hidden = false;
    one.tell(text);
    one.input.focus();
    one.input.select();
  }

  async function run(event) {
    event.preventDefault();
    if (submit.disabled) return;
    status.textContent = '';
    const missing = shown().filter(({ input, optional }) => input.value === '' && !optional);
    for (const one of shown()) one.tell(missing.includes(one) ? words.own.missing : '');
    if (missing.length > 0) {
      missing[0].input.focus();
      return;
    }
    submit.disabled = true;
    try {
      await send(Object.fromEntries(shown().map(({ name, input }) => [name, input.value])));
    } catch (error) {
      refuse(expect(error));
    } finally {
      submit.disabled = false;
    }
  }

  return el('form', { class: 'fields', novalidate: true, onsubmit: run }, before, fields.map(({ element }) => element), el('div', { class: 'ending' }, submit, beside, status));
}
