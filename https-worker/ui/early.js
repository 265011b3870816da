/* early.js: the theme that was chosen in this browser, before anything is painted. The one script that is no
 * module, since modules come after the first paint. */
document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'system';
