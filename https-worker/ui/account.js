/* account.js: the account's own page, a section for each thing that people do with it. What is secret is held
 * by its field until it is sent, and nowhere else. */
import * as api from './api.js';
import { enrolSection, twoStep } from './codes.js';
import { choose, toast } from './dialogs.js';
import { announce, button, byId, el } from './dom.js';
import { codeField, field, form, userField } from './fields.js';
import { keysOf } from './ssh-keys.js';
import { words } from './strings.js';
import { moment } from './text.js';

const own = words.own;

const current = () => field('current', own.current, { secret: true, autocomplete: 'current-password' });

const section = (name, ...content) => el('section', { id: `own-${name}`, 'aria-labelledby': `own-${name}-title` },
  el('h2', { id: `own-${name}-title`, tabindex: '-1' }, own[name].title), el('p', {}, own[name].help), content);

const PARTS = { profile, password, keys: keysOf, codes: twoStep, sessions };

/* Returns the sheet at once; it fills when the server has told. `part`: the section that is meant. */
export function accountPage(part, gone) {
  const place = el('div', { class: 'sections' }, el('p', { class: 'help' }, own.reading));
  show(place, part, gone);
  return el('div', { class: 'sheet own' }, el('h1', { tabindex: '-1', id: 'page-title' }, own.title), el('p', { class: 'lead' }, words.signedInAs(api.me().account)), place);
}

async function show(place, part, gone = () => false) {
  try {
    const facts = await api.own();
    if (gone()) return;
    const again = name => show(place, name);
    place.replaceChildren(...Object.entries(PARTS).map(([name, make]) => section(name, make(facts, () => again(name)))));
    if (part) reach(part);
  } catch (error) {
    place.replaceChildren(el('p', { role: 'alert' }, words.trouble(api.expect(error))), button(words.tryAgain, 'retry', () => show(place, part)));
  }
}

/* Its heading, at the top of the window. */
export function reach(part) {
  const title = byId(`own-${part}-title`);
  title?.scrollIntoView();
  title?.focus();
}

/* Nothing else is open to this account: the page holds this and no more. */
export function enrolPage() {
  return el('div', { class: 'sheet own' }, el('h1', { tabindex: '-1', id: 'page-title' }, own.enrol.title), el('p', { class: 'lead' }, own.enrol.help),
    el('section', { 'aria-labelledby': 'page-title' }, enrolSection(() => location.reload())));
}

/* ---- the address ---- */

function profile({ account, email, new_email: waiting, confirmed, mail }, again) {
  const facts = el('dl', { class: 'facts' },
    el('dt', {}, own.user), el('dd', {}, words.name(account)),
    el('dt', {}, own.email), el('dd', {}, email ? own.address(email, confirmed) : own.noAddress),
    waiting && [el('dt', {}, own.newEmail), el('dd', {}, own.waiting(waiting))]);
  if (!mail) return [facts, el('p', {}, own.profile.noMail)];
  const fields = [field('email', own.newEmail, { type: 'email', autocomplete: 'email', maxlength: '254' }), current(), codeField()];
  return [facts, form(fields, own.profile.button, async values => {
    await api.prove('/api/address', values);
    toast(own.profile.done(values.email));
    again();
  }, { before: userField(account) })];
}

/* ---- the password ---- */

function password({ account, password_changed: changed }, again) {
  const fields = [current(), codeField(), field('new', own.newPassword, { secret: true, fresh: true, help: own.passwordHelp, autocomplete: 'new-password' })];
  return [changed && el('p', { class: 'help' }, own.password.changed(moment(changed))),
    form(fields, own.password.button, async values => {
      await api.prove('/api/password', values);
      await signInAnew(account, values.new);
      toast(own.password.done);
      again();
    }, { before: userField(account) })];
}

/* The change has ended every session, this page's too. */
async function signInAnew(user, secret) {
  try {
    await api.signInWith({ user, password: secret });
    await api.comeBack();
  } catch (error) {
    api.expect(error);
    await choose({ title: own.password.done, text: own.password.signIn, choices: [{ id: 'on', label: words.signIn, main: true }] });
    location.assign('/login');
    await new Promise(() => {});
  }
}

/* ---- sessions ---- */

function sessions({ web, sessions: others }, again) {
  const rows = [
    ...web.map(({ number, address, created, seen, own: here }) =>
      ({ path: `web/${number}`, what: own.browser, where: address, since: created, seen, here })),
    ...others.map(({ number, protocol, address, started }) =>
      ({ path: number, what: protocol.toUpperCase(), where: address, since: started })),
  ];
  const ending = rows.filter(({ here }) => !here);
  const end = async some => {
    try {
      for (const { path } of some) await api.endSession(path);
      announce(own.sessions.ended(some.length));
    } catch (error) {
      toast(words.trouble(api.expect(error)), { trouble: true });
    }
    again();
  };
  return [
    el('ul', { class: 'rows' }, rows.map(row => el('li', {},
      el('div', { class: 'told' }, el('strong', {}, row.what), ' ', row.where, row.here && el('span', { class: 'here' }, own.sessions.here),
        el('p', { class: 'help' }, own.sessions.since(moment(row.since), row.seen ? moment(row.seen) : ''))),
      !row.here && button(own.sessions.end, null, () => end([row]), { 'aria-label': own.sessions.endOf(row.what, row.where, moment(row.since)) })))),
    ending.length > 1 && el('div', { class: 'ending' }, button(own.sessions.endAll, null, () => end(ending))),
  ];
}
