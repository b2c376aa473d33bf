// The timeline of a report and of a live page. It reads columns (see
// `_report/columns.py`), makes a list of rows of a plan, and draws the few that are in
// view: bars on one canvas, names in a small pool of elements that is used again and
// again. A live page tells it what changes. All text of plans goes through `textContent`.
"use strict";

const workstreamTimeline = (() => {
  const ROW = 22, AXIS = 36, SPARE = 4;
  const STATUSES = ["FAILED", "STOPPED", "RUNNING", "COMPLETED", "SKIPPED", "NOT_STARTED"];

  // -- Reading ------------------------------------------------------------------------

  const running = (numbers) => { let sum = 0; return numbers.map((each) => (sum += each)); };

  // A plan has hundreds of thousands of values, and few of them are ever looked at. So a
  // column becomes a function that gives one value of it, and nothing is made before
  // somebody asks: not an object, and not the table of a column's texts.
  const NAMES = Symbol("names"), AT = Symbol("at");
  const namesOf = (object) => object[NAMES] ?? Object.keys(object);

  const readerOf = (column, times) => {
    let read = null;
    return (index) => (read ??= reader(column, times))(index);
  };

  const reader = (column, times) => {
    if ("n" in column) return () => column.c;
    const of = {};
    if ("o" in column) of.o = objects(column, times);
    if ("l" in column) of.l = lists(column, times);
    if ("t" in column) { const numbers = running(column.t); of.t = (index) => times[numbers[index]]; }
    if ("s" in column) of.s = texts(column);
    if ("v" in column) of.v = (index) => column.v[index];
    if (!("k" in column)) return Object.values(of)[0];
    const next = {}, places = new Uint32Array(column.k.length);
    for (let index = 0; index < places.length; index++) {
      const kind = column.k[index];
      places[index] = next[kind] ?? 0;
      next[kind] = places[index] + 1;
    }
    return (index) => of[column.k[index]](places[index]);
  };

  const objects = (column, times) => {
    const shapes = column.shapes.map((shape) => shapeOf(shape.names, shape.of.map((each) => readerOf(each, times))));
    const next = shapes.map(() => 0), places = Uint32Array.from(column.o, (number) => next[number]++);
    const made = new Array(places.length); // the same object each time: a live page changes it
    return (index) => (made[index] ??= new shapes[column.o[index]](places[index]));
  };

  const shapeOf = (names, readers) => {
    const Shape = class { constructor(at) { this[AT] = at; } };
    Shape.prototype[NAMES] = names;
    names.forEach((name, number) => Object.defineProperty(Shape.prototype, name, {
      get() { return readers[number](this[AT]); },
      set(value) { Object.defineProperty(this, name, { value, writable: true }); },
    }));
    return Shape;
  };

  const lists = (column, times) => {
    const item = readerOf(column.of, times), ends = running(column.l), made = new Array(ends.length);
    return (index) => (made[index] ??= Array.from({ length: column.l[index] }, (_, each) => item(ends[index] - column.l[index] + each)));
  };

  const texts = (column) => {
    const table = [], numbers = running(column.s);
    column.rest.forEach((rest, index) => {
      const kept = column.kept[index], before = table[index - 1];
      // Python counts characters; a text here counts halves of the rare ones.
      const whole = kept && /[\ud800-\udbff]/.test(before) ? Array.from(before).slice(0, kept).join("") : before?.slice(0, kept);
      table.push(kept ? whole + rest : rest);
    });
    return (index) => table[numbers[index]];
  };

  // A document, from its columns. Times become milliseconds.
  const unpack = (columns) =>
    readerOf(columns.all, running(columns.times).map((each) => each / 1000))(0);

  // -- Rows ---------------------------------------------------------------------------

  const statusOf = (node) => node.state?.status ?? "NOT_STARTED";

  // What stands under an object. What has actions of its own is a lane, and its
  // actions are drawn on it.
  const childrenOf = (node) => {
    const found = [];
    for (const name of namesOf(node)) {
      if (name === "actions") continue; // a lane's, and many
      const value = node[name];
      if (Array.isArray(value) && ["blocks", "sequences", "batches"].includes(name))
        value.forEach((each, index) => {
          // The batches of a block are sizes, and no objects of the plan.
          if (each !== null && typeof each === "object" && !("$type" in each)) found.push([each.name || `${name} ${index + 1}`, each]);
        });
      else if (value && (Array.isArray(value.actions) || Array.isArray(value.batches)))
        found.push([name, value]);
    }
    return found;
  };

  const rowsOf = (plan) => {
    const rows = [];
    const enter = (label, node, parent, depth, path) => {
      const number = rows.length;
      rows.push({
        label, node, parent, depth, path, search: path.toLowerCase(), status: statusOf(node),
        start: node.state?.started ?? null, end: node.state?.ended ?? null,
      });
      for (const [name, child] of childrenOf(node))
        enter(name, child, number, depth + 1, `${path} / ${name}`);
    };
    for (const [name, child] of childrenOf(plan)) enter(name, child, -1, 0, name);
    return rows;
  };

  // -- The view -----------------------------------------------------------------------

  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value; else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  // A stranger's text. What would not be seen, or turn other text around, is escaped.
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  const seen = (text) => text.replace(UNSEEN, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

  const wordsOf = (status) => status.toLowerCase().replace("_", " ");

  const lasted = (milliseconds) => {
    if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
    if (milliseconds < 60000) return `${(milliseconds / 1000).toFixed(1)} s`;
    const seconds = Math.round(milliseconds / 1000), hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    return hours ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
  };

  // Draw a plan into an element.
  //
  // It gives back what a live page needs: `change` takes in objects that have changed,
  // `mark` an intervention, `tick` the time that it is; `choice` is the path of the line
  // that somebody chose.
  const show = (view, plan) => {
    const rows = rowsOf(plan), marks = [];
    let begin = 0, finish = 1, now = 0;
    // The run reaches from its begin to its end, or to now.
    const reach = () => {
      begin = plan.state?.started ?? now;
      finish = plan.state?.ended ?? now;
      if (!now) for (const row of rows) finish = Math.max(finish, row.end ?? row.start ?? 0);
      finish = Math.max(finish, begin + 1);
    };
    reach();
    let from = begin, to = finish, shown = rows.map((_, index) => index), chosen = -1, due = false;

    const search = make("input", { type: "search", placeholder: "Find a host, a step", ariaLabel: "Find by name" });
    const filter = make("select", { ariaLabel: "Only with this status" });
    const offer = () => {
      const counts = new Map(), kept = filter.value;
      for (const row of rows) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
      if (kept && !counts.has(kept)) counts.set(kept, 0);
      const options = STATUSES.filter((status) => counts.has(status)).map((status) => make("option", {
        value: status, textContent: `${wordsOf(status)} (${counts.get(status).toLocaleString("en")})`,
      }));
      filter.replaceChildren(make("option", { value: "", textContent: "every status" }), ...options);
      filter.value = kept;
    };
    const count = make("output");
    const button = (text, label, act) => {
      const made = make("button", { type: "button", textContent: text, ariaLabel: label });
      made.addEventListener("click", act);
      return made;
    };
    const canvas = make("canvas", { ariaHidden: "true" });
    const spacer = make("div", { className: "spacer", ariaHidden: "true" });
    const lanes = make("div", { className: "lanes", tabIndex: 0, role: "listbox", ariaLabel: "Timeline, one line for each sequence and check" }, spacer, canvas);
    const detail = make("div", { className: "detail", ariaLive: "polite", textContent: "Choose a line to see its actions." });
    const pool = [];

    let palette = null; // until the scheme changes
    const colours = () => {
      if (palette) return palette;
      const style = getComputedStyle(document.documentElement);
      const of = (name) => style.getPropertyValue(`--${name}`).trim();
      return palette = {
        COMPLETED: of("completed"), FAILED: of("failed"), STOPPED: of("stopped"), RUNNING: of("running"),
        SKIPPED: of("skipped"), NOT_STARTED: of("not-started"), line: of("line"), text: of("text"),
        quiet: of("quiet"), wait: of("wait"), ground: of("ground"),
      };
    };

    const segmentsOf = (node) => {
      const found = [];
      for (const action of node.actions ?? []) {
        let before = null;
        for (const attempt of action.attempts ?? []) {
          if (!attempt) continue; // it came and went between two looks
          if (before !== null) found.push([before, attempt.started, "wait"]);
          const status = attempt.interrupted ? "STOPPED" : attempt.error ? "FAILED"
            : attempt.ended == null ? "RUNNING" : "COMPLETED";
          found.push([attempt.started, attempt.ended ?? finish, status]);
          before = attempt.ended ?? null;
        }
      }
      return found;
    };

    const labelWidth = () => (window.matchMedia("(max-width: 40rem)").matches ? 8 : 15) * 16;

    const draw = () => {
      due = false;
      const width = lanes.clientWidth, height = lanes.clientHeight, ratio = window.devicePixelRatio || 1;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
        canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
      }
      const pen = canvas.getContext("2d"), left = labelWidth(), colour = colours();
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, width, height);
      const scale = (width - left - 8) / Math.max(to - from, 1e-3);
      const at = (time) => left + (time - from) * scale;
      const first = Math.max(0, Math.floor(lanes.scrollTop / ROW) - SPARE);
      const last = Math.min(shown.length, Math.ceil((lanes.scrollTop + height) / ROW) + SPARE);
      pen.save();
      pen.beginPath(); pen.rect(left, 0, width - left, height); pen.clip();
      const step = stepOf((to - from) / Math.max((width - left) / 110, 1)), ticks = [];
      for (let tick = Math.ceil((from - begin) / step) * step; tick <= to - begin; tick += step) ticks.push(tick);
      pen.fillStyle = colour.line;
      for (const tick of ticks) pen.fillRect(at(begin + tick), 0, 1, height);
      const bar = (start, end, top, tall, fill) => {
        const x = Math.max(at(start), left - 2), w = Math.min(at(end), width + 2) - x;
        if (x > width || x + w < left - 2) return;
        pen.fillStyle = fill; pen.fillRect(x, top, Math.max(w - 1, 1.5), tall); // a gap parts two bars
      };
      for (let index = first; index < last; index++) {
        const row = rows[shown[index]], top = AXIS + index * ROW - lanes.scrollTop;
        if (index % 2) { pen.globalAlpha = 0.18; pen.fillStyle = colour.wait; pen.fillRect(left, top, width, ROW); pen.globalAlpha = 1; }
        if (row.start === null) continue;
        if (row.node.actions) {
          for (const [start, end, kind] of segmentsOf(row.node))
            if (kind === "wait") bar(start, end, top + ROW / 2 - 1, 2, colour.quiet);
            else bar(start, end, top + 4, ROW - 8, colour[kind]);
        } else bar(row.start, row.end ?? finish, top + ROW / 2 - 2, 4, colour[row.status] ?? colour.quiet);
      }
      pen.fillStyle = colour.ground; pen.fillRect(left, 0, width, AXIS);
      pen.font = "12px system-ui, sans-serif"; pen.textBaseline = "middle";
      for (const tick of ticks) {
        const x = at(begin + tick);
        pen.fillStyle = colour.line; pen.fillRect(x, 0, 1, AXIS);
        pen.fillStyle = colour.quiet; pen.fillText(`+${lasted(Math.max(tick, 0))}`, x + 4, 10);
      }
      pen.fillStyle = colour.STOPPED;
      let label = null; // words that would stand on each other are one label
      const write = () => {
        if (label === null) return;
        const wide = pen.measureText(label.words).width;
        pen.fillText(label.words, label.x + 4 + wide > width ? label.x - 4 - wide : label.x + 4, AXIS - 10);
      };
      for (const mark of marks) {
        if (mark.at < from || mark.at > to) continue;
        const x = at(mark.at), words = wordsOf(String(mark.verb));
        pen.fillRect(x, 0, 2, height);
        if (label !== null && x < label.x + 12 + pen.measureText(label.words).width) { label.words += `, ${words}`; continue; }
        write();
        label = { x, words };
      }
      write();
      pen.restore();
      while (pool.length < last - first) {
        const element = make("div", { className: "row", role: "option" });
        pool.push({ element, told: "" }); lanes.append(element);
      }
      // A line keeps its element while it is in view, and most frames change few of them.
      pool.forEach((slot, place) => {
        const element = slot.element, index = first + (place - (first % pool.length) + pool.length) % pool.length;
        element.hidden = index >= last;
        if (element.hidden) { slot.told = ""; element.removeAttribute("id"); return; } // the id may be another's
        const row = rows[shown[index]], told = [index, shown[index], shown.length, row.status, shown[index] === chosen, palette.text].join();
        if (slot.told === told) return;
        slot.told = told;
        element.id = `row-${shown[index]}`;
        element.textContent = seen(row.label);
        element.title = seen(row.path);
        element.ariaSelected = String(shown[index] === chosen);
        element.ariaLabel = `${seen(row.path)}, ${wordsOf(row.status)}`;
        element.setAttribute("aria-posinset", index + 1);
        element.setAttribute("aria-setsize", shown.length);
        element.style.top = `${AXIS + index * ROW}px`;
        element.style.paddingLeft = `${0.5 + row.depth}rem`;
        element.style.color = row.status === "COMPLETED" ? "" : colour[row.status] ?? "";
        element.onclick = () => choose(index);
      });
      if (chosen >= 0) lanes.setAttribute("aria-activedescendant", `row-${chosen}`);
    };

    const stepOf = (rough) => {
      const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];
      return steps.find((each) => each >= rough) ?? Math.ceil(rough / 864e5) * 864e5;
    };

    const redraw = () => { if (!due) { due = true; requestAnimationFrame(draw); } };

    const select = () => {
      const wanted = search.value.trim().toLowerCase(), status = filter.value, kept = new Set();
      rows.forEach((row, index) => {
        if ((wanted && !row.search.includes(wanted)) || (status && row.status !== status)) return;
        for (let each = index; each >= 0 && !kept.has(each); each = rows[each].parent) kept.add(each);
      });
      shown = wanted || status ? Array.from(kept).sort((a, b) => a - b) : rows.map((_, index) => index);
      count.textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} lines`;
      spacer.style.height = `${AXIS + shown.length * ROW}px`;
      lanes.style.height = `min(60vh, ${AXIS + Math.max(rows.length, 3) * ROW + 4}px)`;
      lanes.scrollTop = Math.min(lanes.scrollTop, shown.length * ROW);
      redraw();
    };

    const choose = (index) => {
      if (!shown.length) return;
      index = Math.min(Math.max(index, 0), shown.length - 1);
      chosen = shown[index];
      const top = index * ROW;
      if (top < lanes.scrollTop) lanes.scrollTop = top;
      else if (top + ROW + AXIS > lanes.scrollTop + lanes.clientHeight) lanes.scrollTop = top + ROW + AXIS - lanes.clientHeight;
      tell(rows[chosen]);
      redraw();
    };

    // What came of one line: its actions, their attempts, what was asked and answered.
    const tell = (row) => {
      const words = wordsOf(row.status);
      detail.replaceChildren(make("h3", { textContent: `${row.path}: ${words}` }));
      for (const action of (row.node.actions ?? []).slice(0, 50)) {
        const table = make("table");
        const line = (name, value) => table.append(make("tr", {}, make("th", { scope: "row", textContent: name }), make("td", {}, value)));
        line("action", seen(`${action.name} (${action.plugin}): ${wordsOf(statusOf(action))}`));
        (action.attempts ?? []).forEach((attempt, number) => {
          if (!attempt) return;
          const took = attempt.ended == null ? "" : `, took ${lasted(attempt.ended - attempt.started)}`;
          const cut = attempt.interrupted ? ", cut short by a crash or a stop" : "";
          const pre = make("pre", { textContent: attempt.error ? seen(causes(attempt.error)) : "" });
          line(`attempt ${number + 1}`, make("div", {}, `at +${lasted(attempt.started - begin)}${took}${cut}`, ...(attempt.error ? [pre] : [])));
        });
        const answering = action.attempts?.at(-1), answer = answering?.response;
        for (const [name, value] of [["request", action.request], ["response", answer]])
          if (value != null) line(name, make("pre", { textContent: JSON.stringify(plain(value), null, 1) }));
        detail.append(table);
      }
    };

    const causes = (error) => error ? [error.message + (error.code ? ` (code ${error.code})` : ""), causes(error.wrapped)].filter(Boolean).join("\nbecause: ") : "";

    // A value whose plugin was not there is kept with what it says of its types.
    const plain = (value) => {
      if (value && value.$type === "StoredValue") return plain(value.data);
      if (value && value.$type === "dict" && Array.isArray(value.value)) return Object.fromEntries(value.value.map(([name, each]) => [name, plain(each)]));
      if (Array.isArray(value)) return value.map(plain);
      if (value && value[NAMES]) return Object.fromEntries(value[NAMES].map((name) => [name, plain(value[name])]));
      return value;
    };

    const zoom = (factor, middle = (from + to) / 2) => {
      const span = Math.max((to - from) * factor, 1e-2);
      from = Math.max(begin, middle - (middle - from) * (span / (to - from)));
      to = Math.min(finish, from + span);
      redraw();
    };
    const pan = (share) => {
      const by = Math.min(Math.max((to - from) * share, begin - from), finish - to);
      from += by; to += by;
      redraw();
    };
    const fit = () => { from = begin; to = finish; redraw(); };

    search.addEventListener("input", select);
    filter.addEventListener("change", select);
    lanes.addEventListener("scroll", redraw, { passive: true });
    lanes.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      if (event.shiftKey) { pan(Math.sign(event.deltaY || event.deltaX) * 0.1); return; }
      const box = lanes.getBoundingClientRect(), left = labelWidth();
      const share = Math.min(Math.max((event.clientX - box.left - left) / (box.width - left), 0), 1);
      zoom(event.deltaY > 0 ? 1.25 : 0.8, from + share * (to - from));
    }, { passive: false });
    lanes.addEventListener("keydown", (event) => {
      const page = Math.floor(lanes.clientHeight / ROW) - 1, here = shown.indexOf(chosen);
      const act = {
        ArrowDown: () => choose(here + 1), ArrowUp: () => choose(here - 1), PageDown: () => choose(here + page),
        PageUp: () => choose(here - page), Home: () => choose(0), End: () => choose(shown.length - 1),
        ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), "+": () => zoom(0.5), "=": () => zoom(0.5),
        "-": () => zoom(2), 0: fit,
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    new ResizeObserver(redraw).observe(lanes);
    // Paper is narrower than a screen, and nothing is drawn again on the way to it.
    window.addEventListener("beforeprint", () => { lanes.classList.add("printed"); palette = null; draw(); });
    window.addEventListener("afterprint", () => { lanes.classList.remove("printed"); palette = null; redraw(); });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette = null; redraw(); });

    const mark = (told) => {
      if (typeof told.at === "number" && !marks.some((each) => each.at === told.at && each.verb === told.verb))
        marks.push({ at: told.at, verb: told.verb });
      marks.sort((one, other) => one.at - other.at);
      redraw();
    };
    (plan.interventions ?? []).forEach(mark);

    // -- What changes while the page is open ------------------------------------------

    let byId = null, counting = 0;
    const indexed = () => {
      const found = new Map(), enter = (node) => {
        found.set(node.id, { node, row: null });
        for (const action of node.actions ?? []) found.set(action.id, { node: action, row: null });
        for (const [, child] of childrenOf(node)) enter(child);
      };
      enter(plan);
      for (const row of rows) if (row.node.id) found.get(row.node.id).row = row;
      return found;
    };
    const tick = (time) => {
      const whole = from === begin && to === finish;
      now = time;
      reach();
      if (whole) { from = begin; to = finish; }
      redraw();
    };
    const change = (changes) => {
      byId ??= indexed();
      let told = false;
      for (const each of changes) {
        const { node, row } = byId.get(each.id) ?? {};
        if (!node) continue;
        node.state = { status: each.status, started: each.started, ended: each.ended };
        if (each.attempts) {
          node.attempts = (node.attempts ?? []).slice(0, each.attempts);
          if (each.attempt) node.attempts[each.attempts - 1] = each.attempt;
        }
        if (row) {
          Object.assign(row, { status: each.status, start: each.started, end: each.ended });
          counting ||= setTimeout(recount, 500);
        }
        told ||= chosen >= 0 && (row === rows[chosen] || rows[chosen].node.actions?.includes(node));
      }
      if (told) tell(rows[chosen]);
      redraw();
    };
    const recount = () => { counting = 0; offer(); if (filter.value) select(); };

    view.replaceChildren();
    view.append(
      make("div", { className: "tools" }, search, filter,
        button("−", "zoom out", () => zoom(2)), button("+", "zoom in", () => zoom(0.5)),
        button("whole run", "show the whole run", fit), count),
      lanes,
      make("p", { className: "hint", textContent: "Up and down choose a line, left and right move in time, + and - zoom, 0 shows the whole run; or hold Ctrl and turn the wheel." }),
      detail,
    );
    view.hidden = false;
    offer();
    select();
    return { change, mark, tick, choice: () => rows[chosen]?.path ?? "" };
  };

  return { unpack, show, make, lasted, seen, wordsOf };
})();
