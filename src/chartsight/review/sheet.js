"use strict";
// One reviewer's sheet. State is a plain object, saved after every change as a draft (localStorage) and, when asked, as
// a file. Two phases: all items blind, then, with those ratings locked, the gold answers. Text is only ever set as text.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const films = JSON.parse(document.getElementById("films").textContent);
  const form = content.form;
  const draftKey = `chartsight-review:${content.sheet_id}`;
  const work = document.getElementById("work");
  const notice = document.getElementById("notice");
  const places = content.items;
  const judged = places.filter((item) => !item.again); // gold is asked once, not again at a repeat
  let state = newState();
  let canKeep = true; // whether this browser keeps a draft
  let isSaved = true; // whether the last file holds everything
  let undone = []; // changes of this sitting, newest last
  let showsList = false;
  let current = 0; // the field that digits answer
  let shownAt = Date.now();
  let view = null;

  function newState() {
    return {
      schema_version: content.schema_version, kind: "chartsight-review", sheet_id: content.sheet_id,
      rater: content.rater, phase: "blind", at: 1, items: {},
    };
  }

  // ------------------------------------------------------------------------------------------------------- ratings

  function ratings(item) {
    if (!state.items[item.n]) state.items[item.n] = { answers: {}, seconds: 0 };
    return state.items[item.n];
  }

  // Every field of an item in the order of the form: {field, letter or null, legend}.
  function fieldsOf(item) {
    const fields = form.before.map((field) => ({ field, letter: null }));
    for (const { letter } of item.answers) for (const field of form.of_answers) fields.push({ field, letter });
    for (const field of form.after) {
      if (field.name !== "preference") fields.push({ field, letter: null });
      else if (item.answers.length > 1) {
        const letters = item.answers.map(({ letter }) => ({ code: letter, words: letter }));
        fields.push({ field: { ...field, options: [...letters, ...field.options] }, letter: null });
      }
    }
    return fields;
  }

  function read(item, { field, letter }) {
    const own = state.items[item.n] || { answers: {} };
    const holder = letter ? own.answers[letter] || {} : own;
    return holder[field.name] === undefined ? (field.many ? [] : null) : holder[field.name];
  }

  function write(item, place, value) {
    const own = ratings(item);
    const holder = place.letter ? (own.answers[place.letter] = own.answers[place.letter] || {}) : own;
    if (value === null) delete holder[place.field.name];
    else holder[place.field.name] = value;
    isSaved = false;
    keep();
  }

  function change(item, place, value) {
    undone.push({ n: item.n, place, before: read(item, place) });
    write(item, place, value);
    refresh();
  }

  function missing(item) {
    if (state.phase !== "blind") return read(item, { field: form.gold, letter: null }) ? [] : [0];
    const fields = fieldsOf(item);
    return fields.map((place, index) => (place.field.many || read(item, place) ? -1 : index)).filter((each) => each >= 0);
  }

  const todo = () => (state.phase === "blind" ? places : judged);
  const isDone = (item) => missing(item).length === 0;
  const isBegun = (item) => Boolean(state.items[item.n] && Object.keys(state.items[item.n]).length > 2) ||
    Boolean(state.items[item.n] && Object.keys(state.items[item.n].answers).length);
  const place = () => places.find((item) => item.n === state.at) || todo()[0];

  // --------------------------------------------------------------------------------------------- keeping and saving

  function keep() {
    try {
      localStorage.setItem(draftKey, JSON.stringify(state));
    } catch {
      if (canKeep) say("This browser keeps no draft: save to a file before you close the page.");
      canKeep = false;
    }
  }

  function restore() {
    try {
      const text = localStorage.getItem(draftKey);
      if (text && accept(JSON.parse(text))) say("Your draft is back.");
    } catch {
      canKeep = false;
      say("This browser keeps no draft: save to a file before you close the page.");
    }
  }

  function accept(saved) {
    if (!saved || saved.kind !== "chartsight-review" || saved.sheet_id !== content.sheet_id) return false;
    if (!saved.items || !["blind", "reveal"].includes(saved.phase)) return false;
    state = { ...newState(), phase: saved.phase, at: saved.at, items: saved.items };
    return true;
  }

  function save() {
    clock();
    const text = JSON.stringify({ ...state, saved: new Date().toISOString().slice(0, 19) + "Z" }, null, 1) + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `ratings-${content.rater}-${content.sheet_id}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    isSaved = true;
    say(`Saved as ${link.download}, among your downloads.`);
    refresh();
  }

  async function load(file) {
    let saved = null;
    try { saved = JSON.parse(await file.text()); } catch { /* said below */ }
    if (!accept(saved)) return say("That file holds no ratings of this sheet.");
    undone = [];
    keep();
    draw();
    say("The ratings of that file are here now.");
  }

  function clock() {
    const seconds = Math.min((Date.now() - shownAt) / 1000, 600); // a longer pause is no reading
    shownAt = Date.now();
    if (!showsList && document.visibilityState === "visible" && state.items[state.at]) {
      state.items[state.at].seconds = Math.round(((state.items[state.at].seconds || 0) + seconds) * 10) / 10;
    }
  }

  function say(words) { notice.textContent = words; }

  // ------------------------------------------------------------------------------------------------------ drawing

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  const newView = () => ({ zoom: 1, x: 0, y: 0, level: 1, window: 1, invert: false });
  const key = (text) => make("kbd", { "aria-hidden": "true" }, text);

  function draw() {
    work.replaceChildren();
    work.classList.toggle("wide", showsList || !form.before.some((field) => field.about_film));
    if (showsList) drawList();
    else if (state.phase === "blind") drawBlind(place());
    else drawReveal(place());
    refresh();
    window.scrollTo(0, 0);
  }

  function drawFilm(item) {
    if (!item.film) return null;
    view = newView();
    const image = make("img", {
      src: `data:image/jpeg;base64,${films[item.film]}`, draggable: "false",
      alt: `Film of item ${item.n}${item.view ? `, ${item.view} view` : ""}`,
    });
    const glass = make("div", { class: "glass", title: "Drag to move, wheel to zoom, shift and drag for window and level" }, image);
    glass.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15); }, { passive: false });
    let from = null;
    glass.addEventListener("pointerdown", (event) => { from = event; glass.setPointerCapture(event.pointerId); });
    glass.addEventListener("pointerup", () => { from = null; });
    glass.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
      if (event.shiftKey) adjust(dx / 300, -dy / 300);
      else { view.x += dx; view.y += dy; look(); }
      from = event;
    });
    const tool = (words, label, act) => make("button", { type: "button", "aria-label": label, title: label, onclick: act }, words);
    const pair = (words, ...tools) => make("span", { class: "pair" }, words, ...tools);
    return make("figure", { class: "film" }, glass, make("figcaption", {},
      make("span", { class: "muted" }, item.view ? `${item.view} view` : "view not told"),
      pair("Zoom", tool(key("-"), "Zoom out", () => zoom(0.8)), tool(key("+"), "Zoom in", () => zoom(1.25))),
      pair("Light", tool(key("["), "Darker", () => adjust(0, -0.1)), tool(key("]"), "Brighter", () => adjust(0, 0.1))),
      pair("Contrast", tool(key("{"), "Less contrast", () => adjust(-0.15, 0)), tool(key("}"), "More contrast", () => adjust(0.15, 0))),
      pair("Invert", tool(key("i"), "Invert", invert)),
      pair("Reset", tool(key("0"), "Reset the film", reset))));
  }

  function invert() { if (view) { view.invert = !view.invert; look(); } }
  function reset() { if (view) { view = newView(); look(); } }
  const within = (value, low, high) => Math.min(Math.max(value, low), high);
  function zoom(by) { if (view) { view.zoom = within(view.zoom * by, 0.5, 12); look(); } }
  function adjust(window, level) {
    if (!view) return;
    view.window = within(view.window + window, 0.3, 4);
    view.level = within(view.level + level, 0.2, 3);
    look();
  }
  function look() {
    const image = work.querySelector(".glass img");
    if (!image) return;
    image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    image.style.filter = `brightness(${view.level}) contrast(${view.window}) invert(${view.invert ? 1 : 0})`;
  }

  function drawField(item, index, { field, letter }) {
    const name = `field-${index}`;
    const box = make("fieldset", { id: name, onfocusin: () => { current = index; mark(); } },
      make("legend", {}, letter ? make("span", { class: "sr" }, `${letter}: `) : "", field.legend));
    const options = make("div", { class: "options" });
    field.options.forEach(({ code, words }, number) => {
      const shortcut = field.name === "preference" ? { both: "t", neither: "x" }[code] || code.toLowerCase() : number + 1;
      options.append(make("label", { class: "option" },
        make("input", {
          type: field.many ? "checkbox" : "radio", name, value: code,
          onchange: (event) => pick(item, index, code, event.target.checked),
        }),
        make("span", {}, key(String(shortcut)), words)));
    });
    box.append(options);
    return box;
  }

  function drawBlind(item) {
    const fields = fieldsOf(item);
    const side = make("section", { "aria-labelledby": "question" },
      make("h2", { id: "question", class: "question" }, item.question));
    const boxes = fields.map((each, index) => drawField(item, index, each));
    const loose = (wanted) => boxes.filter((_, index) => !fields[index].letter && wanted(fields[index].field));
    side.append(...loose((field) => form.before.some((each) => each.name === field.name)));
    for (const { letter, text } of item.answers) {
      side.append(make("section", { class: "answer", "aria-label": `Answer ${letter}` },
        make("div", { class: "said" }, make("span", { class: "letter", "aria-hidden": "true" }, letter), make("p", {}, text)),
        ...boxes.filter((_, index) => fields[index].letter === letter)));
    }
    side.append(...loose((field) => form.after.some((each) => each.name === field.name)), drawComment(item), drawSteps(item));
    work.append(...[drawFilm(item), side].filter(Boolean));
    current = missing(item)[0] || 0;
    focus(current);
  }

  function drawComment(item) {
    const box = make("textarea", {
      id: "comment", maxlength: form.longest_comment,
      oninput: (event) => write(item, { field: { name: "comment" }, letter: null }, event.target.value || null),
    });
    box.value = read(item, { field: { name: "comment" }, letter: null }) || "";
    return make("label", { class: "comment", for: "comment" }, "Remark, if any; name no patient ", key("m"), box);
  }

  function drawSteps(item) {
    return make("div", { class: "steps" },
      make("button", { type: "button", onclick: () => step(-1) }, "Previous ", key("p")),
      make("button", { type: "button", class: "primary", id: "next", onclick: () => step(1) }, "Next ", key("n")),
      make("button", { type: "button", onclick: undo }, "Undo ", key("u")),
      make("p", { class: "muted", id: "left" }));
  }

  const wordsOf = (field, code) => (field.options.find((each) => each.code === code) || { words: code || "–" }).words;

  function drawReveal(item) {
    const sealed = JSON.parse(atob(item.sealed));
    const side = make("section", { "aria-labelledby": "question" },
      make("h2", { id: "question", class: "question" }, item.question),
      make("div", { class: "gold" }, make("h3", {}, "Gold answer"), make("p", {}, sealed.gold)));
    const gold = drawField(item, 0, { field: form.gold, letter: null });
    side.append(gold);
    for (const { letter, text } of item.answers) {
      const own = (state.items[item.n] || { answers: {} }).answers[letter] || {};
      const said = form.of_answers.filter((field) => !field.many && own[field.name])
        .map((field) => `${field.name}: ${wordsOf(field, own[field.name])}`);
      const tags = form.of_answers.find((field) => field.many);
      if (tags && (own.tags || []).length) said.push(own.tags.map((code) => wordsOf(tags, code)).join(", "));
      side.append(make("section", { class: "answer", "aria-label": `Answer ${letter}` },
        make("div", { class: "said" }, make("span", { class: "letter", "aria-hidden": "true" }, letter), make("p", {}, text)),
        make("div", { class: "rated" }, make("p", {}, `You said: ${said.join(" · ") || "nothing"}`),
          ...sealed.others.map((other) => make("p", {}, `${other.words}: ${other.said[letter]}`)))));
    }
    side.append(drawSteps(item));
    work.append(...[drawFilm(item), side].filter(Boolean));
    current = 0;
    focus(0);
  }

  function drawList() {
    const items = todo();
    const left = items.filter((item) => !isDone(item));
    const cells = make("ul", { class: "cells" });
    for (const item of items) {
      const how = isDone(item) ? "done" : isBegun(item) && state.phase === "blind" ? "begun" : "";
      cells.append(make("li", {}, make("button", {
        type: "button", class: how, onclick: () => go(item.n),
        "aria-label": `Item ${item.n}, ${how || "not begun"}`,
      }, how === "done" ? `${item.n} ✓` : String(item.n))));
    }
    const words = state.phase === "blind"
      ? left.length ? `${left.length} of ${items.length} items are not finished.` : "All items are rated. You may still change a rating; once you lock them, you see the gold answers and judge those."
      : left.length ? `${left.length} of ${items.length} gold answers are not judged.` : "All done. Save your ratings to a file and hand that in.";
    const file = make("label", { class: "file" }, "Load a saved file",
      make("input", { type: "file", accept: ".json", class: "sr", onchange: (event) => load(event.target.files[0]) }));
    const buttons = make("div", { class: "steps" });
    if (left.length) buttons.append(make("button", { type: "button", class: "primary", id: "go-on", onclick: () => go(left[0].n) }, "Go on ", key("g")));
    if (state.phase === "blind") buttons.append(make("button", { type: "button", id: "lock-button", class: left.length ? "" : "primary", onclick: askToLock }, "Lock, and see the gold answers"));
    else if (!left.length) buttons.append(make("button", { type: "button", class: "primary", onclick: save }, "Save to a file ", key("s")));
    buttons.append(file);
    work.append(make("section", { "aria-labelledby": "list-title" },
      make("h2", { id: "list-title" }, state.phase === "blind" ? "Blind phase" : "Reveal phase"),
      make("p", {}, words), cells, buttons));
    const first = work.querySelector("button.primary") || work.querySelector("button");
    first.focus();
  }

  // What changes without a new drawing: checks, the mark, progress.
  function refresh() {
    const items = todo();
    const done = items.filter(isDone).length;
    document.getElementById("progress").max = items.length;
    document.getElementById("progress").value = done;
    document.getElementById("where").textContent = showsList
      ? `${done} of ${items.length} done · ${state.phase} phase`
      : `Item ${items.indexOf(place()) + 1} of ${items.length} · ${done} done · ${state.phase} phase`;
    if (showsList) return;
    const item = place();
    const fields = state.phase === "blind" ? fieldsOf(item) : [{ field: form.gold, letter: null }];
    fields.forEach((each, index) => {
      const value = read(item, each);
      for (const input of document.querySelectorAll(`[name="field-${index}"]`)) {
        input.checked = each.field.many ? value.includes(input.value) : value === input.value;
      }
    });
    const left = missing(item).length;
    document.getElementById("left").textContent = left ? `${left} left on this item` : "item finished";
    mark();
  }

  function mark() {
    work.querySelectorAll("fieldset").forEach((box) => box.classList.toggle("current", box.id === `field-${current}`));
  }

  function focus(index) {
    const box = document.getElementById(`field-${index}`);
    if (!box) return document.getElementById("next").focus();
    current = index;
    (box.querySelector("input:checked") || box.querySelector("input")).focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
    mark();
  }

  // ------------------------------------------------------------------------------------------------------- acting

  function pick(item, index, code, isOn) {
    const each = (state.phase === "blind" ? fieldsOf(item) : [{ field: form.gold, letter: null }])[index];
    if (!each.field.many) return change(item, each, code);
    const chosen = new Set(read(item, each));
    if (isOn) chosen.add(code); else chosen.delete(code);
    change(item, each, each.field.options.map((option) => option.code).filter((option) => chosen.has(option)));
  }

  function onward() {
    const count = work.querySelectorAll("fieldset").length;
    if (current + 1 < count) focus(current + 1);
    else document.getElementById("next").focus();
  }

  function step(by) {
    const items = todo();
    const next = items.indexOf(place()) + by;
    if (next < 0) return say("This is the first item.");
    if (next >= items.length) return openList();
    go(items[next].n);
  }

  function go(n) {
    clock();
    say("");
    showsList = false;
    state.at = n;
    keep();
    draw();
  }

  function openList() { clock(); keep(); say(""); showsList = true; draw(); }

  function undo() {
    const last = undone.pop();
    if (!last) return say("There is nothing to undo.");
    const item = places.find((each) => each.n === last.n);
    write(item, last.place, last.before);
    if (showsList || state.at !== last.n) go(last.n);
    refresh();
    const fields = state.phase === "blind" ? fieldsOf(item) : [{ field: form.gold, letter: null }];
    focus(Math.max(fields.findIndex((each) => each.field.name === last.place.field.name && each.letter === last.place.letter), 0));
    say("Undone.");
  }

  function askToLock() {
    const left = places.filter((item) => !isDone(item)).length;
    document.getElementById("lock-words").textContent =
      (left ? `${left} items are not finished and stay so. ` : "") +
      "After this no rating can be changed. Save to a file first if you are not sure.";
    document.getElementById("lock").showModal();
  }

  function lock() {
    clock();
    state.phase = "reveal";
    state.at = judged[0].n;
    undone = [];
    isSaved = false;
    keep();
    go(judged[0].n);
    say("Your ratings are locked. Now: is the gold answer right?");
  }

  const KEYS = [
    ["1 – 9", "choose in the marked row and go on; several tags, then Enter"], ["Enter", "next row; at the end the next item"],
    ["a b c d", "prefer that answer"], ["t", "prefer both equally"], ["x", "prefer neither"],
    ["n p", "next and previous item"], ["g", "first item that is not finished"], ["l", "all items; the end of the blind phase"],
    ["u", "undo"], ["m", "write a remark; Escape leaves it"], ["s", "save to a file"],
    ["+ - 0", "zoom in, out, reset the film"], ["[ ]", "darker, brighter"], ["{ }", "less, more contrast"], ["i", "invert"],
  ];

  function digit(number) {
    const box = document.getElementById(`field-${current}`);
    const input = box && box.querySelectorAll("input")[number - 1];
    if (!input) return;
    if (input.type === "checkbox") { input.focus(); return pick(place(), current, input.value, !input.checked); }
    pick(place(), current, input.value, true);
    onward();
  }

  function prefer(code) {
    const item = place();
    const index = fieldsOf(item).findIndex(({ field }) => field.name === "preference");
    if (index < 0) return say("There is one answer only.");
    if (!fieldsOf(item)[index].field.options.some((option) => option.code === code)) return;
    current = index;
    pick(item, index, code, true);
    onward();
  }

  const acts = {
    "?": () => document.getElementById("help").showModal(), s: save, l: openList, u: undo,
    n: () => step(1), p: () => step(-1),
    g: () => { const next = todo().find((item) => !isDone(item)); if (next) go(next.n); else openList(); },
  };
  const itemActs = {
    m: () => { const box = document.getElementById("comment"); if (box) box.focus(); },
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "[": () => adjust(0, -0.1), "]": () => adjust(0, 0.1),
    "{": () => adjust(-0.15, 0), "}": () => adjust(0.15, 0), i: invert, 0: reset,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.tagName === "TEXTAREA") {
      if (event.key === "Escape") { event.preventDefault(); document.getElementById("next").focus(); }
      return;
    }
    const act = acts[event.key] || (!showsList && itemActs[event.key]);
    if (act) { event.preventDefault(); return act(); }
    if (showsList) return;
    if (/^[1-9]$/.test(event.key)) { event.preventDefault(); return digit(Number(event.key)); }
    if (state.phase === "blind" && "abcdtx".includes(event.key)) {
      event.preventDefault();
      return prefer({ t: "both", x: "neither" }[event.key] || event.key.toUpperCase());
    }
    if (event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); onward(); }
  });

  document.getElementById("keys").append(...KEYS.flatMap(([keys, words]) => [make("dt", {}, key(keys)), make("dd", {}, words)]));
  document.getElementById("list-button").addEventListener("click", openList);
  document.getElementById("help-button").addEventListener("click", acts["?"]);
  document.getElementById("save-button").addEventListener("click", save);
  document.getElementById("lock").addEventListener("close", (event) => { if (event.target.returnValue === "yes") lock(); });
  const theme = document.getElementById("theme-button");
  const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  nameTheme();
  window.addEventListener("beforeunload", (event) => { clock(); keep(); if (!canKeep && !isSaved) event.preventDefault(); });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") keep(); shownAt = Date.now(); });

  restore();
  if (!todo().some((item) => item.n === state.at)) state.at = todo()[0].n;
  draw();
})();
