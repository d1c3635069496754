// Result tables: a button in each column head sorts the rows. Without this file they stand in the book's order.

for (const table of document.querySelectorAll("table.results")) {
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("th.sortable")];

  const valueOf = (row, column) => row.cells[column].dataset.value;
  const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  const sort = (column, falling) => {
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (x === "" || y === "") return (x === "") - (y === ""); // what nobody has published stands last
      return falling ? compare(y, x) : compare(x, y);
    });
    body.append(...rows);
  };

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `${head.dataset.title}: sort`);
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const falling = before ? before === "ascending" : head.classList.contains("number"); // the best stands first
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      sort(Number(head.dataset.column), falling);
    });
  }
}
