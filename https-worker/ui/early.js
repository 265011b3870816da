/* early.js: the theme that was chosen in this browser, before anything is painted. The one script that
 * is no module, since modules come after the first paint; theme.js changes what it reads. */
try {
    document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'system';
} catch {
    /* A browser that keeps nothing for us follows the system. */
}
