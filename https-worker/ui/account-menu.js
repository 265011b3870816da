/* account-menu.js: the menu of the account, in the corner: its own page, how to connect, the keys, the theme, the
 * way out. */
import * as api from './api.js';
import { showMenu } from './dialogs.js';
import { bare, byId, el, icon } from './dom.js';
import { showKeys } from './keys.js';
import { settleAll } from './move.js';
import { goTo } from './router.js';
import { words } from './strings.js';

/* limited: nothing but leaving is open to it. */
export function startAccount(limited = false) {
  const { account } = api.me();
  const opener = bare(words.account(account), 'user', event => openMenu(event, limited), { 'aria-haspopup': 'menu', 'aria-expanded': 'false', id: 'account-button' });
  opener.append(el('span', { class: 'who' }, words.name(account)), icon('down'));
  byId('account').append(opener);
}

const PARTS = { profile: 'user', password: 'lock', keys: 'key', codes: 'phone', sessions: 'sessions' };

function openMenu(event, limited) {
  const { account } = api.me();
  showMenu([
    { heading: words.signedInAs(account) },
    ...limited ? [] : [
      ...Object.entries(PARTS).map(([part, sign]) => ({ label: words.own.parts[part], icon: sign, run: () => goTo('#account/' + part) })),
      '-',
      { label: words.connect.title, icon: 'connect', run: () => goTo('#connect') },
      { label: words.keys.title, icon: 'keyboard', keys: '?', run: showKeys },
    ],
    '-',
    { heading: words.theme },
    ...Object.entries(words.themes).map(([name, label]) => ({ label, checked: document.documentElement.dataset.theme === name, run: () => setTheme(name) })),
    '-',
    { label: words.signOut, icon: 'leave', run: signOut },
  ], { under: event.currentTarget }, words.account(account));
}

/* early.js reads it before the page is painted. */
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem('theme', name);
}

/* What is held for deletion goes first. */
async function signOut() {
  await settleAll();
  const form = el('form', { method: 'post', action: '/logout', hidden: true }, el('input', { type: 'hidden', name: 'csrf', value: api.token() }));
  document.body.append(form);
  form.submit();
}
