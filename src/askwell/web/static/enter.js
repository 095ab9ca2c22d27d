// Asked by this page itself, the server gets the cookie that a browser keeps back on the way from another place.
const reply = await fetch("/api/state", { cache: "no-store" });
if (reply.ok) location.replace("/");
