/* ssh-keys.js: the account's public keys: seen, removed, added by paste or from files. A private key is known
 * here already, and does not leave this machine. */
import * as api from './api.js';
import { choose, toast } from './dialogs.js';
import { announce, button, copyLine, el } from './dom.js';
import { field, form } from './fields.js';
import * as ask from './own-api.js';
import { own } from './own-strings.js';
import { words } from './strings.js';
import { moment } from './text.js';

const FILE_MOST = 60_000;  /* bytes of text that the server takes */

/* As common/sshkey.c knows them. */
const PRIVATE = /PRIVATE KEY-----|PRIVATE KEY ----|SSH PRIVATE KEY FILE FORMAT|PuTTY-User-Key-File-|Private-Lines: |b3BlbnNzaC1rZXktdjEAAA/;

class Refused extends api.Trouble {
  constructor(message) {
    super('refused', message);
    this.field = 'text';
  }
}

export function keysOf({ keys }, again) {
  return [
    keys.length > 0 ? el('ul', { class: 'rows' }, keys.map(key => row(key, again))) : el('p', { class: 'help' }, own.keys.none),
    el('h3', {}, own.keys.add), adding(again),
  ];
}

function row(key, again) {
  const { type, bits, sha256, md5, comment, added, last_used: used } = key;
  const name = comment || sha256;
  return el('li', {},
    el('div', { class: 'told' },
      el('strong', {}, words.name(comment || own.keys.noComment)), ' ', own.keys.type(type, bits),
      el('p', { class: 'help' }, own.keys.times(added && moment(added), used && moment(used))),
      copyLine('SHA256', sha256), md5 && copyLine('MD5', md5)),
    button(own.keys.remove, 'delete', () => remove(key, name, again), { 'aria-label': own.keys.removeOf(name) }));
}

async function remove({ number }, name, again) {
  const picked = await choose({
    title: own.keys.removeTitle(name), text: own.keys.removeText,
    choices: [{ id: '', label: words.cancel }, { id: 'remove', label: own.keys.remove, main: true }],
  });
  if (picked?.id !== 'remove') return;
  try {
    await ask.removeKey(number);
    announce(own.keys.removed(name));
  } catch (error) {
    toast(words.trouble(api.expect(error)), { trouble: true });
  }
  again();
}

function adding(again) {
  const text = field('text', own.keys.text, { tag: 'textarea', rows: '4', help: own.keys.textHelp, class: 'code', maxlength: String(FILE_MOST) });
  const results = el('div', { role: 'alert' });
  const picker = el('input', { type: 'file', multiple: true, hidden: true, tabindex: '-1', 'aria-hidden': 'true' });
  picker.addEventListener('change', async () => {
    await take(text, [...picker.files]);
    picker.value = '';
  });
  const send = async ({ text: pasted }) => {
    results.replaceChildren();
    if (PRIVATE.test(pasted)) {
      text.input.value = '';
      throw new Refused(own.keys.private);
    }
    const { results: told } = await ask.addKeys(pasted);
    const wrong = told.filter(({ error }) => error !== null);
    if (told.length > wrong.length) toast(own.keys.added(told.length - wrong.length));
    if (wrong.length === 0) again();
    else results.replaceChildren(el('ul', { class: 'wrong-lines' }, wrong.map(({ line, error }) => el('li', {}, own.keys.wrong(line, error)))));
  };
  return el('div', { class: 'adding' }, form([text], own.keys.button, send, { beside: [button(own.keys.files, null, () => picker.click()), picker] }), results);
}

/* Their text goes into the field, where it can be looked at. */
async function take(text, files) {
  if (files.some(({ size }) => size > FILE_MOST)) {
    text.tell(own.keys.tooLarge);
    return;
  }
  const read = await Promise.all(files.map(file => file.text()));
  const all = [text.input.value, ...read].map(one => one.trim()).filter(Boolean).join('\n');
  text.tell('');
  if (read.some(one => PRIVATE.test(one))) text.tell(own.keys.private);
  else if (all.length > FILE_MOST) text.tell(own.keys.tooLarge);
  else text.input.value = all + '\n';
  text.input.focus();
}
