/* memory.js: uploads that are not finished, kept in this browser (IndexedDB) so that they go on after a
 * reload. Each belongs to one tab, which holds a lock named after itself as long as it lives; what belongs
 * to no living tab is adopted by the next that opens. Where the browser keeps nothing, nothing is kept. */

const TAB = crypto.randomUUID();
const LOCK = 'sallyport-tab-';

let opened = null;

function database() {
    opened ??= new Promise((done, failed) => {
        const request = indexedDB.open('sallyport', 1);
        request.onupgradeneeded = () => request.result.createObjectStore('uploads', { keyPath: 'id' });
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
    });
    return opened;
}

async function within(mode, work) {
    try {
        const transaction = (await database()).transaction('uploads', mode);
        const result = work(transaction.objectStore('uploads'));
        await new Promise((done, failed) => {
            transaction.oncomplete = done;
            transaction.onerror = transaction.onabort = () => failed(transaction.error);
        });
        return result;
    } catch {
        return null;
    }
}

export function keep(records) {
    return within('readwrite', store => { for (const record of records) store.put({ ...record, tab: TAB }); });
}

export function forget(ids) {
    return within('readwrite', store => { for (const id of ids) store.delete(id); });
}

/* The records of this account that no other tab is busy with; from now on they are this tab's. */
export async function adopt(account) {
    if (!navigator.locks) return [];
    await new Promise(held => navigator.locks.request(LOCK + TAB, () => {
        held();
        return new Promise(() => {});
    }));
    return navigator.locks.request('sallyport-adopt', async () => {
        const { held } = await navigator.locks.query();
        const living = new Set(held.map(lock => lock.name));
        const request = await within('readonly', store => store.getAll());
        const mine = (request?.result ?? []).filter(record => record.account === account && !living.has(LOCK + record.tab));
        await keep(mine);
        return mine;
    });
}
