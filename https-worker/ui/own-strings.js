/* own-strings.js: the words of the account's own page and of what mailed links open; strings.js goes on here. */
import { many, quoted, words } from './strings.js';
import { number, visible } from './text.js';

const { name } = words;

/* Of a form: the server says what is wrong with what was typed. */
export const refused = trouble => (trouble.message ? visible(trouble.message) : words.trouble(trouble));

/* advice: what is wrong and what to do, of who judges (strength.js). */
export const strength = (level, advice) => (level === 0 ? `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.` : ['', 'Will do.', 'Good.', 'Strong.'][level]);

export const own = {
  reading: 'Reading…',
  user: 'User name',
  email: 'E-mail address',
  newEmail: 'New e-mail address',
  noAddress: 'None',
  address: (email, confirmed) => visible(email) + (confirmed ? '' : ', not confirmed'),
  waiting: email => `${visible(email)}, once the link in the message to it is opened`,
  current: 'Current password',
  newPassword: 'New password',
  passwordHelp: 'At least 12 characters. A few words that do not belong together are good, and easy to keep in mind.',
  code: 'Code',
  codeHelp: 'The six digits that your authenticator shows now, or a recovery code.',
  missing: 'Fill this in.',
  browser: 'Browser',
  profile: {
    help: 'Links for a lost password, and notices of what was changed here, go to your e-mail address.',
    button: 'Change the address',
    noMail: 'This server sends no mail. Ask the people who gave you this account to change the address.',
    done: email => `A message is on its way to ${visible(email)}. The address is changed once you open the link in it.`,
  },
  password: {
    help: 'It ends the sessions of all browsers but this one. Sessions of other programs can be ended below.',
    changed: when => `Last changed ${when}.`,
    button: 'Change the password',
    done: 'Your password is changed.',
    signIn: 'Sign in again with the new password and the next code.',
  },
  keys: {
    help: 'With a key, SFTP programs sign in without the password. The server has the public half only; the private one stays with you.',
    none: 'There is no key yet.',
    noComment: 'No comment',
    type: (type, bits) => `${type ?? 'of a type that is taken no more'}${bits ? `, ${number(bits)} bits` : ''}`,
    times: (added, used) => [added && `Added ${added}`, used ? `last used ${used}` : 'not used yet'].filter(Boolean).join(', '),
    add: 'Add keys',
    text: 'Public keys',
    textHelp: 'As OpenSSH, PuTTY or SSH.COM (RFC 4716) have them: the text of a file that ends in .pub, or what PuTTYgen shows. Several at once, if you like.',
    button: 'Add',
    files: 'Choose files',
    added: n => `${many(n, 'key', 'keys')} added.`,
    wrong: (line, error) => `Line ${number(line)}: ${visible(error)}.`,
    private: 'This is a private key: it stays with you, and was not sent. The public key is needed: the file that ends in .pub, or what PuTTYgen shows.',
    tooLarge: 'This is too much text for keys. Add the files one after the other.',
    remove: 'Remove',
    removeOf: key => `Remove ${name(key)}`,
    removeTitle: key => `Remove ${quoted(key)}?`,
    removeText: 'Who has this key cannot sign in with it any more. Sessions that it opened go on.',
    removed: key => `${quoted(key)} removed.`,
  },
  codes: {
    help: 'A code from an app on your phone is asked for beside the password. Who finds out your password cannot sign in with it.',
    begin: 'Set up two-step login',
    scan: 'Scan this with an authenticator app, or type the secret into it.',
    picture: 'QR code for an authenticator; the secret below says the same',
    secret: 'Secret',
    here: 'Open in an authenticator on this device',
    type: 'Type the code that it shows.',
    confirm: 'Turn on',
    recovery: 'Recovery codes',
    recoveryHelp: 'Each is right once in the place of a code, when the phone is lost. They are shown only now: keep them in a safe place.',
    save: 'Save as a file',
    kept: 'I have kept them',
    fileName: 'recovery codes.txt',
    file: account => `Recovery codes of ${account.replace(/[\u2068\u2069]/g, '')}. Each is right once.\n\n`,
    on: n => `Two-step login is on. ${many(n, 'recovery code is', 'recovery codes are')} left.`,
    required: 'It is required for this account.',
    end: 'Turn off',
    ended: 'Two-step login is off.',
  },
  sessions: {
    help: 'Who is signed in to this account now. End what you do not know, and change the password.',
    here: 'this browser',
    since: (since, seen) => `Since ${since}` + (seen ? `, last seen ${seen}` : ''),
    end: 'End',
    endOf: (what, where, since) => `End ${what}, ${where}, since ${since}`,
    endAll: 'End all others',
    ended: n => `${many(n, 'session', 'sessions')} ended.`,
  },
  enrol: {
    title: 'Set up two-step login first',
    help: 'This account asks for a code beside the password. It takes a minute, and a phone with an authenticator app.',
  },
  showPassword: 'Show password',
};

/* What a mailed link opens. */
export const link = {
  none: 'The link is not whole',
  noneHelp: 'Open the link in the message again, or copy all of it.',
  bad: 'This link cannot be used',
  again: 'Another link can be mailed to the address of your account:',
  askPeople: 'Ask the people who gave you this account for another one.',
  name: 'User name or e-mail address',
  send: 'Send a link',
  sent: 'If there is such an account, and it has a confirmed address, a message is on its way. Look among the unwanted mail too.',
  done: 'The password is set',
  invite: { title: 'Welcome', help: account => `Your user name is ${name(account)}. Choose the password for it.`, button: 'Set the password and sign in' },
  lost: { title: 'Another password', help: account => `For the account ${name(account)}. All its other sessions end.`, button: 'Set the password and sign in' },
  address: {
    title: 'Is this your address?', button: 'Confirm the address', done: email => `${visible(email)} is confirmed`,
    help: (account, email) => `The account ${name(account)} is to have ${visible(email)} as its address.`,
  },
};
