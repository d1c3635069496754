// A plot that answers when it is pointed at. Its drawing stands there first, and stays on paper and without this file.
// Plotly is fetched once, from this site, when the first plot comes near.

const near = { rootMargin: "400px" };
const plotly = new URL("vendor/plotly-basic.min.js", document.currentScript.src).href;
const names = JSON.parse(document.currentScript.dataset.colours); // colour in the specification → CSS variable
let library;

const load = () =>
  (library ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: plotly, onload: resolve, onerror: reject });
    document.head.append(script);
  }));

class BookPlot extends HTMLElement {
  connectedCallback() {
    this.specification = this.querySelector("script").textContent;
    this.still = this.querySelector(".static-figure");
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      load().then(() => this.draw(), () => {}); // without the library the drawing stays
    }, near);
    watch.observe(this);
  }

  /** The figure in the colours that the page has now. */
  coloured() {
    const style = getComputedStyle(document.body);
    const probe = this.appendChild(document.createElement("span"));
    const text = Object.entries(names).reduce((text, [colour, variable]) => {
      probe.style.color = `var(${variable})`;
      return text.replaceAll(new RegExp(colour, "gi"), getComputedStyle(probe).color);
    }, this.specification);
    probe.remove();
    const figure = JSON.parse(text);
    figure.layout.hoverlabel = { ...figure.layout.hoverlabel, bgcolor: style.backgroundColor };
    return figure;
  }

  async draw() {
    if (!this.plot) {
      this.plot = document.createElement("div");
      this.plot.className = "live-figure";
      this.plot.setAttribute("role", "img");
      this.plot.setAttribute("aria-label", this.getAttribute("aria-label"));
    }
    const { data, layout } = this.coloured();
    const first = !this.plot.isConnected;
    if (first) {
      this.style.minHeight = `${this.still.offsetHeight}px`; // nothing below moves
      this.still.hidden = true;
      this.append(this.plot);
    }
    await Plotly.react(this.plot, data, layout, { responsive: true, displayModeBar: false, doubleClick: "reset" });
    if (!first) return;
    const redraw = () => this.draw();
    new MutationObserver(redraw).observe(document.body, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }
}
customElements.define("book-plot", BookPlot);
