// Two tabs of one campaign tell each other what they did, so that neither asks for an image the other has answered.
export class Tabs extends EventTarget {
  constructor(owner) {
    super();
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(`askwell:${owner}`) : null;
    this.channel?.addEventListener("message", ({ data }) => this.dispatchEvent(new CustomEvent(data.type, { detail: data })));
  }

  tell(message) {
    this.channel?.postMessage(message);
  }
}
