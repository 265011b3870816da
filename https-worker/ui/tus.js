/* tus.js: the requests of tus 1.0.0, the protocol of resumable uploads: creation (with the first bytes),
 * offset, bytes, checksum, termination. XMLHttpRequest, since fetch does not tell how much of a body has
 * left. Which piece is sent when is not known here. Failures are Trouble (api.js). */
import { Trouble, csrfToken, troubleOf } from './api.js';
import { toApiBase64, toBase64 } from './names.js';

const UPLOADS = '/api/uploads';
const VERSION = '1.0.0';
const BYTES = 'application/offset+octet-stream';

const inBase64 = text => toBase64(new TextEncoder().encode(text));

function send(method, address, { headers = {}, body = null, signal, progress } = {}) {
    return new Promise((done, failed) => {
        const request = new XMLHttpRequest();
        const abort = () => request.abort();
        request.open(method, address);
        request.setRequestHeader('Tus-Resumable', VERSION);
        request.setRequestHeader('X-CSRF-Token', csrfToken());
        for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
        if (progress) request.upload.onprogress = event => progress(event.loaded);
        request.onloadend = () => {
            signal?.removeEventListener('abort', abort);
            if (signal?.aborted) failed(signal.reason);
            else if (request.status === 0) failed(new Trouble('offline'));
            else if (request.status >= 300) failed(troubleOf(request.status, request.responseText, request.getResponseHeader('Retry-After')));
            else done(request);
        };
        signal?.throwIfAborted();
        signal?.addEventListener('abort', abort);
        request.send(body);
    });
}

/* A piece's SHA-256 as the extension checksum wants it. */
async function checksum(piece) {
    const hash = await crypto.subtle.digest('SHA-256', await piece.arrayBuffer());
    return 'sha256 ' + toBase64(new Uint8Array(hash));
}

const metadata = ({ address, replace, modified }) =>
    `path ${toApiBase64(address)},replace ${inBase64(replace ? 'yes' : 'no')},mtime ${inBase64(String(modified))}`;

/* A new upload to target {address, replace, modified (seconds)}: {location, offset}. body: the first bytes, or null. */
export async function create({ target, size, body, signal, progress }) {
    const headers = { 'Upload-Length': String(size), 'Upload-Metadata': metadata(target) };
    if (body) {
        headers['Content-Type'] = BYTES;
        headers['Upload-Checksum'] = await checksum(body);
    }
    const answer = await send('POST', UPLOADS, { headers, body, signal, progress });
    const location = answer.getResponseHeader('Location');
    if (!location) throw new Trouble('broken');
    return { location: new URL(location, document.baseURI).pathname, offset: offsetIn(answer, body ? body.size : 0) };
}

function offsetIn(answer, otherwise) {
    const told = answer.getResponseHeader('Upload-Offset');
    return told === null ? otherwise : Number(told);
}

/* How much of an upload the server has, or null where it knows it no longer. */
export async function offset(location, signal) {
    try {
        return offsetIn(await send('HEAD', location, { signal }), null);
    } catch (trouble) {
        if (trouble.status === 404 || trouble.status === 410) return null;
        throw trouble;
    }
}

/* Sends a piece (a Blob) from an offset on; resolves to the new offset. checked: with its checksum.
 * target: another one than at the creation, when that name was taken in the meantime. */
export async function patch(location, from, piece, { checked, target, signal, progress }) {
    const headers = { 'Content-Type': BYTES, 'Upload-Offset': String(from) };
    if (target) headers['Upload-Metadata'] = metadata(target);
    if (checked) headers['Upload-Checksum'] = await checksum(piece);
    const answer = await send('PATCH', location, { headers, body: piece, signal, progress });
    return offsetIn(answer, from + piece.size);
}

/* The server may forget an upload. It does so by itself some day: a failure is no trouble. */
export const drop = location => send('DELETE', location).catch(() => {});
