/* login.js: what the sign-in card can do more with scripts: show the password, say what is missing beside
 * the field, ask for a code while the password stays typed, have a link mailed, and carry on to the folder
 * that the address line names. The words stand in login.html, or come from the server. */

const form = document.getElementById('sign-in');
const user = document.getElementById('user');
const password = document.getElementById('password');
const code = document.getElementById('code');
const show = document.getElementById('show');
const back = document.getElementById('back');
const lines = new Map([[user, document.getElementById('user-wrong')], [password, document.getElementById('wrong')], [code, document.getElementById('code-wrong')]]);

const fields = [user, password, code];

const wantsCode = () => document.body.dataset.code === 'yes';

function tell(field, text) {
  lines.get(field).textContent = text;
  field.setAttribute('aria-invalid', String(text !== ''));
}

/* The password is in its field, which is out of sight, until the code is there. */
function step(withCode) {
  document.body.dataset.code = withCode ? 'yes' : 'no';
  document.body.dataset.alone = String(withCode);
  back.hidden = !withCode;
  code.value = '';
}

/* Returns {ok, told}. */
async function post(address, body, headers) {
  const answer = await fetch(address, { method: 'POST', body, headers: { Accept: 'application/json', ...headers } }).catch(() => null);
  return { ok: answer?.ok, told: await answer?.json().catch(() => ({})) ?? {}, offline: answer === null };
}

async function signIn() {
  const { ok, told, offline } = await post('/login', new URLSearchParams(new FormData(form)), {});
  if (ok) {
    location.assign(told.next);
    return;
  }
  const ofCode = told.field === 'code';
  const first = ofCode && told.error === 'code_needed' && !wantsCode();
  if (ofCode !== wantsCode() || ofCode) step(ofCode);
  const field = ofCode ? code : password;
  tell(field, first ? '' : offline ? lines.get(password).dataset.offline : told.message ?? lines.get(password).dataset.offline);
  if (!ofCode) user.setAttribute('aria-invalid', String(told.field === 'password'));
  field.focus();
}

show.hidden = false;
show.addEventListener('click', () => {
  const shown = password.type === 'password';
  password.type = shown ? 'text' : 'password';
  show.setAttribute('aria-pressed', String(shown));
});

back.addEventListener('click', () => {
  step(false);
  password.value = '';
  password.focus();
});

form.noValidate = true;
form.addEventListener('submit', event => {
  event.preventDefault();
  const button = form.querySelector('[type=submit]');
  const empty = fields.filter(field => field.value === '' && (field !== code || wantsCode()));
  for (const field of fields) tell(field, empty.includes(field) ? lines.get(field).dataset.missing : '');
  if (empty.length > 0) {
    empty[0].focus();
    return;
  }
  password.type = 'password';
  show.setAttribute('aria-pressed', 'false');
  button.disabled = true;
  signIn().finally(() => { button.disabled = false; });
});
for (const field of fields) field.addEventListener('input', () => tell(field, ''));

/* The server never sees what stands behind the #. */
const next = form.elements.next;
if (location.hash.startsWith('#') && next.value === '/') next.value += location.hash;

if (lines.get(password).textContent !== '') {
  for (const field of [user, password]) field.setAttribute('aria-invalid', 'true');
  if (user.value !== '') password.focus();
}

/* ---- a lost password ---- */

const lost = document.getElementById('lost');
const name = document.getElementById('name');
const sent = document.getElementById('sent');
lines.set(name, document.getElementById('name-wrong'));

if (document.body.dataset.mail === 'yes') {
  lost.hidden = false;
  document.querySelector('.of-people').hidden = true;
}
lost.parentElement.addEventListener('toggle', () => { if (name.value === '') name.value = user.value; });
lost.addEventListener('submit', async event => {
  event.preventDefault();
  sent.textContent = '';
  if (name.value.trim() === '') {
    tell(name, lines.get(name).dataset.missing);
    name.focus();
    return;
  }
  const { ok, told } = await post('/api/lost', JSON.stringify({ name: name.value.trim() }), { 'Content-Type': 'application/json' });
  if (ok) sent.textContent = sent.dataset.done;
  else tell(name, told.message ?? lines.get(password).dataset.offline);
});
name.addEventListener('input', () => tell(name, ''));
