"use strict";
// The review page. A decision is in this browser's storage until the server has it on its disk.
const $ = (id) => document.getElementById(id);
const POLL_MS = 2000, TOAST_MS = 2200, LONGEST_WAIT_MS = 10000, STRIP = 9, AHEAD = 3, ANSWER_MS = 8000, EXPORT_MS = 3600000;
const VIEWS = {
  todo: ["to do", (image) => !named(image).length],
  second: ["decided by others, not by me", (image) => named(image).length > 0 && !(me in image.decisions)],
  differ: ["disagreements", (image) => differ(image)],
  unknown: ["don't know", (image) => named(image).length > 0 && named(image).some((name) => image.decisions[name] === null)],
  mine: ["decided by me", (image) => me in image.decisions],
  all: ["all", () => true],
};
let images = [], byId = new Map(), labels = [], keys = {}, version = 0, near = false, place = "";
let me = "", view = "todo", current = null, zoomed = false, contrast = false;
let skipped = new Set(), history = [], trail = [], others = {}, outbox = [], sending = false, wait = 0, problem = "";
let toastTimer = 0, nearFor = "";

const named = (image) => Object.keys(image.decisions);
const differ = (image) => new Set(named(image).map((name) => image.decisions[name]).filter((label) => label !== null)).size > 1;
const percent = (share) => `${(100 * share).toFixed(share >= 0.9995 || share < 0.0005 ? 0 : 1)}\u00a0%`;
function make(tag, name = "", words = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (words) element.textContent = words;
  return element;
}
function text(id, words) {
  const element = typeof id === "string" ? $(id) : id;
  if (element.textContent !== words) element.textContent = words;
}
function stored(key, fallback) {
  try { return JSON.parse(localStorage.getItem(key)) ?? fallback; } catch { return fallback; }
}
function store(key, value) {
  try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* a private window has none */ }
}
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function asked(path, options) {
  // A decision has an id: one that was kept, and whose answer got lost, is sent again and counts once.
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS), ...options });
  if (!answer.ok) {
    const error = new Error((await answer.text()).trim().slice(0, 300) || `error ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return answer.json();
}

// ---- what is decided ----
function applied(image, choice, label) {
  const before = image.decisions[me];
  if (choice === "undo") delete image.decisions[me];
  else image.decisions[me] = choice === "label" ? label : null;
  return before;
}
function decide(choice, label = "") {
  if (!current || !me) return;
  const image = current;
  applied(image, choice, label);
  if (label && !labels.includes(label)) labels.push(label);
  put({ id: newId(), reviewer: me, image: image.id, choice, label });
  if ($("notice").classList.contains("mild")) $("notice").hidden = true;
  history.push({ image: image.id, kind: "decision" });
  skipped.delete(image.id);
  toast(`${choice === "label" ? label : "don't know"} ✓ ${image.file}`);
  go(next(image), true);
}
function skip() {
  if (!current) return;
  skipped.add(current.id);
  history.push({ image: current.id, kind: "skip" });
  go(next(current), true);
}
async function undo() {
  if (!me) return;
  let last = history.pop();
  if (!last) {
    try {
      const found = await asked(`latest?reviewer=${encodeURIComponent(me)}`);
      if (!found.image) { toast("nothing to undo"); return; }
      last = { image: found.image, kind: "decision" };
    } catch (error) { told(error); return; }
  }
  const image = byId.get(last.image);
  if (!image) return;
  skipped.delete(image.id);
  if (last.kind === "decision") {
    applied(image, "undo");
    put({ id: newId(), reviewer: me, image: image.id, choice: "undo", label: "" });
    toast(`taken back: ${image.file}`);
  }
  go(image, false);
}
function put(decision) {
  outbox.push(decision);
  store(`edgecl-outbox ${place}`, outbox);
  send();
}
async function send() {
  if (sending || !outbox.length) { showSaved(); return; }
  sending = true;
  showSaved();
  while (outbox.length) {
    try {
      learn(await asked("decide", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(outbox[0]) }));
      outbox.shift();
      wait = 0;
      problem = "";
    } catch (error) {
      problem = error.message;
      if (error.status === 422 || error.status === 400) {
        const refused = outbox.shift();
        notice(`not kept: ${refused.label || refused.choice} (${error.message})`);
        store(`edgecl-outbox ${place}`, outbox);
        await load();
        continue;
      }
      if (error.status === 401) notice("You are logged out. What you decided waits in this browser.", "/login", "Log in");
      wait = Math.min(LONGEST_WAIT_MS, wait ? wait * 2 : 1000);
      break;
    }
    store(`edgecl-outbox ${place}`, outbox);
  }
  sending = false;
  showSaved();
  if (outbox.length) setTimeout(send, wait);
}
function showSaved() {
  const element = $("saved");
  element.className = `saved${problem ? " bad" : outbox.length ? " waiting" : ""}`;
  text(element, problem ? `${outbox.length} not saved yet` : outbox.length ? "saving …" : "✓ all saved");
  element.title = problem;
}

// ---- what others do ----
function learn(news) {
  version = Math.max(version, news.version);
  labels = news.labels;
  keys = news.keys;
  if (news.others) others = news.others;
  const waiting = new Set(outbox.slice(1).map((decision) => decision.image));
  for (const [id, decisions] of Object.entries(news.changed)) {
    const image = byId.get(id);
    if (image) image.decisions = waiting.has(id) && me in image.decisions ? { ...decisions, [me]: image.decisions[me] } : decisions;
  }
}
async function poll() {
  if (place && !sending && !outbox.length) {
    const query = new URLSearchParams({ since: version, reviewer: me, at: current ? current.id : "" });
    try {
      const news = await asked(`news?${query}`);
      const before = version;
      learn(news);
      if (problem) { problem = ""; }
      // A server that was started again may have forgotten nothing, but counts anew.
      if (news.version < before) await load();
      showSaved();
      show(false);
    } catch (error) { told(error); }
  }
  setTimeout(poll, POLL_MS);
}
function told(error) {
  problem = error.message;
  const element = $("saved");
  element.className = "saved bad";
  text(element, error.status === 401 ? "logged out" : "no connection");
  element.title = error.message;
  if (error.status === 401) notice("You are logged out.", "/login", "Log in");
}

// ---- where one is ----
function next(from) {
  const start = from ? images.indexOf(from) : -1, fits = VIEWS[view][1];
  const taken = new Set(Object.values(others));
  for (const loose of [false, true]) {
    for (let step = 1; step <= images.length; step += 1) {
      const image = images[(start + step + images.length) % images.length];
      if (image === from && (view !== "todo" || !fits(image))) continue;
      if (fits(image) && (loose || (!skipped.has(image.id) && !taken.has(image.id)))) {
        if (loose) skipped.delete(image.id);
        return image;
      }
    }
  }
  return null;
}
function go(image, remember) {
  if (remember && current) trail.push(current.id);
  current = image;
  zoomed = false;
  show(true);
}
function back() {
  const id = trail.pop();
  if (id) go(byId.get(id), false);
}

// ---- what is shown ----
function show(moved) {
  const done = images.filter((image) => named(image).length).length;
  const apart = images.filter(differ).length, mine = images.filter((image) => me in image.decisions).length;
  const bar = $("progress");
  bar.setAttribute("aria-valuemax", String(images.length));
  bar.setAttribute("aria-valuenow", String(done));
  $("progress-bar").style.width = `${(100 * done) / Math.max(1, images.length)}%`;
  const counts = $("counts");
  counts.replaceChildren(make("b", "", `${done}`), ` of ${images.length} decided`);
  counts.title = `${mine} by ${me}, ${apart} disagreements`;
  for (const option of $("view").options) {
    const number = images.filter(VIEWS[option.value][1]).length;
    text(option, `${VIEWS[option.value][0]} (${number})`);
  }
  text("who", me || "name …");
  // An image never changes under somebody's finger: only an empty page looks for another one.
  if (!current && (current = next(null))) moved = true;
  $("empty").hidden = Boolean(current);
  if (!current) text("empty", view === "todo" ? "Everything here is decided." : `No images: ${VIEWS[view][0]}.`);
  showImage(moved);
  showEngine();
  showLabels();
  showOthers();
  showStrip(moved);
  if (moved) showNear();
}
function showImage(moved) {
  const stage = $("stage"), image = $("image");
  stage.className = `stage${zoomed ? " zoomed" : ""}${contrast ? " contrast" : ""}`;
  $("zoom").setAttribute("aria-pressed", String(zoomed));
  $("contrast").setAttribute("aria-pressed", String(contrast));
  $("back").disabled = !trail.length;
  image.hidden = !current;
  if (!current) { text("caption", ""); return; }
  const url = `${zoomed ? "whole" : "image"}/${current.id}.jpg`;
  if (image.getAttribute("src") !== url) {
    image.style.width = "";
    image.onerror = () => { if (current) { $("empty").hidden = false; text("empty", "This image is gone, or damaged. Skip it, or undo what was said about it."); } };
    image.onload = zoomed ? () => enlarge(stage, image) : null;
    image.src = url;
    image.alt = `image ${current.file}`;
  }
  if (!moved) return;
  const facts = [`${images.indexOf(current) + 1} of ${images.length}`, current.camera, current.when.replace("T", " ").replace(/\.\d+Z$/, " UTC"), current.policy && `kept as ${current.policy}`, current.heat_map && "under its heat map"];
  $("caption").replaceChildren(make("b", "", current.file.split("/").pop()), ` · ${facts.filter(Boolean).join(" · ")}`);
  $("caption").title = current.file;
  let ahead = current;
  for (let count = 0; count < AHEAD; count += 1) {
    const start = images.indexOf(ahead);
    ahead = images.slice(start + 1).find((other) => VIEWS[view][1](other));
    if (!ahead) break;
    new Image().src = `image/${ahead.id}.jpg`;
  }
}
// Every pixel, and never less than twice of what was seen before.
function enlarge(stage, image) {
  const ratio = image.naturalWidth / image.naturalHeight;
  const fitted = Math.min(stage.clientWidth, stage.clientHeight * ratio);
  image.style.width = `${Math.max(image.naturalWidth / devicePixelRatio, 2 * fitted)}px`;
  stage.scrollLeft = (stage.scrollWidth - stage.clientWidth) / 2;
  stage.scrollTop = (stage.scrollHeight - stage.clientHeight) / 2;
}
function best(image) {
  const found = Object.entries(image.answer || {}).sort((one, other) => other[1] - one[1])[0];
  return found ? { label: found[0], confidence: found[1] } : null;
}
function said(image) {
  return image.label ? { label: image.label, confidence: image.confidence } : best(image);
}
function showEngine() {
  const box = $("engine"), answer = current && said(current);
  box.className = `engine ${(current && current.status) || ""}`;
  box.hidden = !current;
  if (!current) return;
  const recorded = current.status || current.label;
  text(box.firstElementChild, recorded ? "The line said" : answer ? "The model says" : "Nothing is known of what the line said");
  text("engine-label", answer ? answer.label : current.status || "");
  const more = [current.status && answer ? current.status : "", answer && answer.confidence !== null ? percent(answer.confidence) : "", current.reason];
  const now = best(current);
  if (recorded && now) more.push(`model now ${now.label === current.label ? "" : `${now.label} `}${percent(now.confidence)}`);
  text("engine-more", more.filter(Boolean).join(" · "));
}
function showLabels() {
  const box = $("labels"), answer = current && said(current);
  box.classList.toggle("two", labels.length > 8);
  while (box.children.length > labels.length) box.lastChild.remove();
  labels.forEach((label, place) => {
    let button = box.children[place];
    if (!button) {
      button = make("button");
      button.type = "button";
      button.append(make("kbd"), make("span", "name"), make("span", "said"), make("i", "share"));
      box.append(button);
    }
    const [key, name, share, bar] = button.children;
    const probability = current && current.answer ? current.answer[label] : undefined;
    button.onclick = () => decide("label", label);
    button.disabled = !current;
    button.className = answer && answer.label === label ? "engine-said" : "";
    button.setAttribute("aria-pressed", String(Boolean(current) && current.decisions[me] === label));
    text(key, keys[label] || "");
    key.hidden = !keys[label];
    text(name, label);
    text(share, probability !== undefined ? percent(probability) : answer && answer.label === label ? (answer.confidence === null ? "the line" : percent(answer.confidence)) : "");
    bar.style.width = `${100 * (probability || 0)}%`;
  });
  for (const id of ["dont-know", "skip", "add"]) $(id).disabled = !current;
  $("dont-know").setAttribute("aria-pressed", String(Boolean(current) && current.decisions[me] === null));
}
// Others' answers come after one's own: they would be copied.
function showOthers() {
  const box = $("others"), seen = current && (me in current.decisions || view === "differ" || view === "all");
  const names = current ? named(current).filter((name) => name !== me) : [];
  const lines = [];
  if (current && differ(current) && seen) lines.push("Reviewers disagree:");
  if (seen) names.forEach((name) => lines.push(`${name}: ${current.decisions[name] ?? "don't know"}`));
  else if (names.length) lines.push(`${names.length === 1 ? "1 other has" : `${names.length} others have`} decided; shown after you have`);
  const looking = Object.keys(others).filter((name) => current && others[name] === current.id);
  if (looking.length) lines.push(`${looking.join(", ")} looks at this image, too`);
  box.hidden = !lines.length;
  box.className = `others${current && differ(current) && seen ? " differ" : ""}`;
  box.replaceChildren(...lines.map((line) => make("p", "", line)));
}
function showStrip(moved) {
  const list = $("strip"), at = current ? images.indexOf(current) : 0;
  const first = Math.max(0, Math.min(at - Math.floor(STRIP / 2), images.length - STRIP));
  const shown = images.length > 1 ? images.slice(first, first + STRIP) : [];
  while (list.children.length > shown.length) list.lastChild.remove();
  shown.forEach((image, place) => {
    let item = list.children[place];
    if (!item) {
      item = make("li");
      const button = make("button");
      button.type = "button";
      button.append(make("img"), make("span"));
      item.append(button);
      list.append(item);
    }
    const button = item.firstChild, [picture, mark] = button.children, names = named(image);
    const url = `thumbnail/${image.id}.jpg`;
    picture.alt = "";
    picture.fetchPriority = "low";
    if (picture.getAttribute("src") !== url) picture.src = url;
    if (image === current) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
    const own = image.decisions[me], apart = differ(image);
    text(mark, apart ? "✕ disagree" : own ? `✓ ${own}` : own === null ? "? don't know" : names.length ? `✓ by ${names[0]}` : "·");
    mark.className = apart ? "differ" : names.length ? "done" : "";
    button.title = image.file;
    button.onclick = () => go(image, true);
  });
}
async function showNear() {
  if (!near || !current) { $("near").hidden = true; return; }
  const id = current.id;
  nearFor = id;
  try {
    const found = await asked(`near/${id}`);
    if (nearFor !== id) return;
    $("near").hidden = !found.length;
    $("near-images").replaceChildren(...found.map((image) => {
      const item = make("li"), picture = make("img");
      picture.fetchPriority = "low";
      picture.src = `thumbnail/${image.id}.jpg`;
      picture.alt = `labelled ${image.label}`;
      item.append(picture, make("span", "", image.label), make("small", "", `${image.similarity.toFixed(2)}${image.source === "review" ? " · reviewed" : ""}`));
      return item;
    }));
  } catch (error) { if (nearFor === id) $("near").hidden = true; }
}
function toast(words) {
  const element = $("toast");
  text(element, words);
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, TOAST_MS);
}
function notice(words, link = "", linked = "", mild = false) {
  const element = $("notice");
  element.className = `notice${mild ? " mild" : ""}`;
  element.replaceChildren(words);
  if (link) {
    const anchor = make("a", "", linked);
    anchor.href = link;
    element.append(" ", anchor);
  }
  element.hidden = false;
}

// ---- from the beginning ----
function sorted(list, order) {
  const sure = (image) => (said(image) && said(image).confidence) ?? -1;
  return order === "doubtful" ? [...list].sort((one, other) => sure(one) - sure(other)) : [...list].sort((one, other) => one.number - other.number);
}
async function load() {
  const state = await asked("state");
  place = state.place;
  near = state.near;
  version = state.version;
  labels = state.labels;
  keys = state.keys;
  text("title", state.title);
  document.title = `${state.title}: review`;
  const before = current && current.id;
  images = sorted(state.images.map((image, number) => ({ ...image, number })), $("order").value);
  byId = new Map(images.map((image) => [image.id, image]));
  for (const decision of outbox) {
    const image = byId.get(decision.image);
    if (image && decision.reviewer === me) applied(image, decision.choice, decision.label);
  }
  current = before ? byId.get(before) || null : null;
}
function askName() {
  $("name").value = me;
  $("name-dialog").showModal();
  $("name").select();
}
async function begin() {
  for (const [name] of Object.entries(VIEWS)) {
    const option = make("option", "", VIEWS[name][0]);
    option.value = name;
    $("view").append(option);
  }
  me = stored("edgecl-reviewer", "");
  try { await load(); } catch (error) { told(error); setTimeout(() => location.reload(), 3000); return; }
  outbox = stored(`edgecl-outbox ${place}`, []);
  if (!Array.isArray(outbox)) outbox = [];
  if (outbox.length) await load();
  $("desk").hidden = false;
  go(next(null), false);
  send();
  if (!me) askName();
  poll();
}
$("name-form").onsubmit = (event) => {
  event.preventDefault();
  const name = $("name").value.trim().replace(/\s+/g, " ");
  if (!name) return;
  if (name !== me) { history = []; trail = []; skipped = new Set(); }
  me = name;
  store("edgecl-reviewer", me);
  $("name-dialog").close();
  show(true);
};
$("who").onclick = askName;
$("notice").onclick = () => { $("notice").hidden = true; };
$("view").onchange = () => { view = $("view").value; skipped = new Set(); $("view").blur(); go(next(null), false); };
$("order").onchange = () => { images = sorted(images, $("order").value); $("order").blur(); go(next(null), false); };
$("dont-know").onclick = () => decide("dont-know");
$("skip").onclick = skip;
$("undo").onclick = undo;
$("back").onclick = back;
$("zoom").onclick = () => { zoomed = !zoomed; show(false); };
$("contrast").onclick = () => { contrast = !contrast; show(false); };
$("image").ondblclick = () => { zoomed = !zoomed; show(false); };
$("add").onclick = () => { $("new-label").hidden = false; $("new-name").focus(); };
$("new-label").onsubmit = (event) => {
  event.preventDefault();
  const label = $("new-name").value.trim();
  $("new-name").value = "";
  $("new-label").hidden = true;
  document.activeElement.blur();
  if (label) decide("label", label);
};
$("export").onclick = async () => {
  $("export").disabled = true;
  notice("exporting …", "", "", true);
  try { notice((await asked("export", { method: "POST", signal: AbortSignal.timeout(EXPORT_MS) })).text, "", "", true); } catch (error) { notice(`not exported: ${error.message}`); }
  $("export").disabled = false;
};
addEventListener("keydown", (event) => {
  if ($("name-dialog").open || event.altKey || event.metaKey) return;
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) {
    if (event.key === "Escape") { $("new-label").hidden = true; event.target.blur(); }
    return;
  }
  if (event.ctrlKey) {
    if (event.key === "z") { event.preventDefault(); undo(); }
    return;
  }
  // A key that is held down decides once.
  if (event.repeat) return;
  const label = labels.find((name) => keys[name] && keys[name] === event.key.toLowerCase());
  const acts = { x: () => decide("dont-know"), s: skip, ArrowRight: skip, u: undo, Backspace: undo, ArrowLeft: back, z: $("zoom").onclick, c: $("contrast").onclick, n: () => { if (current) $("add").onclick(); } };
  const act = label ? () => decide("label", label) : acts[event.key] || acts[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});
let grabbed = null;
$("stage").onpointerdown = (event) => { if (zoomed && event.pointerType === "mouse") { grabbed = [event.clientX, event.clientY]; event.preventDefault(); } };
addEventListener("pointermove", (event) => {
  if (!grabbed) return;
  $("stage").scrollLeft -= event.clientX - grabbed[0];
  $("stage").scrollTop -= event.clientY - grabbed[1];
  grabbed = [event.clientX, event.clientY];
});
addEventListener("pointerup", () => { grabbed = null; });
begin();
