// The camera of a phone: a button for each class, and a queue of photographs to send to the room.
import { make, on, setText } from "../../engine/export/lib/dom.js";

/** @typedef {import("./phone.js").Page} Page */

const RESEND_MS = 2000;
const QUALITIES = [0.88, 0.7, 0.5]; // of a JPEG, until it is small enough

/** A file that cannot be decoded. Its message is shown as it is; sending again would fail in the same way. */
class UnreadableError extends Error {
  isExplained = true;
  isRateLimited = false;
}

export class Camera {
  /** @type {{ name: string, file: File, jpeg?: Blob }[]} photographs to be sent, with their class */
  #queue = [];
  /** @type {Record<string, { node: any, count: any }>} */
  #buttons = {};
  #isSending = false;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
  }

  paint() {
    const { $, state, isOver, you, translate, config } = this.page;
    /** @type {string[]} */
    const classes = state && !isOver && !state.locked && state.phase !== "racing" ? state.classes : [];
    $("#camera").hidden = !classes.length && !this.#queue.length;
    if (Object.keys(this.#buttons).join("\n") !== classes.join("\n")) {
      this.#buttons = Object.fromEntries(classes.map((name) => [name, this.#button(name)]));
      $("#classes").replaceChildren(...classes.map((name) => this.#buttons[name].node));
    }
    for (const name of classes) {
      const sentCount = you.sent[name] || 0, { node, count } = this.#buttons[name];
      setText(count, translate("phone.camera.count", { sent: sentCount, all: state.counts[name].pictures }));
      node.classList.toggle("enough", sentCount >= config.fewest);
    }
  }

  /** @param {string} name of a class */
  #button(name) {
    const node = make("label", "shoot"), input = make("input"), count = make("small");
    Object.assign(input, { type: "file", accept: "image/*", multiple: true });
    input.setAttribute("capture", "environment");
    on(input, "change", () => {
      this.#queue.push(...[...input.files].map((file) => ({ name, file })));
      input.value = "";
      this.page.$("#camera-alert").textContent = "";
      this.#send();
    });
    node.append(make("span", "", `📷 ${name}`), count, input);
    return { node, count };
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    const { $, translate } = this.page, alert = $("#camera-alert");
    let done = 0, sent = 0;
    while (this.#queue.length) {
      setText($("#sending"), translate("phone.camera.sending", { n: done + 1, all: done + this.#queue.length }));
      try {
        sent += await this.#sendFirst() ? 1 : 0;
        alert.textContent = "";
      } catch (error) {
        const { isExplained, isRateLimited, message } = /** @type {any} */ (error);
        alert.textContent = isExplained ? message : translate("phone.camera.waiting");
        if (!this.page.isOver && (!isExplained || isRateLimited)) { // no network, or rate limited: it stays in the queue
          await new Promise((resolve) => { setTimeout(resolve, RESEND_MS); });
          continue;
        }
      }
      this.#queue.shift();
      done += 1;
    }
    this.#isSending = false;
    setText($("#sending"), sent ? translate("phone.camera.sent", { n: sent }) : "");
    this.page.paintSoon();
  }

  /** Send the first photograph of the queue; false where its class no longer exists. */
  async #sendFirst() {
    const first = this.#queue[0];
    first.jpeg ??= await this.#scale(first.file);
    const classIndex = this.page.state.classes.indexOf(first.name);
    if (classIndex < 0) return false;
    await this.page.post("picture", first.jpeg, "image/jpeg", { class_index: classIndex });
    return true;
  }

  // A photograph as a small upright JPEG without the file's metadata
  /** @param {File} file @returns {Promise<Blob>} */
  async #scale(file) {
    const { config, translate } = this.page, unreadable = new UnreadableError(translate("phone.camera.unread", { name: file.name }));
    let picture;
    try { picture = await createImageBitmap(file, { imageOrientation: "from-image" }); } catch { throw unreadable; }
    const scale = Math.min(1, config.side / Math.max(picture.width, picture.height)), canvas = make("canvas");
    canvas.width = Math.max(1, Math.round(scale * picture.width));
    canvas.height = Math.max(1, Math.round(scale * picture.height));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    for (const quality of QUALITIES) {
      const jpeg = await new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", quality); });
      if (jpeg && (jpeg.size <= config.bytes || quality === QUALITIES.at(-1))) return jpeg;
    }
    throw unreadable;
  }
}
