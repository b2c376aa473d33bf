// What all pages need: texts of strangers as text, a stream of events, and the dialogs of
// those who have a token.
"use strict";

const workstreamPage = (() => {
  const { make, seen } = workstreamTimeline;
  const by = (id) => document.getElementById(id);

  // Times come as milliseconds, or in ISO 8601.
  const moment = (time) => (typeof time === "number" || time == null ? time ?? null : Date.parse(time));
  const clock = (time) => (moment(time) === null ? "" : `${new Date(moment(time)).toISOString().slice(0, 19).replace("T", " ")} UTC`);

  const badge = (element, plan) => {
    const kind = plan.crashed ? "crashed" : plan.outcome === "completed with failures" ? "tolerated" : plan.status.toLowerCase();
    element.className = `badge ${kind}`;
    element.textContent = seen(plan.words);
    return element;
  };

  // Draw a part of the page again, only when what it shows has changed: whoever reads or
  // types there is not disturbed.
  const drawn = new Map();
  const draw = (id, data, render) => {
    const text = JSON.stringify(data);
    if (drawn.get(id) === text) return;
    drawn.set(id, text);
    by(id).replaceChildren(...render(data));
  };

  // Follow a stream. A tab that nobody sees does not: a browser opens few connections.
  const follow = (urlAfter, handlers) => {
    const line = by("line");
    let source = null, last = null, over = false;
    const say = (text, lost) => { line.textContent = text; line.classList.toggle("lost", lost); };
    const close = () => { source?.close(); source = null; };
    const open = () => {
      if (source || over) return;
      const here = source = new EventSource(urlAfter(last));
      here.onopen = () => say("Live.", false);
      here.onerror = () => {
        say("The connection is lost. Trying again.", true);
        if (here.readyState !== EventSource.CLOSED || source !== here) return;
        source = null;
        setTimeout(open, 3000);
      };
      for (const [name, handle] of Object.entries(handlers)) here.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handle(JSON.parse(event.data));
      });
      here.addEventListener("over", () => { over = true; close(); say("It has ended.", false); });
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    if (!document.hidden) open();
    return close;
  };

  // -- Control ------------------------------------------------------------------------

  const TOKEN = "workstream-token";
  const token = () => sessionStorage.getItem(TOKEN) ?? "";
  const ask = async (url, body, withToken = token()) => {
    const headers = { Authorization: `Bearer ${withToken}` };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(url, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    return data;
  };

  const field = (name, label, properties = {}) => {
    const kind = properties.options ? "select" : properties.rows ? "textarea" : "input";
    const input = make(kind, { name, autocomplete: "off" });
    const { options, ...rest } = properties;
    for (const each of options ?? []) {
      const [value, text] = Array.isArray(each) ? each : [each, each];
      input.append(make("option", { value, textContent: seen(text) }));
    }
    for (const [key, value] of Object.entries(rest)) input[key] = value;
    const check = input.type === "checkbox";
    return make("label", { className: check ? "check" : "" }, ...(check ? [input, label] : [label, input]));
  };

  // Ask for some fields; `act` gets them, and may throw what is wrong with them. With a
  // `preview`, its text is shown first, and must be that of the fields as they are.
  const dialog = (title, fields, verb, act, preview = null) => {
    const wrong = make("p", { className: "wrong", role: "alert" });
    const leave = make("button", { type: "button", textContent: "Leave it" });
    const submit = make("button", { type: "submit", textContent: preview ? "Preview" : verb });
    const shown = make("pre", { className: "preview", tabIndex: 0, role: "region", hidden: true, "aria-label": "What it would do" });
    const form = make("form", {}, make("h2", { id: "dialog-title", textContent: title }), ...fields, shown, wrong,
      make("div", { className: "tools" }, leave, submit));
    let previewed = "";
    const box = make("dialog", { "aria-labelledby": "dialog-title" }, form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = {};
      for (const input of form.elements) if (input.name) {
        if (input.type === "checkbox") values[input.name] = input.checked;
        else if (input.type === "number") { if (input.value) values[input.name] = Number(input.value); }
        else if (input.value || !input.dataset.optional) values[input.name] = input.value;
      }
      wrong.textContent = "";
      submit.disabled = true; // or a second press would ask twice
      try {
        const asked = JSON.stringify(values);
        if (preview && previewed !== asked) {
          shown.hidden = false;
          shown.textContent = "Asking what it would do.";
          shown.textContent = seen(await preview(values));
          previewed = asked;
          submit.textContent = verb;
          shown.focus();
        } else {
          await act(values);
          box.close();
        }
      } catch (error) { shown.hidden = true; wrong.textContent = seen(String(error.message)); }
      submit.disabled = false;
    });
    form.addEventListener("input", () => {
      if (!preview) return;
      previewed = "";
      shown.hidden = true;
      submit.textContent = "Preview";
    });
    leave.addEventListener("click", () => box.close());
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
  };

  const order = (title, verb, url, fields = []) =>
    dialog(title, [...fields, field("reason", "Why, for those who look later", { required: true })], verb, async (values) => {
      const { done } = await ask(url, values);
      by("line").textContent = `${verb}: ${seen(done)}.`;
    });

  // The same of what makes a plan: its preview comes first, and the new plan's page after.
  const sequel = (title, verb, url, fields = []) =>
    dialog(title, [...fields, field("reason", "Why, for those who look later", { required: true })], verb,
      async (values) => location.assign(`/plans/${(await ask(url, values)).plan}`),
      async (values) => (await ask(url, { ...values, dry_run: true })).preview);

  // The buttons of somebody who has a token, by their text; for others, where to give one.
  const controls = async (buttonsNow) => {
    const show = async () => {
      const buttons = buttonsNow();
      const who = await ask("/api/who");
      if (!who.tokens) return;
      const button = (text, act) => {
        const made = make("button", { type: "button", textContent: text });
        made.addEventListener("click", act);
        return made;
      };
      if (who.name === null) {
        by("controls").replaceChildren(button("Take control", () => dialog("Take control", [
          field("token", "Your token", { type: "password", required: true }),
        ], "Take control", async (values) => {
          const found = await ask("/api/who", null, values.token);
          if (found.name === null) throw new Error("That is no token of this server's.");
          sessionStorage.setItem(TOKEN, values.token);
          await show();
        })));
        return;
      }
      by("controls").replaceChildren(
        ...Object.entries(buttons).map(([text, act]) => button(text, act)),
        make("output", { textContent: `as ${seen(who.name)}` }),
        button("Give up control", () => { sessionStorage.removeItem(TOKEN); show(); }),
      );
    };
    await show();
    return show; // again, when other buttons are of use
  };

  return { by, moment, clock, badge, draw, follow, field, order, sequel, controls };
})();
