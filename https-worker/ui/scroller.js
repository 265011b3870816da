/* scroller.js: rows of one height in a box that scrolls, of which only those in sight are in the page.
 * The list, the tree and the transfers' panel are each one. A row's element stays with its key while the
 * key is in sight, so that focus and a field being typed in outlive a change of what is around them. */

const BEYOND = 6;                               /* rows kept ready above and below */
const HIGHEST = 8_000_000;                      /* px: browsers end an element's height somewhere above */

export class Scroller {
    #box;
    #canvas;
    #height;
    #make;
    #bind;
    #keyOf;
    #head;
    #items = [];
    #shown = new Map();                         /* key: {element, index} */
    #spare = [];
    #high = 0;

    /* box scrolls and holds canvas; head: what of the box is covered above it (px). make() gives a row's
     * element; bind(element, item, index) fills it. */
    constructor({ box, canvas, height, head = 0, make, bind, keyOf }) {
        this.#box = box;
        this.#canvas = canvas;
        this.#height = height;
        this.#head = head;
        this.#make = make;
        this.#bind = bind;
        this.#keyOf = keyOf;
        this.kept = null;                       /* a key whose element stays even out of sight */
        box.addEventListener('scroll', () => this.render(), { passive: true });
        new ResizeObserver(() => {
            this.#high = box.clientHeight - this.#head;
            this.render();
        }).observe(box);
    }

    get items() {
        return this.#items;
    }

    set items(items) {
        this.#items = items;
        this.#canvas.style.height = `${Math.min(items.length * this.#height, HIGHEST)}px`;
        this.render(true);
    }

    /* The whole height scrolls at another pace than the box where it is cut at HIGHEST. */
    get #pace() {
        const whole = this.#items.length * this.#height;
        return whole <= HIGHEST ? 1 : (whole - this.#high) / (HIGHEST - this.#high);
    }

    get #page() {
        this.#high ||= this.#box.clientHeight - this.#head;
        return this.#high;
    }

    get rowsInSight() {
        return Math.max(1, Math.floor(this.#page / this.#height) - 1);
    }

    element(key) {
        return this.#shown.get(key)?.element ?? null;
    }

    /* again: the items may be others, so that each row is filled anew. */
    render(again = false) {
        const high = this.#page;
        const top = this.#box.scrollTop;
        const shift = top - top * this.#pace;
        const first = Math.max(0, Math.floor((top - shift) / this.#height) - BEYOND);
        const last = Math.min(this.#items.length - 1, Math.ceil((top - shift + high) / this.#height) + BEYOND);
        const wanted = new Map();
        for (let index = first; index <= last; index++) wanted.set(this.#keyOf(this.#items[index]), index);
        if (this.kept !== null && !wanted.has(this.kept)) {
            const index = this.#indexOfKept(again);
            if (index >= 0) wanted.set(this.kept, index);
        }
        for (const [key, row] of this.#shown) {
            if (wanted.has(key)) continue;
            this.#shown.delete(key);
            row.element.remove();
            if (this.#spare.length < BEYOND * 2) this.#spare.push(row.element);
        }
        for (const [key, index] of wanted) this.#place(key, index, shift, again);
        this.#inOrder();
    }

    /* Readers of the page meet the rows in the order of their places; those that stay are not moved, since
     * what is moved loses the focus. */
    #inOrder() {
        let next = null;
        for (const { element } of [...this.#shown.values()].sort((a, b) => b.index - a.index)) {
            if (element.nextSibling !== next || !element.parentNode) this.#canvas.insertBefore(element, next);
            next = element;
        }
    }

    #indexOfKept(again) {
        const known = this.#shown.get(this.kept);
        if (known && !again) return known.index;
        return this.#items.findIndex(item => this.#keyOf(item) === this.kept);
    }

    #place(key, index, shift, again) {
        let row = this.#shown.get(key);
        const fresh = !row;
        if (fresh) {
            row = { element: this.#spare.pop() ?? this.#make(), index };
            this.#shown.set(key, row);
        }
        row.element.style.transform = `translateY(${index * this.#height + shift}px)`;
        row.index = index;
        if (fresh || again) this.#bind(row.element, this.#items[index], index);
    }

    /* Fills the rows in sight anew, the items being the same. */
    refresh() {
        this.render(true);
    }

    scrollTo(index) {
        const top = index * this.#height / this.#pace;
        const bottom = (index * this.#height + this.#height - this.#page) / this.#pace;
        if (this.#box.scrollTop > top) this.#box.scrollTop = top;
        else if (this.#box.scrollTop < bottom) this.#box.scrollTop = bottom;
        this.render();
    }

    get top() {
        return this.#box.scrollTop;
    }

    set top(top) {
        this.#box.scrollTop = top;
        this.render();
    }
}
