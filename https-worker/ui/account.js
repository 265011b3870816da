/* account.js: the account's menu in the corner: who is signed in, how to connect, keys, theme, sign out. */
import { button, el, icon } from './dom.js';
import { csrfToken } from './api.js';
import { showKeys } from './keys.js';
import { showMenu } from './menu.js';
import { settleAll } from './remove.js';
import { goTo } from './router.js';
import { me } from './session.js';
import { words } from './strings.js';
import { setTheme, THEMES, theme } from './theme.js';

export function startAccount() {
    const opener = button(words.account(me().account), 'user', open, { bare: true, 'aria-haspopup': 'menu', 'aria-expanded': 'false', id: 'account-button' });
    opener.append(el('span', { class: 'who' }, words.name(me().account)), icon('down'));
    document.getElementById('account').append(opener);
}

function open(event) {
    showMenu([
        { heading: words.signedInAs(me().account) },
        { label: words.connect.title, icon: 'connect', run: () => goTo('#connect') },
        { label: words.keys.title, icon: 'keyboard', keys: '?', shortcut: '?', run: showKeys },
        '-',
        { heading: words.theme },
        ...THEMES.map(name => ({ label: words.themes[name], checked: theme() === name, run: () => setTheme(name) })),
        '-',
        { label: words.signOut, icon: 'leave', run: signOut },
    ], { under: event.currentTarget }, words.account(me().account));
}

/* What is held for deletion goes first: afterwards nobody may. */
async function signOut() {
    await settleAll();
    const form = el('form', { method: 'post', action: '/logout', hidden: true }, el('input', { type: 'hidden', name: 'csrf', value: csrfToken() }));
    document.body.append(form);
    form.submit();
}
