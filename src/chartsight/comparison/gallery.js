"use strict";
// The items of the page: filters, a list, one item with its film and every answer. The state is the address: every
// filter stands in #items?..., so that a number of the page can lead to its items, and a link can be sent. Text is only
// ever set as text.
(() => {
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const root = document.getElementById("gallery");
  if (!root) return;
  const SVG = document.querySelector("svg.sprite").namespaceURI;
  const ROWS = 100; // rows drawn at once; a button draws more
  const facets = new Map(data.facets.map((facet) => [facet.name, facet]));
  const telling = data.facets.filter((facet) => facet.values.length > 1); // one value for all is nothing to filter by
  const models = new Map(data.models.map((model) => [model.name, model]));
  const said = new Map(); // "tuned.full" → its answers
  for (const model of data.models) {
    for (const condition of model.conditions) said.set(`${model.name}.${condition.name}`, condition);
  }
  const ids = data.ids && new Map(data.ids.map((id, place) => [id, place]));
  const WORDS = {
    right: "right", wrong: "wrong", unread: "not readable, or declined", asked: "asked", changed: "another answer",
    same: "the same answer", follow: "follows the other film", stick: "sticks to its answer",
    other: "another right answer", alike: "the same right answer",
  };
  const CODES = { u: "not readable", r: "declined", a: "abstained", f: "failed" };
  let filters = new Map();
  let found = [];
  let at = -1; // place in `found`
  let drawn = 0;

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") element.className = value;
      else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== null) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };

  // -------------------------------------------------------------------------------------------------------- filters

  const verdict = (key, item) => said.get(key).verdict[item];

  function matchesAnswer(key, wanted, item) {
    const condition = said.get(key);
    const code = condition.verdict[item];
    if (code === "-") return false;
    const isOther = condition.gold ? condition.gold[item] >= 0 && condition.gold[item] !== data.gold[item] : false;
    const isAlike = condition.gold ? condition.gold[item] === data.gold[item] : false;
    switch (wanted) {
      case "right": return code === "1";
      case "wrong": return code !== "1";
      case "unread": return code !== "1" && code !== "0";
      case "asked": return true;
      case "changed": return condition.changed ? condition.changed[item] === "1" : false;
      case "same": return condition.changed ? condition.changed[item] === "0" : true;
      case "follow": return isOther && code === "1";
      case "stick": return isOther && condition.changed[item] === "0";
      case "other": return isOther;
      case "alike": return isAlike;
      default: return false;
    }
  }

  function isRight(name, item) {
    const condition = said.get(`${name}.full`);
    return condition ? condition.verdict[item] === "1" : null;
  }

  // A function of an item for one filter; null when the page knows no such filter.
  function test(key, value) {
    if (key === "q") {
      const words = value.toLowerCase().split(/\s+/).filter(Boolean);
      return (item) => {
        const text = `${data.texts[data.question[item]]} ${data.ids ? data.ids[item] : ""}`.toLowerCase();
        return words.every((word) => text.includes(word));
      };
    }
    if (key === "film") return (item) => (value === "shown") === (data.film[item] >= 0);
    if (key === "ids") {
      const wanted = new Set(value.split(",").map((id) => (ids && ids.has(id) ? ids.get(id) : Number(id) - 1)));
      return (item) => wanted.has(item);
    }
    if (key === "differ") {
      const names = value === "any" ? [...models.keys()] : value.split(",");
      return (item) => new Set(names.map((name) => isRight(name, item)).filter((each) => each !== null)).size > 1;
    }
    if (facets.has(key)) {
      const facet = facets.get(key);
      const place = facet.values.indexOf(value);
      return (item) => facet.of[item] === place;
    }
    if (said.has(key)) return (item) => matchesAnswer(key, value, item);
    return null;
  }

  function words(key, value) {
    if (key === "q") return `“${value}”`;
    if (key === "film") return value === "shown" ? "film shown" : "film not shown";
    if (key === "ids") return `${value.split(",").length} items by id`;
    if (key === "differ") return value === "any" ? "models disagree" : `${value.split(",").map(titleOf).join(" and ")} disagree`;
    if (facets.has(key)) return `${facets.get(key).words}: ${value}`;
    const dot = key.lastIndexOf(".");
    const condition = key.slice(dot + 1);
    const under = condition === "full" ? "" : ` (${condition.replaceAll("_", " ")})`;
    return `${titleOf(key.slice(0, dot))}${under}: ${WORDS[value] || value}`;
  }

  const titleOf = (name) => (models.has(name) ? models.get(name).title : name);

  function readAddress() {
    const text = location.hash.startsWith("#items?") ? location.hash.slice("#items?".length) : "";
    filters = new Map([...new URLSearchParams(text)].filter(([key, value]) => value !== "" && key !== "at"));
    return new URLSearchParams(text).get("at");
  }

  function address(item) {
    const wanted = new URLSearchParams([...filters]);
    if (item !== undefined) wanted.set("at", data.ids ? data.ids[item] : String(item + 1));
    return `#items?${wanted}`;
  }

  function setFilter(key, value) {
    if (value === "") filters.delete(key);
    else filters.set(key, value);
    history.replaceState(null, "", address());
    apply();
  }

  function apply(atId) {
    const unknown = [];
    const tests = [];
    for (const [key, value] of filters) {
      const each = test(key, value);
      if (each) tests.push(each);
      else unknown.push(key);
    }
    found = [];
    for (let item = 0; item < data.n; item += 1) if (tests.every((each) => each(item))) found.push(item);
    found.sort((one, other) => (data.film[one] < 0) - (data.film[other] < 0) || one - other);  // with a film first
    drawn = 0;
    rows.replaceChildren();
    drawRows();
    drawChips(unknown);
    for (const control of controls) control.value = filters.get(control.dataset.key) || "";
    const wanted = atId && ids && ids.has(atId) ? ids.get(atId) : Number(atId) - 1;
    const place = atId ? found.indexOf(wanted) : -1;
    show(place >= 0 ? place : found.length ? 0 : -1, false);
  }

  // ----------------------------------------------------------------------------------------------------------- page

  const controls = [];
  function select(key, label, options) {
    const control = make("select", { "data-key": key, id: `filter-${key}`, onchange: (event) => setFilter(key, event.target.value) },
      make("option", { value: "" }, "all"), ...options.map(([value, text]) => make("option", { value }, text)));
    controls.push(control);
    return make("label", { for: `filter-${key}` }, make("span", {}, label), control);
  }

  const counted = (facet) => facet.values.map((value, place) => {
    const count = facet.of.reduce((sum, each) => sum + (each === place ? 1 : 0), 0);
    return [value, `${value} (${count.toLocaleString("en")})`];
  });

  const search = make("input", {
    type: "search", "data-key": "q", id: "filter-q", placeholder: "words of the question", autocomplete: "off",
    oninput: (event) => setFilter("q", event.target.value.trim()),
  });
  controls.push(search);
  const main = make("div", { class: "filters" },
    make("label", { for: "filter-q" }, make("span", {}, "search"), search),
    ...data.models.map((model) => select(`${model.name}.full`, model.title, [["right", "right"], ["wrong", "wrong"], ["unread", WORDS.unread]])),
    data.models.length > 1 ? select("differ", "agreement", [["any", "models disagree"]]) : "",
    ...telling.filter((facet) => ["template", "type", "kind"].includes(facet.name)).map((facet) => select(facet.name, facet.words, counted(facet))),
  );
  const more = telling.filter((facet) => !["template", "type", "kind"].includes(facet.name));
  const others = [...said].filter(([key]) => !key.endsWith(".full"));
  const further = make("details", { class: "more" }, make("summary", {}, "more filters"), make("div", { class: "filters" },
    ...more.map((facet) => select(facet.name, facet.words, counted(facet))),
    ...others.map(([key, condition]) => {
      const dot = key.lastIndexOf(".");
      const values = ["right", "wrong", "changed", "same", ...(condition.gold ? ["follow", "stick", "other", "alike"] : [])];
      return select(key, `${titleOf(key.slice(0, dot))}: ${condition.name.replaceAll("_", " ")}`, values.map((value) => [value, WORDS[value]]));
    }),
    select("film", "film", [["shown", "shown on this page"]]),
  ));
  const chips = make("p", { class: "chips", role: "status", "aria-live": "polite" });
  const rows = make("ol", { class: "rows", role: "listbox", "aria-label": "Items", tabindex: "0" });
  const moreRows = make("button", { type: "button", onclick: () => drawRows() }, "more rows");
  const detail = make("article", { class: "item", "aria-live": "polite" });
  root.replaceChildren(main, further, chips,
    make("div", { class: "panes" }, make("div", { class: "left" }, rows, moreRows), detail),
    make("p", { class: "note keys" }, "Keys, once a row or the list has the focus: ", make("kbd", {}, "j"), " ", make("kbd", {}, "k"), " or arrows next and previous, ",
      make("kbd", {}, "/"), " search, ", make("kbd", {}, "x"), " clear all filters. Every filter stands in the address."));

  function drawChips(unknown) {
    const parts = [make("strong", {}, `${found.length.toLocaleString("en")} of ${data.n.toLocaleString("en")} items`)];
    for (const [key, value] of filters) {
      parts.push(make("button", { type: "button", class: "chip", title: "remove this filter", onclick: () => setFilter(key, "") },
        unknown.includes(key) ? `${key}: no such filter` : words(key, value), make("span", { "aria-hidden": "true" }, " ×")));
    }
    if (filters.size > 1) parts.push(make("button", { type: "button", class: "chip clear", onclick: clear }, "clear all"));
    chips.replaceChildren(...parts.flatMap((part) => [part, " "]));
  }

  function clear() {
    filters.clear();
    history.replaceState(null, "", "#items?");
    apply();
  }

  const mark = (code) => {
    const right = code === "1";
    const text = code === "-" ? "" : right ? "✓" : code === "0" ? "✗" : "?";
    return make("b", { class: code === "-" ? "" : right ? "yes" : "against", title: code === "-" ? "not asked" : right ? "right" : CODES[code] || "wrong" }, text);
  };

  function drawRows() {
    for (const item of found.slice(drawn, drawn + ROWS)) {
      const place = drawn;
      rows.append(make("li", { role: "option", id: `row-${place}`, "aria-selected": "false", onclick: () => { show(place, true); rows.focus({ preventScroll: true }); } },
        make("span", { class: "marks" }, ...data.models.map((model) => mark(model.conditions[0].verdict[item]))),
        make("span", { class: "words" }, data.texts[data.question[item]]), make("span", { class: "right" }, data.texts[data.gold[item]])));
      drawn += 1;
    }
    moreRows.hidden = drawn >= found.length;
    moreRows.textContent = `${(found.length - drawn).toLocaleString("en")} more rows`;
  }

  function filmOf(item) {
    const number = data.film[item];
    if (number < 0) return make("div", { class: "nofilm" }, "film not on this page");
    const svg = document.createElementNS(SVG, "svg");
    const symbol = document.getElementById(`film-${number}`);
    svg.setAttribute("viewBox", symbol.getAttribute("viewBox"));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "chest film");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#film-${number}`);
    svg.append(use);
    return make("div", { class: "glass" }, svg);
  }

  function show(place, mayScroll) {
    rows.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    at = place;
    if (place < 0) {
      rows.removeAttribute("aria-activedescendant");
      detail.replaceChildren(make("p", { class: "muted" }, "No item fits these filters."));
      return;
    }
    while (drawn <= place && drawn < found.length) drawRows();
    const row = document.getElementById(`row-${place}`);
    row.setAttribute("aria-selected", "true");
    rows.setAttribute("aria-activedescendant", row.id);
    if (mayScroll) row.scrollIntoView({ block: "nearest" });
    const item = found[place];
    const conditions = [...new Set(data.models.flatMap((model) => model.conditions.map((each) => each.name)))]
      .filter((name) => data.models.some((model) => { const each = said.get(`${model.name}.${name}`); return each && each.verdict[item] !== "-"; }));
    const head = make("tr", {}, make("th", {}, ""), ...data.models.map((model) => make("th", { scope: "col" }, make("span", { class: `dot ${model.role}` }), model.title)));
    const body = conditions.map((name) => {
      const withGold = data.models.map((model) => said.get(`${model.name}.${name}`)).find((each) => each && each.gold && each.gold[item] >= 0);
      const label = make("th", { scope: "row", class: "condition" }, name === "full" ? "the film" : name.replaceAll("_", " "));
      if (withGold && withGold.gold[item] !== data.gold[item]) label.append(make("small", {}, `right: ${data.texts[withGold.gold[item]]}`));
      return make("tr", {}, label, ...data.models.map((model) => {
        const each = said.get(`${model.name}.${name}`);
        if (!each || each.verdict[item] === "-") return make("td", { class: "muted" }, "–");
        const isChanged = each.changed && each.changed[item] === "1";
        return make("td", { class: isChanged ? "changed" : "" }, mark(each.verdict[item]), ` ${data.texts[each.said[item]]}`);
      }));
    });
    detail.replaceChildren(
      filmOf(item),
      make("div", { class: "text" },
        make("p", { class: "question" }, data.texts[data.question[item]]),
        make("p", { class: "gold" }, "Right answer: ", make("strong", {}, data.texts[data.gold[item]])),
        make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))),
        make("p", { class: "tags" }, ...telling.map((facet) => make("button", { type: "button", class: "chip", title: "only such items", onclick: () => setFilter(facet.name, facet.values[facet.of[item]]) }, `${facet.words}: ${facet.values[facet.of[item]]}`)).flatMap((each) => [each, " "])),
        make("p", { class: "id" }, make("a", { href: address(item), title: "a link to this item" }, data.ids ? data.ids[item] : `item ${item + 1}`), ` · ${place + 1} of ${found.length.toLocaleString("en")}`),
      ));
  }

  // ----------------------------------------------------------------------------------------------------------- keys

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
    if (isTyping && event.key === "Escape") { event.target.blur(); rows.focus(); return; }
    if (isTyping || !root.contains(document.activeElement)) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step && found.length) show(Math.min(found.length - 1, Math.max(0, at + step)), true);
    else if (event.key === "/") search.focus();
    else if (event.key === "x") clear();
    else return;
    event.preventDefault();
  });

  function follow() {
    if (!location.hash.startsWith("#items")) return false;
    apply(readAddress());
    document.getElementById("items").scrollIntoView();
    rows.focus({ preventScroll: true });
    return true;
  }
  window.addEventListener("hashchange", follow);
  document.getElementById("items").hidden = false;
  if (!follow()) apply();
})();
