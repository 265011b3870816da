/* early.js: the theme that was chosen, before anything is painted: modules come after that. */
document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'system';
