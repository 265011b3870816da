/* strings.js: every word that the page shows or says; a translation replaces this module (and login.html and
 * plain.html). Names are made harmless here: hidden characters seen, directions kept inside. */
import { duration, nameOf, number, size, visible } from './text.js';

const plural = new Intl.PluralRules('en');

const many = (n, one, more) => `${number(n)} ${plural.select(n) === 'one' ? one : more}`;
const items = n => many(n, 'item', 'items');
const files = n => many(n, 'file', 'files');
const folderNamed = address => (address === '/' ? 'Files' : name(nameOf(address)));

const name = text => `\u2068${visible(text)}\u2069`;
const quoted = text => `“${name(text)}”`;

const these = names => (names.length === 1 ? quoted(names[0]) : items(names.length));

const TROUBLE = {
  offline: 'The server cannot be reached. Check the connection and try again.',
  broken: 'The server’s answer broke off. Try again.',
  sign_in: 'You are signed out.',
  not_allowed: 'This account may not do that.',
  not_found: 'It is not there any more.',
  exists: 'This name exists already.',
  is_folder: 'A folder has this name.',
  changed: 'It was changed by someone else in the meantime.',
  too_large: 'It is larger than the server takes.',
  no_space: 'There is not enough space on the server.',
  busy: 'The server is busy. Try again in a moment.',
  unreadable: 'The file was changed or moved on this device. Choose it again.',
};

/* advice: what is wrong and what to do, of who judges (strength.js). */
const strength = (level, advice) => (level === 0 ? `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.` : ['', 'Will do.', 'Good.', 'Strong.'][level]);

const trouble = ({ code, message }) => TROUBLE[code] ?? (message ? visible(message) : 'That did not work. Try again.');

export const words = {
  name,
  names: these,
  trouble,
  /* Of a form: the server says what is wrong with what was typed. */
  refused: ({ code, message, status }) => (TROUBLE[code] && !message ? TROUBLE[code] : message ? visible(message) : trouble({ code, status })),
  strength,
  showPassword: 'Show password',
  cancel: 'Cancel',
  joined: parts => parts.join(' · '),

  /* the page */
  top: 'Files',
  skip: 'Skip to the files',
  messages: 'Messages',
  titleOf: folderNamed,
  close: 'Close',
  undo: 'Undo',
  canUndo: 'Undo with Control Z.',
  tryAgain: 'Try again',
  cannotStart: 'The page could not be started. Reload it.',
  signedOut: 'Your session has ended',
  signedOutHelp: 'Sign in again in a new tab. This page then goes on where it was; nothing is lost.',
  signIn: 'Sign in',
  signedIn: 'I have signed in',

  /* the bar */
  path: 'Path',
  moreFolders: 'Folders in between',
  search: 'Search',
  clearSearch: 'End the search',
  account: account => `Account ${name(account)}`,
  signedInAs: account => `Signed in as ${name(account)}`,
  signOut: 'Sign out',
  theme: 'Theme',
  themes: { system: 'Like the system', light: 'Light', dark: 'Dark' },

  /* the list */
  list: 'Files',
  folder: 'Folder',
  place: path => (path === '/' ? 'Files' : visible(path)),
  folders: 'Folders',
  columns: { name: 'Name', size: 'Size', changed: 'Changed', more: 'Actions' },
  isLink: '(link)',
  newName: 'Name',
  moreAbout: text => `Actions for ${name(text)}`,
  reading: 'Reading…',
  counted: (n, search, bytes) => (search ? many(n, 'result', 'results') : n > 0 ? `${items(n)}, ${bytes}` : items(n)),
  opened: (address, n, search) => (search ? `${many(n, 'result', 'results')} for ${quoted(search)}` : `${folderNamed(address)}, ${items(n)}`),
  empty: 'This folder is empty',
  emptyHelp: 'Drop files or folders here, or:',
  nothingFound: (text, address) => `Nothing in “${folderNamed(address)}” or its folders has ${quoted(text)} in its name.`,
  brokeOff: error => `Not everything is shown here. ${trouble(error)}`,
  leaveFiles: 'Leave files here',
  leaveHelp: 'This account can put files here, but not see what is there. Drop files here, or:',
  free: bytes => `${bytes} free`,
  ofAll: bytes => ` of ${bytes}`,
  spaceUsed: 'Space used',

  /* acting */
  commands: 'Actions',
  showTree: 'Show the folders beside the list',
  clearSelection: 'Clear the selection',
  selected: n => `${number(n)} selected`,
  actions: {
    open: 'Open', preview: 'Preview', download: 'Download', rename: 'Rename', cut: 'Cut', show: 'Show in its folder', delete: 'Delete',
    upload: 'Upload', uploadFolder: 'Upload a folder', newFolder: 'New folder', paste: 'Move here what was cut', again: 'Read again', more: 'More actions',
  },
  actionsFor: names => (names.length > 0 ? `Actions for ${these(names)}` : 'Actions for this folder'),
  pasteHere: n => (n === 1 ? 'Move it here' : `Move ${items(n)} here`),
  newFolderName: 'New folder',
  nameWithSlash: 'A name cannot hold a slash. Leave it out.',
  nameReserved: 'This name means the folder itself or the one above. Choose another.',
  nameTooLong: 'This name is too long. 255 bytes are the most.',
  nameTaken: text => `${quoted(text)} exists already. Choose another name.`,
  deleted: names => `${these(names)} deleted.`,
  notDeleted: failed => `${these(failed.map(one => nameOf(one.address)))} could not be deleted. ${visible(failed[0].error)}`,
  cutDone: names => `${these(names)} cut. Open another folder and paste.`,
  moved: (names, into) => `${these(names)} moved to “${folderNamed(into)}”.`,
  notMoved: (text, error) => `${quoted(text)} could not be moved. ${trouble(error)}`,
  notMade: (text, error) => `The folder ${quoted(text)} could not be made. ${trouble(error)}`,
  notDownloaded: (text, error) => `${quoted(text)} could not be downloaded. ${trouble(error)}`,
  notZipped: 'The download could not be started. Read the folder again and try once more.',

  /* a name that exists */
  exists: text => `${quoted(text)} exists already`,
  there: 'There',
  coming: 'New',
  conflict: { skip: 'Skip', both: 'Keep both', replace: 'Replace' },
  forAll: 'Do the same for all',

  /* uploads */
  dropHere: address => `Drop to upload to “${folderNamed(address)}”`,
  noFolders: 'This account may not make folders. Only the files beside them are uploaded.',
  unreadableDrop: 'What was dropped could not be read. Try the upload button.',
  uploads: 'Uploads',
  uploadsWhole: 'All uploads',
  uploadOf: text => `Upload of ${name(text)}`,
  uploading: (done, all) => (all === 1 ? 'Uploading' : `Uploading, ${number(done)} of ${number(all)} done`),
  uploadsDone: n => `${files(n)} uploaded`,
  uploadsFailed: n => `${files(n)} not uploaded`,
  goesTo: (text, folder) => `${name(text)} to ${folder === '/' ? 'Files' : name(folder)}`,
  sentOf: (sent, all) => `${size(sent)} of ${size(all)}`,
  speed: bytes => `${size(bytes)}/s`,
  left: seconds => `${duration(seconds)} left`,
  uploadStates: {
    waiting: 'Waiting', asking: 'Asks what to do', offline: 'Waiting for the connection, goes on by itself', paused: 'Paused', missing: 'Cut off: choose the file again',
  },
  uploadActions: {
    pause: text => `Pause ${name(text)}`, resume: text => `Go on with ${name(text)}`, retry: text => `Try ${name(text)} again`,
    choose: text => `Choose ${name(text)} again`, cancel: text => `Cancel ${name(text)}`,
  },
  pauseAll: 'Pause all',
  resumeAll: 'Go on with all',
  fold: 'Fold',
  unfold: 'Unfold',
  cutOff: (n, kept) => `${many(n, 'upload was', 'uploads were')} cut off. ${kept ? 'They can go on where they were.' : 'Choose the same files again, and they go on where they were.'}`,
  carryOn: 'Go on',
  chooseAgain: 'Choose files',
  notTheSame: 'None of these is a file whose upload was cut off.',

  /* preview */
  preview: 'Preview',
  closePreview: 'Close the preview',
  noPreview: 'There is no preview for this kind of file.',
  cannotShow: 'This browser cannot show this file. Download it to open it.',
  emptyFile: 'This file is empty.',
  firstPart: bytes => `Only the first ${size(bytes)} are shown. Download the file for the rest.`,
  exactSize: (short, exact, bytes) => (bytes < 1000 ? short : `${short} (${exact} bytes)`),
  checksums: 'Checksums',
  computing: 'Computing…',
  copy: label => `Copy ${label}`,
  copied: label => `${label} copied.`,
  copyByHand: 'The browser does not let the page copy. The text is selected: copy it with Control C.',

  /* how to connect */
  connect: {
    title: 'How to connect',
    lead: 'The same files, with the programs that you use already. User name and password are those of this page.',
    host: 'Host', port: 'Port', user: 'User name',
    programs: 'For your program',
    fingerprints: 'Fingerprints',
    compare: 'The program shows one of these at the first connection. If it shows another, do not go on.',
    certificate: 'Certificate, SHA-256',
    implicit: 'Implicit',
    sftp: { title: 'SFTP', help: 'Works with nearly every program, and through most firewalls.' },
    ftps: { title: 'FTPS', help: 'For programs that know FTP with encryption, and not SFTP.' },
    https: { title: 'HTTPS', help: 'For scripts; put the path of the file in the place of NAME.' },
  },

  /* the account's own page */
  own: {
    title: 'Account',
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
      title: 'Edit profile',
      help: 'Links for a lost password, and notices of what was changed here, go to your e-mail address.',
      button: 'Change the address',
      noMail: 'This server sends no mail. Ask the people who gave you this account to change the address.',
      done: email => `A message is on its way to ${visible(email)}. The address is changed once you open the link in it.`,
    },
    password: {
      title: 'Change password',
      help: 'It ends the sessions of all browsers but this one. Sessions of other programs can be ended below.',
      changed: when => `Last changed ${when}.`,
      button: 'Change the password',
      done: 'Your password is changed.',
      signIn: 'Sign in again with the new password and the next code.',
    },
    keys: {
      title: 'Manage SSH keys',
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
      title: 'Two-step login',
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
      title: 'Sessions',
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
  },

  /* what a mailed link opens */
  link: {
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
  },

  /* keys */
  keys: {
    title: 'Keys',
    list: [
      ['↑ ↓', 'Move in the list'],
      ['PgUp PgDn Home End', 'Move further'],
      ['Shift ↑ ↓', 'Select up to there'],
      ['Ctrl ↑ ↓', 'Move without selecting'],
      ['Space', 'Select or deselect'],
      ['Ctrl+A', 'Select all'],
      ['A … Z', 'Go to the next name that begins so'],
      ['Enter', 'Open a folder, preview a file'],
      ['Backspace', 'Up to the folder above'],
      ['Shift+F10', 'Menu'],
      ['/', 'Search'],
      ['Ctrl+Z', 'Undo the deletion'],
      ['Esc', 'Close the preview, clear the selection'],
      ['?', 'This list'],
    ],
  },
};
