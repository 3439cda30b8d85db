"use strict";
const part = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const made = (tag, fields = {}, ...inside) => {
  const one = Object.assign(document.createElement(tag), fields);
  one.append(...inside);
  return one;
};
let state = null, socket = null, asked = 0;

// The picture. A stream that ends is asked for again; the picture as captured is only ever shown here.
let bare = false;
function startPicture() { part("picture").src = (bare ? "/before.mjpg?" : "/stream.mjpg?") + Date.now(); }
part("picture").addEventListener("error", () => setTimeout(startPicture, 1000));
part("before").addEventListener("click", () => {
  bare = !bare;
  part("before").setAttribute("aria-pressed", bare);
  startPicture();
  if (state) show(state);
});

// Commands go over the socket where there is one, else over HTTP: panic must arrive either way.
async function send(command, ...words) {
  try {
    const answer = await fetch("/command/" + command, {
      method: "POST", body: JSON.stringify(words), headers: { "Content-Type": "application/json" },
      signal: AbortSignal.timeout(40000),
    });
    const told = await answer.json();
    part("said").textContent = told.said ?? told.error ?? "";
    return answer.ok;
  } catch {
    part("said").textContent = "not connected: the command did not arrive";
    return false;
  }
}

// The state is pushed whenever it changes.
function connect() {
  socket = new WebSocket(`ws://${location.host}/ws`);
  let told = Date.now();
  const watch = setInterval(() => { if (Date.now() - told > 8000) socket.close(); }, 2000);
  socket.onopen = () => { if (asked++) startPicture(); };
  socket.onmessage = (message) => {
    told = Date.now();
    const found = JSON.parse(message.data);
    if (found.state) { state = found.state; show(state); }
  };
  socket.onclose = () => {
    clearInterval(watch);
    state = null;
    part("dot").className = "";
    part("proof").textContent = "not connected";
    part("numbers").textContent = "";
    showBoxes([]);
    setTimeout(connect, 1000);
  };
}

// Parts that hold what a person may be using are changed only when what they show changes.
const shown = new Map();
// What was just moved or switched keeps its place while the state on its way here may still be the one before.
const TOUCHED_MS = 1500, touched = new Map();
const touch = (input) => touched.set(input, Date.now() + TOUCHED_MS);
function changed(what, value) {
  const text = JSON.stringify(value);
  if (shown.get(what) === text) return false;
  shown.set(what, text);
  return true;
}

function show(now) {
  const measured = now.measured ?? {};
  part("dot").className = now.panic ? "stopped" : "on";
  part("proof").textContent = now.panic ? "hidden" : now.pause ? "paused" : now.proof ?? "";
  part("pause").textContent = now.pause ? "Go on" : "Pause";
  part("panic").textContent = now.panic ? "Show again" : "Hide everything";
  part("record").textContent = now.recording ? "Stop recording" : "Record";
  part("record").setAttribute("aria-pressed", Boolean(now.recording));
  const warnings = [];
  if (bare) warnings.push("As captured: real faces. Only this page shows it.");
  if (now.protect === "chosen") warnings.push("Only some are swapped: everybody else is shown BARE.");
  part("warning").hidden = !warnings.length;
  part("warning").textContent = warnings.join(" ");
  showNumbers(now, measured);
  showBoxes(now.panic || now.pause ? [] : now.people ?? []);
  if (changed("faces", [now.faces, now.ready])) showFaces(now.faces ?? [], new Set(now.ready));
  all("#faces button").forEach((button) => button.setAttribute("aria-pressed", button.dataset.face === now.wanted));
  if (changed("people", [(now.people ?? []).map(({ box, ...rest }) => rest), now.faces])) showPeople(now);
  if (changed("presets", now.presets))
    part("preset").replaceChildren(...(now.presets ?? []).map((name) => made("option", { value: name, textContent: name })));
  setValue(part("preset"), now.preset);
  part("whom").querySelector("[value=locked]").textContent = `person ${now.locked} only`;
  part("whom").querySelector("[value=locked]").hidden = now.whom !== "locked";
  setValue(part("whom"), now.whom);
  for (const input of all("input[data-command]")) {
    if (Date.now() < (touched.get(input) ?? 0)) continue;
    if (input.type === "checkbox") {
      const on = input.dataset.command === "governor" ? now.governor?.on : now[input.dataset.command];
      input.disabled = on === undefined || on === null;
      input.checked = Boolean(on);
    } else {
      input.value = now[input.dataset.command] ?? 0;
      input.parentElement.querySelector("output").textContent = Number(input.value).toFixed(2);
    }
  }
  showGovernor(now.governor);
  if (changed("log", now.log?.at(-1)?.number)) showLog(now.log ?? []);
}

function setValue(select, value) {
  if (document.activeElement !== select && value !== undefined) select.value = value;
}

function showNumbers(now, measured) {
  const latencies = Object.entries(measured.latency_ms ?? {});
  const [output, latency] = latencies.find(([, found]) => found.p50 !== undefined) ?? [];
  const fps = measured.fps?.["out " + output];
  const words = [];
  if (typeof now.face === "string") words.push(now.face);
  if (typeof fps === "number") words.push(fps.toFixed(1) + " fps");
  if (latency) words.push(latency.p50.toFixed(0) + " ms");
  part("numbers").textContent = words.join(" \u00b7 ");
  const rows = [["in", measured.fps?.in, " fps"], ["out", fps, " fps"], ["latency p50", latency?.p50, " ms"],
    ["latency p99", latency?.p99, " ms"], ["dropped", measured.counts?.dropped ?? 0, ""],
    ["held, slate", (measured.counts?.hold ?? 0) + ", " + (measured.counts?.slate ?? 0), ""]];
  if (measured.gpu) rows.push([measured.gpu.name, `${measured.gpu.used_mb} of ${measured.gpu.total_mb}`, " MB"]);
  part("health").replaceChildren(...rows.flatMap(([name, value, unit]) => [
    made("dt", { textContent: name }),
    made("dd", { textContent: (typeof value === "number" && unit ? value.toFixed(1) : value ?? "\u2013") + unit }),
  ]));
  const stages = Object.entries(measured.stages_ms ?? {}), longest = Math.max(1, ...stages.map(([, ms]) => ms));
  part("stages").replaceChildren(...stages.map(([name, ms]) => {
    const bar = made("i");
    bar.style.width = (100 * ms) / longest + "%";
    return made("div", {}, made("span", { textContent: name }), bar, made("span", { textContent: ms.toFixed(1) + " ms" }));
  }));
}

function showBoxes(people) {
  part("boxes").replaceChildren(...people.map(({ person, box: [x, y, width, height], face }) => {
    const box = made("div", {}, made("span", { textContent: `${person}: ${face ?? "bare"}` }));
    Object.assign(box.style, { left: 100 * x + "%", top: 100 * y + "%", width: 100 * width + "%", height: 100 * height + "%" });
    return box;
  }));
}

function showFaces(names, ready) {
  const had = document.activeElement?.dataset?.face;
  part("faces").replaceChildren(...names.map((name) => {
    const picture = made("img", { src: "/faces/" + encodeURIComponent(name) + ".jpg", alt: "", loading: "lazy", width: 76, height: 76 });
    const button = made("button", { className: ready.has(name) ? "ready" : "", title: name }, picture, name);
    button.dataset.face = name;
    button.addEventListener("click", () => send("face", name));
    return button;
  }));
  const file = made("input", { type: "file", accept: "image/*", id: "file" });
  file.addEventListener("change", () => { if (file.files[0]) add(file.files[0]); file.value = ""; });
  part("faces").append(made("label", {}, made("b", { textContent: "+" }), "Add", file));
  if (had) all("#faces button").find((button) => button.dataset.face === had)?.focus();
}

function showPeople(now) {
  part("people").replaceChildren(...(now.people ?? []).map(({ person, face, own }) => {
    const choice = made("select", { ariaLabel: `Face of person ${person}` },
      made("option", { value: "auto", textContent: "as everybody" }),
      ...now.faces.map((name) => made("option", { value: name, textContent: name })));
    choice.value = own ? face : "auto";
    choice.addEventListener("change", () => send("person-face", String(person), choice.value));
    const lock = made("button", { textContent: "Only" , title: `Swap person ${person} only` });
    lock.addEventListener("click", () => fewer(["lock", String(person)]));
    return made("li", {}, made("span", { textContent: String(person) }), choice, lock);
  }));
  if (!now.people?.length) part("people").append(made("li", { className: "quiet", textContent: "nobody" }));
}

function showGovernor(governor) {
  const words = part("governor-words");
  words.textContent = !governor ? "nothing to govern" : !governor.on ? "off"
    : governor.step ? governor.words : `everything is done (budget ${governor.budget_ms} ms)`;
  words.className = governor?.on && governor.step ? "saving" : "";
}

function showLog(lines) {
  const list = part("log"), atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.replaceChildren(...lines.map(({ at, level, text }) => made("li", { className: level, textContent: `${at} ${text}` })));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

// Fewer people than everyone: the others are shown bare, so the person at the page has to say so.
async function fewer(words) {
  part("asking-words").textContent =
    "Everybody who is not chosen will be shown BARE, with the real face, to all who watch. Is that what you want?";
  part("asking").returnValue = "";
  part("asking").showModal();
  await new Promise((done) => part("asking").addEventListener("close", done, { once: true }));
  if (part("asking").returnValue === "yes") await send(...words, "others-bare");
  part("whom").blur();
  if (state) show(state);
}

part("whom").addEventListener("change", () => {
  const who = part("whom").value;
  if (who === "everyone") send("people", who);
  else if (who !== "locked") fewer(["people", who]);
  part("whom").blur();
});
part("preset").addEventListener("change", () => { send("preset", part("preset").value); part("preset").blur(); });
for (const input of all("input[type=range]")) {
  input.addEventListener("input", () => { touch(input); input.parentElement.querySelector("output").textContent = Number(input.value).toFixed(2); });
  input.addEventListener("change", () => send(input.dataset.command, input.value));
}
for (const input of all("input[type=checkbox][data-command]"))
  input.addEventListener("change", () => { touch(input); send(input.dataset.command, input.checked ? "on" : "off"); });
for (const button of all("button[data-command]")) button.addEventListener("click", () => send(button.dataset.command));

// Keys, as in the terminal, unless something is being written or chosen; space also works what has the focus.
const KEYS = { n: ["next-face"], b: ["previous-face"], p: ["panic"], " ": ["pause"] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=range], [type=checkbox]), select, textarea")) return;
  if (event.key === " " && event.target.closest("button, a, input, [tabindex]")) return;
  const words = /^[1-9]$/.test(event.key) ? ["face", event.key] : KEYS[event.key.toLowerCase()];
  if (words) { event.preventDefault(); send(...words); }
});

// A photo that was dropped or chosen: whose face it is has to be said before anything is sent.
let photo = null;
function add(file) {
  photo = file;
  part("adding-error").textContent = "";
  part("adding-name").value = file.name.replace(/\.[^.]*$/, "").slice(0, 40);
  const old = part("adding-photo").src;
  part("adding-photo").src = URL.createObjectURL(file);
  if (old) URL.revokeObjectURL(old);
  part("adding").showModal();
}
for (const radio of all("[name=whose]"))
  radio.addEventListener("change", () => {
    part("adding-consent").disabled = radio.value !== "other";
    part("adding-consent").required = radio.value === "other";
  });
part("adding-no").addEventListener("click", () => part("adding").close());
part("adding").querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const whose = document.querySelector("[name=whose]:checked").value;
  const consent = whose === "self" ? "self" : part("adding-consent").value;
  const about = new URLSearchParams({ name: part("adding-name").value, consent });
  part("adding-yes").disabled = true;
  part("adding-error").textContent = "adding";
  try {
    const kind = photo.type.startsWith("image/") ? photo.type : "image/unknown";
    const answer = await fetch("/faces?" + about, { method: "POST", body: photo, headers: { "Content-Type": kind } });
    const told = await answer.json();
    if (answer.ok) part("adding").close();
    part(answer.ok ? "said" : "adding-error").textContent = told.said ?? told.error;
  } catch {
    part("adding-error").textContent = "not connected: the photo did not arrive";
  }
  part("adding-yes").disabled = false;
});
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer.files[0]) add(event.dataTransfer.files[0]);
});

connect();
