// One plan, as it runs: begun with the plan as it was, kept up to date by what changes.
"use strict";

(async () => {
  const { make, lasted, seen, unpack, show, wordsOf } = workstreamTimeline;
  const { by, moment, clock, badge, draw, follow, field, order, sequel, controls } = workstreamPage;
  const answer = await fetch(`/api${location.pathname}`);
  if (!answer.ok) {
    by("outcome").textContent = "no such plan";
    by("line").textContent = seen((await answer.json()).error);
    return;
  }
  const data = unpack(await answer.json());
  const timeline = show(by("view"), data.plan);
  const api = `/api/plans/${data.summary.plan.id}`;
  let latest = data.summary, ahead = 0;
  const told = new Map();
  const isOver = () => ["COMPLETED", "FAILED", "STOPPED"].includes(latest.plan.status);
  let hasEnded = isOver(), drawControls = () => {};

  const ORDER = ["COMPLETED", "SKIPPED", "FAILED", "STOPPED", "RUNNING", "NOT_STARTED"];
  const bar = (section) => {
    const of = (tag, properties) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
      return element;
    };
    const drawing = of("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    let x = 0;
    for (const status of ORDER) if (section.counts[status]) {
      const width = (1000 * section.counts[status]) / Math.max(section.total, 1);
      drawing.append(of("rect", { class: status.toLowerCase(), x, width, height: 10 }));
      x += width;
    }
    return drawing;
  };
  const section = (each) => make("div", { className: "count" },
    make("h3", { textContent: seen(each.label) }), bar(each),
    make("p", { textContent: `${wordsOf(each.status)}: ${each.words}` }));

  const elapsed = (since) => (since === null ? "" : lasted(Math.max(Date.now() + ahead - since, 0)));
  const runs = (each) => {
    const attempt = each.attempt > 1 ? `attempt ${each.attempt}. ` : "";
    const done = each.done == null ? "" : each.total ? `${each.done} of ${each.total}. ` : `${each.done}. `;
    const stuck = each.unresponsive ? "goes on although it was cancelled. " : "";
    return make("li", {}, make("span", { textContent: seen(each.label), title: seen(each.label) }),
      make("span", { className: "quiet", textContent: elapsed(moment(each.since)) }),
      make("span", { className: "quiet", textContent: seen(attempt + stuck + done + each.line) }));
  };

  const cause = (each) => {
    const labels = each.labels.map(seen), more = each.count - 3;
    const facts = [each.tolerated ? "tolerated" : "", each.attempts > 1 ? `${each.attempts} attempts` : ""].filter(Boolean);
    const card = make("article", { className: `cause ${each.tolerated ? "tolerated" : "failed"}` },
      make("h3", { textContent: labels.slice(0, 3).join(", ") + (more > 0 ? ` and ${more.toLocaleString("en")} more` : "") }),
      ...(facts.length ? [make("p", { className: "facts", textContent: facts.join(", ") })] : []),
      make("pre", { className: "error", textContent: seen(each.error) }));
    if (more > 0) card.append(make("details", {}, make("summary", { textContent: "The others" }),
      make("p", { className: "names", textContent: labels.slice(3).join("\n") })));
    return card;
  };

  const fact = ([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }));
  const holds = (summary) => [
    ...summary.plan.held.map((hold) => `${wordsOf(hold.verb)} since ${clock(hold.at)} by ${hold.by}${hold.reason ? `: ${hold.reason}` : ""}`),
    ...(summary.frozen ? [`the store is frozen since ${clock(summary.frozen.at)} by ${summary.frozen.by}: ${summary.frozen.reason}`] : []),
    ...summary.requests.map((asked) => `${asked.by} asks: ${asked.verb.replace("_", " ")} ${asked.path}`),
    ...summary.waits.map((wait) => `${wait.label} ${wait.why}`),
  ];

  const draws = () => {
    const { plan } = latest;
    badge(by("outcome"), plan);
    by("name").textContent = seen(plan.name);
    document.title = seen(`${plan.name}: ${plan.words}`);
    by("about").hidden = !plan.description;
    by("about").textContent = seen(plan.description);
    const began = moment(plan.started), ended = moment(plan.ended);
    draw("facts", [
      ["Plan", plan.short_id], ["Submitted", clock(plan.submitted)], ["Started", clock(plan.started)],
      ["Ended", clock(plan.ended)], ["Took", began !== null && ended !== null ? lasted(ended - began) : ""],
      ["Submitted by", seen(data.plan.submitter ?? "")], ["Full id", plan.id],
    ].filter(([, value]) => value), (facts) => facts.map(fact));
    draw("held", holds(latest), (lines) => lines.map((line) => make("p", { textContent: seen(line) })));
    draw("sections", latest.sections, (sections) => sections.map(section));
    by("bad").hidden = !latest.failed.length;
    by("failed").textContent = latest.failed_count === 1 ? "1 failure" : `${latest.failed_count.toLocaleString("en")} failures`;
    draw("failures", latest.failed, (found) => found.map(cause));
    by("who").hidden = !told.size;
    draw("told", [...told.values()], (lines) => lines.map((each) => make("li", {},
      make("time", { textContent: `${clock(each.at)} ` }), seen(each.words))));
    beats();
    if (isOver() !== hasEnded) { hasEnded = isOver(); drawControls(); }
  };
  // What moves by itself: elapsed times, and the end of the timeline.
  const beats = () => {
    const moves = latest.plan.status === "RUNNING" && !latest.plan.crashed;
    by("now").hidden = !moves || !latest.running.length;
    if (!moves) return;
    const more = latest.running_count - latest.running.length;
    by("running").replaceChildren(make("ul", { className: "running-list" }, ...latest.running.map(runs)),
      ...(more > 0 ? [make("p", { className: "hint", textContent: `and ${more.toLocaleString("en")} more` })] : []));
    if (latest.plan.status === "RUNNING") timeline.tick(Date.now() + ahead);
  };
  const hear = (lines) => {
    for (const each of lines) told.set(`${each.at} ${each.words}`, each);
    lines.forEach(timeline.mark);
  };
  const news = ({ changes, told: lines, ...summary }) => {
    latest = summary;
    ahead = summary.now - Date.now();
    timeline.change(changes);
    hear(lines);
    draws();
  };

  ahead = latest.now - Date.now();
  hear(data.told);
  draws();
  setInterval(beats, 1000);
  follow((last) => `${api}/events?after=${last ?? data.position}`, { news, reload: () => location.reload() });

  const object = (value = timeline.choice()) => field("path", "What, as its path ends", { required: true, value });
  const asked = () => field("path", "Which approval; empty: the only one");
  // What has limits: blocks; and groups of continuous checks, of which one says what a failure means.
  const limited = () => {
    const plan = data.plan, blocks = (plan.blocks ?? []).map((block) => [block, `${plan.name} / ${block.name}`]);
    const watched = [[plan, plan.name], ...blocks].filter(([owner]) => owner.cont_checks);
    return [...blocks.map(([, path]) => path), ...watched.map(([, path]) => `${path} / cont_checks`)];
  };
  const optional = (made) => { made.querySelector("input, select").dataset.optional = "yes"; return made; };
  const running = () => ({
    Pause: () => order("Let nothing new begin", "Pause", `${api}/pause`),
    "Go on": () => order("Let the plan go on", "Go on", `${api}/unpause`),
    Approve: () => order("Approve what the plan asks for", "Approve", `${api}/approve`, [asked()]),
    Reject: () => order("Reject what the plan asks for", "Reject", `${api}/reject`, [asked()]),
    Signal: () => order("Send a signal to an action that waits for it", "Send", `${api}/signal`, [
      object(), field("name", "Which signal", { required: true }), field("value", "Its value"),
    ]),
    Skip: () => order("Leave something out that has not begun", "Skip", `${api}/skip`, [object()]),
    Limits: () => order("Change the limits of a block", "Change", `${api}/limits`, [
      field("path", "Block, or continuous checks", { options: limited() }),
      field("concurrency", "How many sequences at once; empty: as it is", { type: "number", min: 1 }),
      optional(field("tolerated_failures", "How many may fail: 3, 10%, -1: any; empty: as it is")),
      field("max_consecutive_failures", "How many in a row make it fail, 0: any may; empty: as it is", { type: "number", min: 0 }),
      optional(field("on_failure", "What a failed continuous check means", { options: [["", "as it is"], "halt", "pause", "warn"] })),
    ]),
    Stop: () => order("Stop the plan", "Stop", `${api}/stop`, [
      field("now", "Cut what runs, too", { type: "checkbox" }), field("undo", "Take back what it has done", { type: "checkbox" }),
    ]),
  });
  const only = () => field("path", "Only these blocks and sequences, each on a line; empty: all", { rows: 2 });
  const over = () => ({
    Retry: () => sequel("Do what the plan left undone, as a new plan", "Retry", `${api}/retry`, [
      field("from_action", "Begin each sequence at the action that failed", { type: "checkbox" }), only(),
    ]),
    "Take back": () => sequel("Take back what the plan did, as a new plan", "Take back", `${api}/undo`, [only()]),
  });
  drawControls = await controls(() => (isOver() ? over() : running()));
})();
