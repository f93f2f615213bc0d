// The room, as this page sees it.  What comes from others is only ever shown as text.

const SUBPROTOCOL = "chat.v1";
const MAX_FILE = 1024 * 1024; // bytes, as the server has it
const MAX_LINES = 500; // those before are forgotten
const SHORTEST_WAIT = 0.5; // seconds before another attempt
const LONGEST_WAIT = 30;

const MEANINGS = {
  1000: "normal end",
  1001: "the server goes away",
  1006: "lost without a word",
  1009: "too big",
  1011: "the server failed",
};

// The elements of the page, by their id.
const page = Object.fromEntries(
  [...document.querySelectorAll("[id]")].map(element => [element.id, element]),
);

let socket = null; // the one that counts; what others still say is not listened to
let inside = false; // whether the server has let us in since we entered
let attempts = 0;
let timer = null;
let announced = null; // the event of the file that comes next

// The connection

function connect() {
  show("connecting", "connecting …");
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams({ name: myName() });
  const host = `${location.hostname}:${document.body.dataset.port}`;
  const opening = new WebSocket(`${scheme}://${host}/?${query}`, SUBPROTOCOL);
  opening.binaryType = "arraybuffer";
  opening.onmessage = ({ data }) => opening === socket && receive(data);
  opening.onclose = event => opening === socket && closed(event);
  socket = opening;
}

function closed({ code, reason }) {
  const why = `closed: ${code}, ${reason || MEANINGS[code] || "no reason"}`;
  // From 4000 on codes are the server's own: it won't have us under that name.  Once
  // we were in, that may be due to the connection that we have just lost.
  if (code >= 4000 && !inside) {
    goOut(why);
    return;
  }
  if (attempts === 0) note(why);
  wait(why);
}

// Twice as long each time, and by chance, lest all pages come back at once.
function wait(why) {
  const longest = Math.min(SHORTEST_WAIT * 2 ** attempts, LONGEST_WAIT);
  const seconds = longest * (0.5 + Math.random() / 2);
  attempts += 1;
  show("waiting", `${why}; again in ${seconds.toFixed(1)} s`);
  timer = setTimeout(connect, seconds * 1000);
}

function goOut(why) {
  clearTimeout(timer);
  const going = socket;
  socket = null;
  going?.close(1000, "left");
  inside = false;
  attempts = 0;
  show("outside", "not connected");
  page.why.textContent = why;
  page.name.select();
}

function isOpen() {
  return document.body.dataset.state === "open";
}

// What comes

const EVENTS = { joined, left, said, file, latency };

function receive(data) {
  if (typeof data === "string") {
    const event = JSON.parse(data);
    EVENTS[event.event](event);
  } else {
    receiveFile(data);
  }
}

function joined({ name, here }) {
  list(here);
  // The first to join is we ourselves.
  if (!isOpen()) cameIn();
  note(`${name} is here`);
}

function cameIn() {
  show("open", "connected");
  note(`connected, with ${socket.protocol}`);
  if (!inside) page.text.focus();
  inside = true;
  attempts = 0;
}

function left({ name, here }) {
  list(here);
  note(`${name} has left`);
}

function said({ name, text }) {
  append(name, element("p", text));
}

function file(event) {
  announced = event;
}

async function receiveFile(data) {
  const { name, sha256 } = announced;
  const address = URL.createObjectURL(new Blob([data]));
  const link = element("a", `Save ${size(data.byteLength)}`);
  link.href = address;
  link.download = `from ${name}`;
  const digest = element("small", `SHA-256 ${sha256.slice(0, 16)}…`);
  digest.title = sha256;
  append(name, picture(address, name), link, digest);
  digest.textContent += await verdict(data, sha256);
}

async function verdict(data, sha256) {
  // Browsers hash only for pages that came over TLS or from the same machine.
  if (!crypto.subtle) return ", not checked";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  const hex = [...digest].map(byte => byte.toString(16).padStart(2, "0")).join("");
  return hex === sha256 ? ", intact" : ", damaged";
}

function latency({ seconds }) {
  page.latency.textContent = `${(seconds * 1000).toFixed(1)} ms`;
}

// What goes

function say() {
  if (!isOpen() || page.text.value === "") return;
  socket.send(page.text.value);
  page.text.value = "";
}

function sendFile() {
  const [chosen] = page.file.files;
  if (!chosen) return;
  if (chosen.size > MAX_FILE) note(`${size(chosen.size)} is too big for a file`);
  else if (isOpen()) socket.send(chosen);
  page.file.value = "";
}

// What is seen

function show(state, text) {
  document.body.dataset.state = state;
  page.state.textContent = text;
  page.door.hidden = state !== "outside";
  page.room.hidden = page.leave.hidden = state === "outside";
  page.latency.hidden = state !== "open";
}

function list(here) {
  page.heading.textContent = `Here: ${here.length}`;
  page.names.replaceChildren(...here.map(name => element("li", name)));
}

function note(text) {
  addLine("note", element("p", text));
}

function append(name, ...parts) {
  const head = element("h3", name);
  head.append(element("time", new Date().toLocaleTimeString([], { timeStyle: "short" })));
  addLine(name === myName() ? "mine" : "theirs", head, ...parts);
}

function addLine(kind, ...parts) {
  const line = element("div", "");
  line.className = kind;
  line.append(...parts);
  page.lines.append(line);
  if (page.lines.childElementCount > MAX_LINES) forget(page.lines.firstElementChild);
}

function forget(line) {
  for (const { href } of line.querySelectorAll("a")) URL.revokeObjectURL(href);
  line.remove();
}

function picture(address, name) {
  const image = document.createElement("img");
  image.alt = `Picture from ${name}`;
  image.onerror = () => image.remove(); // no picture, then
  image.src = address;
  return image;
}

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  made.dir = "auto";
  return made;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < MAX_FILE) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function myName() {
  return page.name.value.trim();
}

// What the user does

function onSubmit(form, act) {
  form.onsubmit = event => {
    event.preventDefault();
    act();
  };
}

onSubmit(page.enter, connect);
onSubmit(page.say, say);
page.leave.onclick = () => goOut("");
page.attach.onclick = () => page.file.click();
page.file.onchange = sendFile;
