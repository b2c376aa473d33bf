// Shows the timeline of the plan that the page holds, deflated and in base64.
"use strict";

(async () => {
  const text = document.getElementById("workstream-report").textContent;
  const bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const { plan, crashes } = workstreamTimeline.unpack(JSON.parse(await new Response(inflated).text()));
  const timeline = workstreamTimeline.show(document.getElementById("view"), plan);
  for (const { at } of crashes) timeline.mark({ at, verb: "crash" });
})();
