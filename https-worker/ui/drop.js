/* drop.js: files dropped from the desktop, anywhere on the page: the list lights up and names the folder
 * that they would go to. Where the account may not upload, nothing lights up and nothing happens. */
import { folder } from './folder.js';
import { may } from './session.js';
import { fromDrop } from './sources.js';
import { words } from './strings.js';
import { title } from './notices.js';
import { transfers } from './transfers.js';
import { toast } from './toasts.js';

let light;
let depth = 0;                          /* entered minus left, over all elements */

export function startDrop() {
    light = document.getElementById('drop');
    const listeners = { dragenter, dragover, dragleave, drop };
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
}

const brings = event => event.dataTransfer?.types.includes('Files') ?? false;

function show(on) {
    light.hidden = !on;
    if (on) light.firstElementChild.textContent = words.dropHere(title());
}

function dragenter(event) {
    if (!brings(event)) return;
    depth++;
    if (may('write')) show(true);
}

function dragleave(event) {
    if (!brings(event)) return;
    depth = Math.max(0, depth - 1);
    if (depth === 0) show(false);
}

function dragover(event) {
    if (!brings(event)) return;
    event.preventDefault();                      /* else the browser would open the file itself */
    event.dataTransfer.dropEffect = may('write') ? 'copy' : 'none';
}

async function drop(event) {
    if (!brings(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    if (!may('write')) return;
    const into = folder.address;
    try {
        const found = await fromDrop(event.dataTransfer);
        if (!may('mkdir') && found.folders.length > 0) toast(words.noFolders, { trouble: true });
        transfers.add(may('mkdir') ? found : { files: found.files.filter(({ path }) => path.length === 1), folders: [] }, into);
    } catch {
        toast(words.unreadableDrop, { trouble: true });
    }
}
