/* sources.js: the files that a person hands over: by dropping (folders too), by the two buttons, or once
 * more for an upload that was cut off. Each is {file, path, handle}: path the folders above it and its own
 * name, [text]; handle what the browser can keep of it over a reload ({root, path}), or null. */
import { el } from './dom.js';

/* {files, folders}: folders are paths too, so that empty ones come along. Must be called while the drop
 * event is being handled: afterwards the browser has forgotten what was dropped. */
export async function fromDrop(transfer) {
    const items = [...transfer.items].filter(item => item.kind === 'file');
    const roots = items.map(item => ({
        entry: item.webkitGetAsEntry?.(), file: item.getAsFile(), handle: item.getAsFileSystemHandle?.().catch(() => null) ?? null,
    }));
    const found = { files: [], folders: [] };
    for (const { entry, file, handle } of roots) {
        const root = await handle;
        if (entry) await walk(entry, [entry.name], root, found);
        else if (file) found.files.push({ file, path: [file.name], handle: null });
    }
    return found;
}

async function walk(entry, path, root, found) {
    const handle = root && { root, path: path.slice(1) };
    if (entry.isFile) {
        found.files.push({ file: await new Promise((done, failed) => entry.file(done, failed)), path, handle });
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

/* By the button. Where the browser hands out handles they are asked for, else an input serves. */
export async function pickFiles() {
    if (!window.showOpenFilePicker) return fromInput({ multiple: true });
    let handles;
    try {
        handles = await showOpenFilePicker({ multiple: true });
    } catch {
        return { files: [], folders: [] };
    }
    const files = await Promise.all(handles.map(async root => ({ file: await root.getFile(), path: [root.name], handle: { root, path: [] } })));
    return { files, folders: [] };
}

export const canPickFolders = 'webkitdirectory' in HTMLInputElement.prototype;

export const pickFolder = () => fromInput({ webkitdirectory: true, multiple: true });

/* The inputs stand in the page while they are used: browsers tell a detached one nothing. */
export function fromInput(attributes) {
    return new Promise(done => {
        const input = el('input', { type: 'file', hidden: true, id: 'picker', ...attributes });
        const finish = () => {
            const files = [...input.files].map(file => ({ file, path: (file.webkitRelativePath || file.name).split('/'), handle: null }));
            input.remove();
            done({ files, folders: [] });
        };
        input.addEventListener('change', finish);
        input.addEventListener('cancel', finish);
        document.getElementById('picker')?.remove();
        document.body.append(input);
        input.click();
    });
}

/* The file behind a kept handle, or null where it is gone. ask: a click is being handled, so that the
 * browser may ask the person. 'denied' when it may not be read without that, or at all. */
export async function fromHandle({ root, path }, ask) {
    try {
        let allowed = await root.queryPermission?.({ mode: 'read' }) ?? 'granted';
        if (allowed === 'prompt' && ask) allowed = await root.requestPermission({ mode: 'read' });
        if (allowed !== 'granted') return 'denied';
        let handle = root;
        for (const [index, name] of path.entries()) {
            handle = index < path.length - 1 ? await handle.getDirectoryHandle(name) : await handle.getFileHandle(name);
        }
        return await handle.getFile();
    } catch {
        return null;
    }
}

/* Whether the file can still be read, and is what it was when it was handed over. */
export async function isReadable(file) {
    try {
        await file.slice(0, 1).arrayBuffer();
        return true;
    } catch {
        return false;
    }
}
