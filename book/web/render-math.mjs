// Renders LaTeX to HTML and MathML while the book is built, so that a page needs no JavaScript to show an equation.
// Reads one JSON object a line, {tex, display}, and answers each with one line: {html}, or {error} that says what is wrong.
import { createInterface } from "node:readline";
import katex from "katex";

// Only what carries a symbol's name into the page is trusted. KaTeX would show the rest in red, and say nothing.
const trust = ({ command }) => {
  if (command === "\\htmlData") return true;
  throw new Error(`${command} is not allowed in the book's math`);
};

const render = ({ tex, display }) =>
  katex.renderToString(tex, {
    displayMode: display,
    output: "htmlAndMathml",
    strict: (rule) => (rule === "htmlExtension" ? "ignore" : "error"),
    throwOnError: true,
    trust,
  });

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { html: render(JSON.parse(line)) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
