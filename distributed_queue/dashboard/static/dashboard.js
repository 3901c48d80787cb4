/* What pages do beyond reading: live figures, keys, theme and times. Without this file they still show everything. */
(function () {
  "use strict";
  const html = document.documentElement;
  const body = document.body;
  html.classList.add("scripted");
  const root = body.dataset.root;

  // Preferences are cookies, so that the server sends the right page at once.

  function remember(name, value) {
    const seconds = 60 * 60 * 24 * 365;
    document.cookie = name + "=" + value + "; path=" + root + "/; max-age=" + seconds + "; samesite=strict";
  }

  function nextTheme() {
    const order = ["system", "light", "dark"];
    const theme = order[(order.indexOf(html.dataset.theme) + 1) % order.length];
    html.dataset.theme = theme;
    remember("dq_theme", theme);
    showPreferences();
    document.dispatchEvent(new CustomEvent("dq:theme"));
  }

  function nextZone() {
    html.dataset.zone = html.dataset.zone === "local" ? "utc" : "local";
    remember("dq_zone", html.dataset.zone);
    showPreferences();
    showTimes();
    document.dispatchEvent(new CustomEvent("dq:zone"));
  }

  function showPreferences() {
    const theme = document.querySelector('[data-do="theme"]');
    const zone = document.querySelector('[data-do="zone"]');
    if (theme) theme.textContent = { system: "System", light: "Light", dark: "Dark" }[html.dataset.theme];
    if (zone) zone.textContent = html.dataset.zone === "local" ? "Local time" : "UTC";
  }

  function showTimes() {
    const local = html.dataset.zone === "local";
    for (const each of document.querySelectorAll("time[data-at]")) {
      const text = local ? localTime(Number(each.dataset.at)) : each.getAttribute("datetime");
      each.title = text;
      if (each.dataset.exact) each.textContent = each.dataset.exact === "time" ? text.slice(11, 23) : text;
    }
  }

  function localTime(seconds) {
    const at = new Date(seconds * 1000);
    const two = (number) => String(number).padStart(2, "0");
    const day = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate());
    const time = two(at.getHours()) + ":" + two(at.getMinutes()) + ":" + two(at.getSeconds());
    return day + " " + time + "." + String(at.getMilliseconds()).padStart(3, "0");
  }

  // Live figures: one short event says that there are new ones, and the page asks for its own part of them.

  let stream = null;
  let held = false;

  function showLive(state, word) {
    const live = document.getElementById("live-state");
    if (!live) return;
    live.dataset.state = state;
    live.querySelector(".word").textContent = word;
  }

  function setHidden(id, hidden) {
    const element = document.getElementById(id);
    if (element) element.hidden = hidden;
  }

  function showProblems(sample) {
    const link = document.querySelector('nav a[data-key="o"]');
    const badge = link.querySelector(".count") || link.appendChild(document.createElement("span"));
    badge.className = "count " + sample.worst;
    badge.title = "problems";
    badge.textContent = sample.problems || "";
  }

  function listen() {
    // A browser opens few connections to one server: tabs that nobody sees need none.
    if (!body.dataset.live || stream || held || document.hidden) return;
    stream = new EventSource(body.dataset.live);
    stream.addEventListener("sample", (event) => {
      const sample = JSON.parse(event.data);
      showLive("on", "live");
      setHidden("lost", true);
      setHidden("outage", sample.up);
      showProblems(sample);
      body.dataset.up = sample.up ? "yes" : "no";
      if (!sample.up) return;
      if (document.querySelector("[data-heal]")) location.reload();
      else refresh(false);
    });
    stream.onerror = () => {
      showLive("lost", "no connection");
      setHidden("lost", false);
      if (stream && stream.readyState === EventSource.CLOSED) {
        stream = null;
        setTimeout(listen, 3000);
      }
    };
  }

  function stopListening(word) {
    if (stream) stream.close();
    stream = null;
    showLive("off", word);
  }

  function isInUse(element) {
    return element.querySelector("input:checked, details.confirm[open], input:focus, select:focus, textarea:focus") !== null;
  }

  let refreshedAt = 0;

  function refresh(asked) {
    const pause = Number(document.querySelector("[data-refresh]")?.dataset.pause || 0);
    if (!asked && Date.now() - refreshedAt < pause) return;
    refreshedAt = Date.now();
    for (const each of document.querySelectorAll("[data-refresh]")) {
      if (asked || !isInUse(each)) htmx.trigger(each, "dq:sample");
    }
    document.dispatchEvent(new CustomEvent("dq:refreshed"));
  }

  function toggleLive() {
    held = !held;
    if (held) stopListening("paused");
    else listen();
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? stopListening("not live") : listen()));
  window.addEventListener("pagehide", () => stopListening("not live"));
  window.addEventListener("pageshow", listen);
  document.addEventListener("htmx:afterSettle", showTimes);

  if (window.Idiomorph) {
    // What someone folded out stays so.
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
  }

  // Keys

  let leader = false;

  function isTyping(target) {
    return target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  function moveRow(step) {
    const links = [...document.querySelectorAll("main tbody th a, main tbody td.lead a")];
    const at = links.indexOf(document.activeElement);
    const next = links[Math.min(links.length - 1, Math.max(0, at + step))];
    if (next) next.focus();
  }

  const keys = {
    "/": () => document.getElementById("search")?.focus(),
    "?": () => document.getElementById("help")?.showModal(),
    r: () => refresh(true),
    p: toggleLive,
    j: () => moveRow(1),
    k: () => moveRow(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    if (leader) {
      leader = false;
      const link = [...document.querySelectorAll("nav [data-key]")].find((each) => each.dataset.key === event.key);
      if (link) location.assign(link.href);
      return;
    }
    if (event.key === "g") {
      leader = true;
      setTimeout(() => (leader = false), 1500);
      return;
    }
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  // Clicks

  function copy(button) {
    const text = button.parentElement.querySelector("pre").textContent;
    const tell = () => {
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text).then(tell, () => select(button));
    } else {
      select(button);
    }
  }

  function select(button) {
    // Over plain HTTP there is no clipboard: the text is marked, and Ctrl-C does the rest.
    getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
    button.textContent = "Press Ctrl-C";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    if (button.dataset.do === "theme") nextTheme();
    else if (button.dataset.do === "zone") nextZone();
    else if (button.dataset.do === "help") keys["?"]();
    else if (button.dataset.do === "copy") copy(button);
  });

  let lastBox = null;

  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.type !== "checkbox") return;
    const boxes = [...document.querySelectorAll('input[type="checkbox"][name="task"]')];
    if (box.dataset.all !== undefined) boxes.forEach((each) => (each.checked = box.checked));
    else if (event.shiftKey && lastBox) {
      const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((each) => (each.checked = box.checked));
    }
    lastBox = box;
    const count = boxes.filter((each) => each.checked).length;
    for (const each of document.querySelectorAll("[data-selected]")) each.textContent = count ? count + " selected" : "";
  });

  // A form that goes on with what the one before began; whoever wants to stop has a moment for it.
  const next = document.querySelector("form[data-go-on]");
  if (next) setTimeout(() => next.requestSubmit(), 500);

  showPreferences();
  showTimes();
  listen();
})();
