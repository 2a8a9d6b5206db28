// Helpers for DOM elements. Text is always set as text, so a visitor's input is never parsed as markup.
// Elements that a selector finds are typed `any`: which element a selector names is decided by the markup, not here.

/**
 * The one element, and all elements, that a selector finds below a root.
 * @param {ParentNode} root
 * @returns {{ $: (selector: string) => any, $$: (selector: string) => any[] }}
 */
export function finder(root) {
  return {
    $: (selector) => root.querySelector(selector),
    $$: (selector) => [...root.querySelectorAll(selector)],
  };
}

/**
 * An element with a class and a text.
 * @param {string} tag
 * @param {string} [className]
 * @param {string | number} [text]
 * @returns {any}
 */
export function make(tag, className = "", text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/**
 * An element with attributes that holds a text or other nodes.
 * @param {string} tag
 * @param {string | (Node | string)[] | null} [content]
 * @param {Record<string, unknown>} [attributes]
 * @returns {any}
 */
export function nest(tag, content = null, attributes = {}) {
  const node = setAttributes(document.createElement(tag), attributes);
  if (Array.isArray(content)) node.append(...content);
  else if (content !== null) node.textContent = content;
  return node;
}

/**
 * Set attributes; returns the element.
 * @template {Element} T
 * @param {T} node
 * @param {Record<string, unknown>} attributes
 * @returns {T}
 */
export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}

/**
 * Set a text only where it changes: screen readers repeat a live region that is set again.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Listen to an event. The target of an event is typed `any`, like the elements that a selector finds.
 * @param {EventTarget} target
 * @param {string} type
 * @param {(event: any) => void} handler
 * @param {AddEventListenerOptions} [options]
 */
export function on(target, type, handler, options) {
  target.addEventListener(type, handler, options);
}

/**
 * Show the k-th of `count` square pictures that stand side by side in one file.
 * @param {HTMLElement} node
 * @param {string} address
 * @param {number} k
 * @param {number} count
 */
export function showTile(node, address, k, count) {
  node.style.backgroundImage = `url("${address}")`;
  node.style.backgroundSize = `${100 * count}% 100%`;
  node.style.backgroundPosition = `${count > 1 ? (100 * k) / (count - 1) : 0}% 0`;
}

/**
 * Fill in the words of a page: `data-word` becomes the text, `data-label` the label of an element.
 * @param {ParentNode} root
 * @param {(key: string) => string} translate
 */
export function fillWords(root, translate) {
  const { $$ } = finder(root);
  for (const node of $$("[data-word]")) node.textContent = translate(node.dataset.word);
  for (const node of $$("[data-label]")) node.setAttribute("aria-label", translate(node.dataset.label));
}

export const prefersStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
