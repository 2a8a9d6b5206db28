// The start of every component: its element in the visitor's language, and the configuration from Python.
import { finder } from "../../../engine/export/lib/dom.js";
import { pickLanguage, readersLanguages } from "../../../engine/export/lib/format.js";

/**
 * @typedef {object} Gradio what a gr.HTML passes to its script
 * @property {HTMLElement} element
 * @property {Record<string, any>} props `props.value` is the component's value
 * @property {(name: string, onChange: () => void) => void} watch
 * @property {() => void} submit sends the changed value to the server
 */

/**
 * @typedef {Gradio & {
 *   language: string, config: any, $: (selector: string) => any, $$: (selector: string) => any[]
 * }} Component `config` is what the component's Python passes, in this language
 */

/**
 * Select the visitor's language and replace the markup by that language's; Gradio renders the English one.
 * @param {Gradio} gradio
 * @param {Record<string, any>} languages the configuration and markup for each language
 * @returns {Component}
 */
export function createComponent(gradio, languages) {
  const language = pickLanguage(languages, readersLanguages());
  const config = languages[language];
  if (language !== "en") gradio.element.innerHTML = config.markup;
  return { ...gradio, language, config, ...finder(gradio.element) };
}

export const isDark = () => document.body.classList.contains("dark");
export const shade = () => (isDark() ? "dark" : "light");
