/* sources.js: the files that a person hands over: by dropping (folders too), by the two buttons, or once
 * more for an upload that was cut off. Each is {file, path, handle}: path its folders and its name; handle
 * what the browser keeps of it over a reload ({root, path}), or null. */
import { byId, el } from './dom.js';

/* {files, folders}: folders are paths too, so that empty ones come along. The browser has forgotten what was
 * dropped once the event is over: the roots are taken at once. */
export async function fromDrop({ items }) {
    const roots = [...items].filter(item => item.kind === 'file').map(item =>
        [item.webkitGetAsEntry(), item.getAsFileSystemHandle?.().catch(() => null)]);
    const found = { files: [], folders: [] };
    for (const [entry, handle] of roots) if (entry) await walk(entry, [entry.name], await handle, found);
    return found;
}

async function walk(entry, path, root, found) {
    if (entry.isFile) {
        const file = await new Promise((done, failed) => entry.file(done, failed));
        found.files.push({ file, path, handle: root ? { root, path: path.slice(1) } : null });
        return;
    }
    found.folders.push(path);
    const reader = entry.createReader();
    for (;;) {
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (some.length === 0) return;
        for (const child of some) await walk(child, [...path, child.name], root, found);
    }
}

/* Where the browser hands out handles they are asked for. */
export async function pickFiles() {
    if (!window.showOpenFilePicker) return fromInput({ multiple: true });
    const roots = await showOpenFilePicker({ multiple: true }).catch(() => []);
    return { files: await Promise.all(roots.map(async root => ({ file: await root.getFile(), path: [root.name], handle: { root, path: [] } }))), folders: [] };
}

export const canPickFolders = 'webkitdirectory' in HTMLInputElement.prototype;

export const pickFolder = () => fromInput({ multiple: true, webkitdirectory: true });

/* The input stands in the page while it is used: browsers tell a detached one nothing. */
export function fromInput(attributes) {
    return new Promise(done => {
        const finish = () => {
            input.remove();
            done({ files: [...input.files].map(file => ({ file, path: (file.webkitRelativePath || file.name).split('/'), handle: null })), folders: [] });
        };
        const input = el('input', { type: 'file', hidden: true, id: 'picker', onchange: finish, oncancel: finish, ...attributes });
        byId('picker')?.remove();
        document.body.append(input);
        input.click();
    });
}

/* The file behind a kept handle; 'denied' where the browser would have to ask first and may not (ask: a
 * click is being handled); null where it is gone. */
export async function fromHandle({ root, path }, ask) {
    try {
        let allowed = await root.queryPermission?.({ mode: 'read' }) ?? 'granted';
        if (allowed === 'prompt' && ask) allowed = await root.requestPermission({ mode: 'read' });
        if (allowed !== 'granted') return 'denied';
        let handle = root;
        for (const name of path.slice(0, -1)) handle = await handle.getDirectoryHandle(name);
        if (path.length > 0) handle = await handle.getFileHandle(path.at(-1));
        return await handle.getFile();
    } catch {
        return null;
    }
}

/* A file that was changed or moved since it was handed over can be read no more. */
export const isReadable = file => file.slice(0, 1).arrayBuffer().then(() => true, () => false);
