/* accessible.js: what a machine can find of barriers in the page that is shown: our own small checker, as
 * Debian has none (make check-axe fetches one). Evaluates to a list of sentences, each naming the element; none is what is wanted.
 * Checked: names of controls and landmarks, roles with their required states and owners, labels of fields,
 * contrast of text and of what marks a control (WCAG 2.2 AA), sizes of targets, headings, landmarks, duplicate
 * ids, references, focus order, alternative texts, language and title. */
(() => {
    const found = [];
    const shown = element => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && !element.closest('[inert], [aria-hidden="true"]');
    const where = element => {
        const id = element.id ? '#' + element.id : '';
        const classes = typeof element.className === 'string' && element.className ? '.' + element.className.trim().split(/\s+/).join('.') : '';
        return `<${element.localName}${id}${classes}> “${(element.textContent ?? '').trim().slice(0, 40)}”`;
    };
    const tell = (element, what) => found.push(`${where(element)}: ${what}`);
    /* While a dialog is open, only what is in it counts. */
    const dialog = document.querySelector('dialog[open]');
    const root = dialog ?? document.body;
    const all = selector => [...root.querySelectorAll(selector)].filter(shown);

    /* ---- names ---- */
    const textOf = element => {
        let text = '';
        for (const node of element.childNodes) {
            if (node.nodeType === Node.TEXT_NODE) text += node.data;
            else if (node.nodeType === Node.ELEMENT_NODE && node.getAttribute('aria-hidden') !== 'true' && node.checkVisibility()) text += node.alt ?? nameOf(node, true);
        }
        return text.trim();
    };
    function nameOf(element, inside = false) {
        const by = element.getAttribute('aria-labelledby');
        if (by) return by.split(/\s+/).map(id => document.getElementById(id)?.textContent ?? '').join(' ').trim();
        const label = element.getAttribute('aria-label');
        if (label?.trim()) return label.trim();
        if (element.labels?.length) return [...element.labels].map(one => one.textContent).join(' ').trim();
        return textOf(element) || (inside ? '' : element.title || element.alt || '');
    }
    const CONTROLS = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex="-1"]), [role=button], [role=menuitem], [role=menuitemradio], [role=treeitem], [role=row], [role=columnheader], [role=checkbox]';
    for (const element of all(CONTROLS)) if (!nameOf(element) && !(element.getAttribute('role') === 'row')) tell(element, 'has no name');
    for (const element of all('[role=grid], [role=tree], [role=menu], [role=toolbar], dialog, progress, meter, iframe, audio, video, [role=document], [role=dialog], [role=img]')) if (!nameOf(element)) tell(element, `a ${element.getAttribute('role') ?? element.localName} without a name`);
    for (const element of all('img')) if (!element.hasAttribute('alt')) tell(element, 'a picture without alternative text');
    for (const element of all('svg')) if (element.getAttribute('aria-hidden') !== 'true' && !nameOf(element)) tell(element, 'a drawing that is neither hidden nor named');
    for (const element of all('input:not([type=hidden]), select, textarea')) {
        if (!element.labels?.length && !element.getAttribute('aria-label') && !element.getAttribute('aria-labelledby')) tell(element, 'a field without a label');
    }

    /* ---- roles ---- */
    const STATES = {
        row: [], treeitem: ['aria-level', 'aria-selected'], menuitemradio: ['aria-checked'], columnheader: [], checkbox: ['aria-checked'], grid: ['aria-rowcount', 'aria-colcount'], listitem: [],
    };
    const OWNERS = { row: 'rowgroup grid', gridcell: 'row', rowheader: 'row', columnheader: 'row', rowgroup: 'grid', treeitem: 'tree group', menuitem: 'menu', menuitemradio: 'menu', listitem: 'list' };
    const KNOWN = new Set('grid row rowgroup rowheader gridcell columnheader tree treeitem menu menuitem menuitemradio toolbar status alert list listitem document presentation img'.split(' '));
    for (const element of all('[role]')) {
        const role = element.getAttribute('role');
        if (!KNOWN.has(role)) tell(element, `an unknown role ${role}`);
        for (const state of STATES[role] ?? []) if (!element.hasAttribute(state)) tell(element, `a ${role} without ${state}`);
        const owner = element.parentElement.closest('[role]:not([role=presentation])')?.getAttribute('role');
        if (OWNERS[role] && !OWNERS[role].split(' ').includes(owner)) tell(element, `a ${role} in a ${owner}`);
    }
    for (const row of all('.canvas [role=row]')) for (const state of ['aria-rowindex', 'aria-selected']) if (!row.hasAttribute(state)) tell(row, `a row without ${state}`);
    for (const element of all('[aria-expanded], [aria-pressed], [aria-checked], [aria-selected], [aria-busy], [aria-invalid]')) {
        for (const state of ['aria-expanded', 'aria-pressed', 'aria-checked', 'aria-selected', 'aria-busy', 'aria-invalid']) {
            if (element.hasAttribute(state) && !['true', 'false'].includes(element.getAttribute(state))) tell(element, `${state} is ${element.getAttribute(state)}`);
        }
    }
    for (const element of document.querySelectorAll('[aria-labelledby], [aria-describedby], [aria-controls]')) {
        for (const name of ['aria-labelledby', 'aria-describedby', 'aria-controls']) {
            for (const id of (element.getAttribute(name) ?? '').split(/\s+/).filter(Boolean)) if (!document.getElementById(id)) tell(element, `${name} leads nowhere (${id})`);
        }
    }
    const ids = new Map();
    for (const element of document.querySelectorAll('[id]')) {
        if (ids.has(element.id)) tell(element, 'an id that another element has');
        ids.set(element.id, element);
    }
    for (const element of all('button button, a a, a button, button a, button input')) tell(element, 'a control in a control');

    /* ---- contrast ---- */
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = color => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [r2, g2, b2]) => [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];
    const groundOf = element => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            layers.unshift(rgba(getComputedStyle(one).backgroundColor));
            if (['fixed'].includes(getComputedStyle(one).position) && layers[0][3] === 1) break;
        }
        return layers.reduce((below, layer) => over(layer, below), rgba(getComputedStyle(document.documentElement).backgroundColor === 'rgba(0, 0, 0, 0)' ? getComputedStyle(document.body).backgroundColor : 'white'));
    };
    const luminance = ([r, g, b]) => [r, g, b].map(value => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const contrast = (a, b) => {
        const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
        return (high + 0.05) / (low + 0.05);
    };
    const faint = element => {
        let opacity = 1;
        for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity);
        return opacity;
    };
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || seen.has(element) || !shown(element) || element.closest('.unseen, iframe, option')) continue;
        seen.add(element);
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) continue;
        const style = getComputedStyle(element);
        const ground = groundOf(element);
        const ink = rgba(style.color);
        ink[3] *= faint(element);
        const ratio = contrast(over(ink, ground), ground);
        const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5)) tell(element, `contrast ${ratio.toFixed(2)}`);
    }
    for (const field of all('input[type=text], input[type=password], input[type=search]')) {
        if (contrast(over(rgba(getComputedStyle(field, '::placeholder').color), groundOf(field)), groundOf(field)) < 4.5 && field.placeholder) tell(field, 'placeholder of too little contrast');
    }
    for (const svg of all('button .icon, a .icon, .row .icon').concat([...root.querySelectorAll('button [aria-hidden].icon')].filter(one => one.checkVisibility({ opacityProperty: true, visibilityProperty: true })))) {
        if (faint(svg) === 0) continue;
        const ground = groundOf(svg);
        const ratio = contrast(over(rgba(getComputedStyle(svg).color), ground), ground);
        if (ratio < 3) tell(svg.parentElement, `an icon of contrast ${ratio.toFixed(2)}`);
    }

    /* ---- targets, headings, landmarks, order ---- */
    for (const element of all('button, input:not([type=hidden]), select, summary, [role=menuitem], [role=treeitem], .row, .bar a')) {
        const { width, height } = element.getBoundingClientRect();
        const label = element.closest('label')?.getBoundingClientRect();
        if (width > 1 && (Math.max(width, label?.width ?? 0) < 24 || Math.max(height, label?.height ?? 0) < 24)) tell(element, `a target of ${Math.round(width)}×${Math.round(height)}`);
    }
    let level = 0;
    for (const heading of all('h1, h2, h3, h4')) {
        const now = Number(heading.localName[1]);
        if (!dialog && level > 0 && now > level + 1) tell(heading, `h${now} after h${level}`);
        level = now;
    }
    if (!dialog) {
        const mains = all('main');
        if (mains.length !== 1 && !document.querySelector('aside:not([hidden])')) found.push(`${mains.length} main landmarks`);
        const landmarks = all('nav, aside, section[aria-label], section[aria-labelledby], search').map(element => element.localName + ' ' + nameOf(element));
        for (const one of new Set(landmarks)) if (landmarks.filter(other => other === one).length > 1) found.push(`two landmarks of the same name: ${one}`);
        for (const element of all('nav, aside')) if (!nameOf(element)) tell(element, 'a landmark without a name');
        for (const element of document.body.children) {
            if (!shown(element) || ['script', 'dialog', 'iframe'].includes(element.localName) || !element.textContent.trim() || element.matches('.unseen, .skip, .menu, .drag-picture')) continue;
            if (!element.matches('header, nav, main, aside, section, footer, .work, .drop')) tell(element, 'text outside of every landmark');
        }
    }
    const tabbable = all('a[href], button, input:not([type=hidden]), select, textarea, summary, audio, video, iframe, [tabindex]').filter(element => element.tabIndex >= 0 && !element.disabled);
    for (const element of tabbable) if (element.tabIndex > 0) tell(element, 'a tabindex of its own order');
    for (const element of [...document.querySelectorAll('[aria-hidden="true"]')]) {
        for (const inside of element.querySelectorAll('a[href], button, input, [tabindex="0"]')) if (inside.checkVisibility()) tell(inside, 'can have the focus but is hidden from screen readers');
    }
    for (const group of ['.grid .canvas', '[role=tree]']) {
        for (const element of all(group)) if (element.querySelector('[role=row], [role=treeitem]') && element.querySelectorAll('[role=row][tabindex="0"], [role=treeitem][tabindex="0"]').length !== 1) tell(element, 'not exactly one row for Tab');
    }
    for (const element of all('*')) {
        if (element.scrollHeight > element.clientHeight + 1 && ['auto', 'scroll'].includes(getComputedStyle(element).overflowY) && element.tabIndex < 0 &&
            !element.querySelector('a[href], button, input, [tabindex]:not([tabindex="-1"])')) tell(element, 'scrolls but cannot be reached by keyboard');
    }
    if (!document.documentElement.lang) found.push('the page names no language');
    if (!document.title.trim()) found.push('the page has no title');
    if (document.documentElement.scrollWidth > screen.width) found.push(`the page scrolls sideways: ${document.documentElement.scrollWidth} in ${screen.width}`);
    return found;
})()
