/* login.js: what the sign-in card can do more with scripts: show the password, say what is missing beside
 * the field, and carry on to the folder that the address line names. The words stand in login.html. */

const form = document.getElementById('sign-in');
const user = document.getElementById('user');
const password = document.getElementById('password');
const show = document.getElementById('show');
const fields = [[user, document.getElementById('user-wrong')], [password, document.getElementById('wrong')]];

function tell([field, line], text) {
  line.textContent = text;
  field.setAttribute('aria-invalid', String(text !== ''));
}

show.hidden = false;
show.addEventListener('click', () => {
  const shown = password.type === 'password';
  password.type = shown ? 'text' : 'password';
  show.setAttribute('aria-pressed', String(shown));
});

form.noValidate = true;
form.addEventListener('submit', event => {
  const empty = fields.filter(([field]) => field.value === '');
  for (const one of fields) tell(one, empty.includes(one) ? one[1].dataset.missing : '');
  if (empty.length > 0) {
    event.preventDefault();
    empty[0][0].focus();
  } else password.type = 'password';
});
for (const one of fields) one[0].addEventListener('input', () => tell(one, ''));

/* The server never sees what stands behind the #. */
const next = form.elements.next;
if (location.hash.startsWith('#') && next.value === '/') next.value += location.hash;

if (fields[1][1].textContent !== '') {
  for (const [field] of fields) field.setAttribute('aria-invalid', 'true');
  if (user.value !== '') password.focus();
}
