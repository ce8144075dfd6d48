"use strict";
// The live parts: logs that grow, and buttons that copy. All else works without this file.
(() => {
  const MOST_ROWS = 5000;
  const log = document.getElementById("log");
  const state = document.querySelector(".live-state");

  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) break;
    button.hidden = false;
    const label = button.firstChild;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
      setTimeout(() => { label.textContent = "Copy"; }, 1500);
    });
  }

  if (!log) return;
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target) target.scrollIntoView({ block: "center" });
  else log.scrollTop = log.scrollHeight;
  if (!log.dataset.live || !window.EventSource) return;

  let number = Number(log.dataset.next || 0);
  let paused = false;
  let held = [];
  const say = (text) => { if (state) { state.hidden = false; state.textContent = text; } };

  const textOf = (spans) => {
    const text = document.createElement("span");
    text.className = "text";
    for (const [name, part] of spans) {
      const span = document.createElement("span");
      if (name) span.className = name;
      span.textContent = part;
      text.append(span);
    }
    return text;
  };
  const steps = document.getElementById("steps");
  const step = ({ at, name, word, mark, took }) => {
    const item = document.getElementById("s" + at) || document.createElement("li");
    const part = (tag, className, text) => {
      const part = document.createElement(tag);
      if (className) part.className = className;
      part.textContent = text;
      return part;
    };
    const link = item.querySelector("a") || part("a", "", name);
    if (!item.id) {
      item.id = "s" + at;
      link.href = "#b" + at;
      const after = [...steps.children].find((other) => Number(other.id.slice(1)) > at);
      steps.insertBefore(item, after || null);
    }
    item.replaceChildren(link, part("span", "mark " + mark, word), part("span", "time", took));
    document.getElementById("steps-part").hidden = false;
  };
  const row = () => { const row = document.createElement("div"); row.className = "row"; return row; };
  const builtLine = ({ at, spans }) => {
    const line = row();
    const no = document.createElement("a");
    line.id = "b" + at;
    no.className = "no";
    no.href = "#b" + at;
    no.textContent = String(number++);
    line.append(no, textOf(spans));
    return line;
  };
  const writtenLine = ({ time, exact, instance, spans }) => {
    const line = row();
    const no = document.createElement("time");
    no.className = "no";
    no.dateTime = exact;
    no.textContent = time;
    line.append(no, textOf(spans));
    if (instance) {
      const name = document.createElement("span");
      name.className = "instance";
      name.textContent = instance;
      line.append(name);
    }
    return line;
  };
  const add = (rows) => {
    if (paused) {
      held = held.concat(rows).slice(-MOST_ROWS);
      return;
    }
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.classList.remove("bare");
    const none = document.getElementById("no-lines");
    if (none) none.remove();
    log.append(...rows);
    while (log.childElementCount > MOST_ROWS) log.firstElementChild.remove();
    if (follows) log.scrollTop = log.scrollHeight;
  };

  const source = new EventSource(log.dataset.live);
  source.addEventListener("open", () => say("Live"));
  source.addEventListener("lines", (event) => add(JSON.parse(event.data).map(builtLine)));
  source.addEventListener("log", (event) => add(JSON.parse(event.data).map(writtenLine)));
  source.addEventListener("steps", (event) => { if (steps) JSON.parse(event.data).forEach(step); });
  source.addEventListener("again", (event) => {
    log.replaceChildren();
    if (steps) steps.replaceChildren();
    number = 1;
    add(JSON.parse(event.data).map(builtLine));
  });
  source.addEventListener("end", () => {
    source.close();
    say("Ended");
    // The outcome is on the page that the server makes.
    if (log.dataset.next) location.reload();
  });
  source.addEventListener("down", (event) => { source.close(); say(event.data); });
  source.addEventListener("error", () => {
    say(source.readyState === EventSource.CLOSED ? "Not live any more: load the page again" : "Connecting…");
  });

  const pause = document.getElementById("pause");
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Go on" : "Pause";
      if (!paused) {
        const rows = held;
        held = [];
        add(rows);
      }
    });
  }
})();
