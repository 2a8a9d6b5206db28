// Loads the app's copy of plotly.js once. A Gradio component may replace `window.Plotly`; the copy loaded here is kept.

/** @type {{ plotly: any }} */
const loaded = { plotly: null };

/** The library, or null before it is loaded. */
export const loadedPlotly = () => loaded.plotly;

/**
 * Load the library; a second call returns the same copy.
 * @param {URL} address
 * @returns {Promise<any>}
 */
export async function loadPlotly(address) {
  if (loaded.plotly) return loaded.plotly;
  const page = /** @type {any} */ (window), previous = page.Plotly;
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: address.href, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  loaded.plotly = page.Plotly;
  if (previous) page.Plotly = previous;
  return loaded.plotly;
}
