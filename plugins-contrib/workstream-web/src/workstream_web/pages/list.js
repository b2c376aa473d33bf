// The list of plans: what the form asks for, kept up to date.
"use strict";

(() => {
  const { make, lasted, seen } = workstreamTimeline;
  const { by, moment, clock, badge, draw, follow, order, controls } = workstreamPage;
  const form = by("search");
  let close = () => {};

  const row = (plan) => {
    const name = make("a", { href: `/plans/${plan.id}`, textContent: seen(plan.name) });
    const began = moment(plan.started), ended = moment(plan.ended);
    return make("tr", {},
      make("td", {}, badge(make("span"), plan)), make("td", {}, name),
      make("td", {}, make("code", { textContent: plan.short_id })),
      make("td", { textContent: clock(plan.submitted) }),
      make("td", { textContent: began !== null && ended !== null ? lasted(ended - began) : "" }));
  };

  const show = ({ plans, more, counts, frozen }) => {
    draw("plans", plans, (found) => found.map(row));
    by("none").hidden = plans.length > 0;
    const words = Object.entries(counts).map(([outcome, count]) => `${count.toLocaleString("en")} ${outcome}`);
    by("counts").textContent = words.join(", ") + (more ? `. The newest ${plans.length} are shown.` : "");
    by("frozen").hidden = !frozen;
    if (frozen) by("frozen").textContent = seen(`Frozen since ${clock(frozen.at)} by ${frozen.by}: ${frozen.reason}`);
  };

  const asked = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
  const restart = () => {
    close();
    const query = asked().toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    close = follow(() => `/api/plans?${query}`, { plans: show });
  };
  let due = 0;
  form.addEventListener("input", () => { clearTimeout(due); due = setTimeout(restart, 250); });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const [name, value] of new URLSearchParams(location.search)) {
    const input = form.elements.namedItem(name);
    if (input) input.value = value;
  }
  restart();
  controls(() => ({
    "Freeze all plans": () => order("Freeze all plans", "Freeze", "/api/freeze"),
    Unfreeze: () => order("Let the plans go on", "Unfreeze", "/api/unfreeze"),
  }));
})();
