/* kinds.js: what kind of file a name promises: its icon, and how it can be looked at in the page.
 * A promise only: the server says the type, and the browser what it makes of the bytes. */
import { ending, encodeEntry, lastPart, textOf } from './names.js';

/* kind: [icon, way to show it or null, endings] */
const KINDS = [
    ['picture', 'picture', 'png jpg jpeg jfif gif webp avif svg bmp ico apng'],
    ['picture', null, 'heic heif tif tiff psd raw cr2 nef dng xcf'],
    ['sound', 'sound', 'mp3 ogg oga opus wav flac m4a aac weba'],
    ['video', 'video', 'mp4 m4v webm ogv mov'],
    ['video', null, 'avi mkv wmv mpg mpeg flv 3gp'],
    ['pdf', 'pdf', 'pdf'],
    ['text', 'text', 'txt md markdown log nfo rst tex org srt vtt ics vcf eml asc sig pem crt pub diff patch'],
    ['text', null, 'doc docx odt rtf pages epub'],
    ['table', 'text', 'csv tsv'],
    ['table', null, 'xls xlsx ods numbers'],
    ['code', 'text', 'c h cc cpp hpp rs go py rb pl php js mjs ts jsx tsx java kt swift sh bash zsh fish ps1 bat sql html htm xml css json jsonl yaml yml toml ini conf cfg env lua r jl tf mk cmake service'],
    ['archive', null, 'zip gz tgz bz2 xz zst 7z rar tar jar deb rpm iso dmg img'],
];

const byEnding = new Map(KINDS.flatMap(([icon, way, endings]) => endings.split(' ').map(one => [one, { icon, way }])));
const WITHOUT = new Map(['readme', 'license', 'licence', 'makefile', 'dockerfile', 'changelog', 'authors', 'copying', 'todo', 'news']
    .map(name => [name, { icon: 'text', way: 'text' }]));
const OTHER = { icon: 'file', way: null };

function kindOf(entry) {
    const name = textOf(lastPart(encodeEntry(entry)));
    return byEnding.get(ending(name)) ?? WITHOUT.get(name.toLowerCase()) ?? OTHER;
}

export function iconOf(entry) {
    if (entry.type === 'folder') return 'folder';
    return entry.type === 'file' ? kindOf(entry).icon : 'file';
}

export const wayOf = entry => (entry.type === 'file' ? kindOf(entry).way : null);
