/* strings.js: every word that the page shows or says; a translation replaces this module, own-strings.js,
 * login.html, link.html and plain.html. Names are made harmless here: hidden characters seen, directions kept inside. */
import { duration, nameOf, number, size, visible } from './text.js';

const plural = new Intl.PluralRules('en');

export const many = (n, one, more) => `${number(n)} ${plural.select(n) === 'one' ? one : more}`;
const items = n => many(n, 'item', 'items');
const files = n => many(n, 'file', 'files');
const folderNamed = address => (address === '/' ? 'Files' : name(nameOf(address)));

const name = text => `\u2068${visible(text)}\u2069`;
export const quoted = text => `“${name(text)}”`;

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

const trouble = ({ code, message }) => TROUBLE[code] ?? (message ? visible(message) : 'That did not work. Try again.');

export const words = {
  name,
  names: these,
  trouble,
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

  /* the account's own page: what it is reached by; all else is in own-strings.js */
  own: {
    title: 'Account',
    parts: { profile: 'Edit profile', password: 'Change password', keys: 'Manage SSH keys', codes: 'Two-step login', sessions: 'Sessions' },
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
