/* link.js: what a mailed link opens: the first password, another one, a confirmed address. Looking at a link
 * does not use it up. The token leaves the address line at once, and is kept nowhere else. */
import { ask, expect, signInWith } from './api.js';
import { byId, el } from './dom.js';
import { codeField, field, form, userField } from './fields.js';
import { words } from './strings.js';

const { link: said, own } = words;
const organisation = document.title;
const token = location.hash.slice(1);
history.replaceState(null, '', location.pathname);

function show(title, ...content) {
  document.title = `${title} · ${organisation}`;
  const heading = el('h1', { tabindex: '-1' }, title);
  byId('link').replaceChildren(heading, ...content.flat().filter(Boolean));
  heading.focus();
}

const toSignIn = () => el('p', {}, el('a', { href: '/login' }, words.signIn));

const FORMS = { invite: choosePassword, lost: choosePassword, address: confirmAddress };

async function begin() {
  if (token === '') {
    show(said.none, el('p', {}, said.noneHelp), again());
    return;
  }
  try {
    const found = await ask('/api/link', { token }).then(answer => answer.json());
    FORMS[found.kind](found);
  } catch (error) {
    fail(expect(error));
  }
}

/* Why, and how to get another one. */
function fail(trouble) {
  show(said.bad, el('p', { role: 'alert' }, words.refused(trouble)), trouble.code === 'offline' ? el('p', {}, el('a', { href: '' }, words.tryAgain)) : again());
}

function again() {
  if (document.body.dataset.mail !== 'yes') return [el('p', {}, said.askPeople), toSignIn()];
  const done = el('p', { role: 'status' });
  return [el('p', {}, said.again),
    form([field('name', said.name, { autocomplete: 'username', maxlength: '254' })], said.send, async ({ name }) => {
      await ask('/api/lost', { name: name.trim() });
      done.textContent = said.sent;
    }), done, toSignIn()];
}

function choosePassword({ kind, account }) {
  const fresh = field('password', own.newPassword, { secret: true, fresh: true, help: own.passwordHelp, autocomplete: 'new-password' });
  const { title, help, button } = said[kind];
  show(title, el('p', {}, help(account)), form([fresh], button, async ({ password }) => {
    try {
      await ask('/api/link', { token, password });
    } catch (error) {
      if (expect(error).field !== 'token') throw error;
      fail(error);
      return;
    }
    await enter(account, password);
  }, { before: userField(account) }));
  fresh.input.focus();
}

/* The password is set: in with it. An account with codes is asked for one first. */
async function enter(user, password, code = '') {
  try {
    location.replace(await signInWith({ user, password, ...code && { code } }));
  } catch (error) {
    if (expect(error).field !== 'code') {
      show(said.done, el('p', {}, words.refused(error)), toSignIn());
      return;
    }
    if (code !== '') throw error;
    const asked = codeField(false);
    show(said.done, form([asked], words.signIn, values => enter(user, password, values.code.trim())));
    asked.input.focus();
  }
}

function confirmAddress({ account, email }) {
  const { title, help, button, done } = said.address;
  show(title, el('p', {}, help(account, email)), form([], button, async () => {
    try {
      await ask('/api/link', { token, confirm: true });
      show(done(email), toSignIn());
    } catch (error) {
      fail(expect(error));
    }
  }));
}

begin();
