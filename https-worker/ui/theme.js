/* theme.js: light, dark, or as the system has it. The colours are all in page.css, by `data-theme`;
 * early.js reads what is kept here before the page is painted. */

export const THEMES = ['system', 'light', 'dark'];

export const theme = () => document.documentElement.dataset.theme ?? 'system';

export function setTheme(name) {
    document.documentElement.dataset.theme = name;
    try {
        localStorage.setItem('theme', name);
    } catch {
        /* It holds until the page is left. */
    }
}
