/*
 * The token table: hundreds of thousands of rows, of which the browser holds a window and draws those in sight.
 *
 *   0 ------ first |======= rows in hand =======| ------------------------------ total
 *                        |== in sight ==|          nearing an edge asks the page for the next window
 *
 * Positions count rows of the whole order, which the page keeps; a choice is a token id and has a position only
 * until the order changes. Cells are untrusted: they reach the page as text nodes only. Nothing here opens a connection.
 * From the top: mounting, the table (its data, scrolling, drawing, what the reader asks for), the header, a row, the DOM.
 */

const ROW = 28; // px, as in table.css
const HEAD = 32; // px, as in table.css
const TALLEST = 12_000_000; // px: browsers lose precision, then rows, in taller elements
const OVERSCAN = 12; // rows drawn above and below those in sight
const MARGIN = 40; // rows: how near the edge of the window the next one is asked for
const WAIT = { choose: 120, window: 60, answer: 2000 }; // ms
const GLYPHS = { ascending: "▲", descending: "▼", none: "" };

/* ---- Mounting: Streamlit calls this again whenever the data or the theme changes ---- */

const mounted = new WeakMap();

export default function tokenTable({ data, parentElement, setStateValue }) {
  const table = mounted.get(parentElement) ?? new TokenTable(parentElement);
  mounted.set(parentElement, table);
  const run = ++table.runs;
  table.update(data, setStateValue);
  return () => {
    if (run !== table.runs) return; // a run that was overtaken has nothing to clean up
    table.close();
    mounted.delete(parentElement);
  };
}

/* ---- The table: the window it has, where it is scrolled to, the choice ---- */

class TokenTable {
  runs = 0;
  data = { first: 0, rows: [], ids: [], total: 0 };
  size = 1; // rows in a full window
  top = 0; // px that are scrolled away, as if the scroller were as tall as all rows
  placed = 0; // the scroller's own position, which stands for `top`
  rows = []; // the drawn ones, used again and again
  chosen = null; // a token id; undefined while its row is awaited
  at = null; // the position of the choice, null where it isn't known or the filter leaves it out
  told = undefined; // the choice that the page sent last
  sent = []; // choices that the page was told and hasn't answered yet
  last = 0; // the moment of the last report

  constructor(parent) {
    this.root = make("div", "token-table");
    this.grid = make("div", "grid", { role: "grid", tabindex: 0, "aria-label": "Tokens. The arrow keys choose." });
    this.sheet = this.grid.appendChild(make("div", "sheet", { role: "presentation" }));
    this.head = new Head((column) => this.sortBy(column));
    this.body = make("div", "body", { role: "rowgroup" });
    this.layer = this.body.appendChild(make("div", "layer", { role: "presentation" }));
    this.empty = make("p", "empty", { role: "status" });
    this.place = make("span", "place");
    this.sheet.append(this.head.root, this.body);
    this.root.append(this.grid, this.empty, footer(this.place));
    this.listen();
    parent.append(this.root);
  }

  listen() {
    this.grid.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.grid.addEventListener("keydown", (event) => this.press(event));
    this.body.addEventListener("click", (event) => this.click(event));
    this.grid.addEventListener("pointerover", (event) => tellWhatIsCut(event.target));
    this.resizing = new ResizeObserver(() => this.resized());
    this.resizing.observe(this.grid);
  }

  close() {
    this.resizing.disconnect();
    for (const wait of [this.choosing, this.seeking]) clearTimeout(wait);
    this.root.remove();
  }

  update(data, report) {
    const isNewOrder = data.order !== this.data.order;
    if (JSON.stringify(data.columns) !== JSON.stringify(this.data.columns)) this.layOut(data.columns);
    this.report = report;
    this.data = data;
    this.size = Math.max(this.size, data.rows.length);
    this.asked = undefined;
    this.frame();
    this.follow(isNewOrder);
    this.draw();
    this.settle();
    this.seek();
  }

  layOut(columns) {
    const widths = columns.map(({ width, grow }) => {
      const least = `calc(${width}px * var(--shrink))`;
      return grow ? `minmax(${least}, ${grow}fr)` : least;
    });
    this.sheet.style.setProperty("--columns", widths.join(" "));
    this.sheet.style.setProperty("--least", `${columns.reduce((sum, { width }) => sum + width, 0)}px`);
    this.head.layOut(columns);
    this.rows = [];
    this.layer.replaceChildren();
  }

  frame() {
    const { columns, total, sort, empty, height } = this.data;
    this.root.style.height = `${height}px`;
    this.body.style.height = `${Math.min(total * ROW, TALLEST)}px`;
    this.grid.setAttribute("aria-rowcount", total + 1); // with the header
    this.grid.setAttribute("aria-colcount", columns.length);
    this.empty.textContent = total === 0 ? empty : "";
    this.head.mark(sort);
  }

  /* The page's word on the choice, and where it leaves the scroller: a new order shows the choice, else its top. */
  follow(isNewOrder) {
    const { chosen, chosen_at: position } = this.data;
    const isNewChoice = this.isNews(chosen) || (isNewOrder && this.chosen === undefined);
    const wasNowhere = this.at === null;
    if (isNewChoice) this.chosen = chosen;
    if (isNewChoice) clearTimeout(this.choosing);
    if (chosen === this.chosen) this.at = position;
    else if (isNewOrder) this.at = null;
    if (isNewOrder && this.at === null) this.scrollTo(0);
    else if (isNewOrder || isNewChoice || wasNowhere) this.reveal(this.at, { toMiddle: true });
    else this.scrollTo(this.top);
  }

  /* What the page sends back after the reader chose it is no news. */
  isNews(chosen) {
    if (chosen === this.told) return false;
    this.told = chosen;
    const echo = this.sent.lastIndexOf(chosen);
    this.sent.splice(0, echo + 1);
    return echo < 0;
  }

  /* ---- Scrolling: `top` is exact; the scroller's own position is it, or its share of TALLEST ---- */

  get view() {
    return Math.max(0, this.grid.clientHeight - HEAD);
  }

  get scale() {
    const [all, drawn] = [this.data.total * ROW, Math.min(this.data.total * ROW, TALLEST)];
    return drawn > this.view ? (all - this.view) / (drawn - this.view) : 1;
  }

  scrollTo(top) {
    this.top = Math.max(0, Math.min(top, this.data.total * ROW - this.view));
    this.grid.scrollTop = this.top / this.scale;
    this.placed = this.grid.scrollTop;
  }

  scrolled() {
    const { scrollTop } = this.grid;
    if (Math.abs(scrollTop - this.placed) < 1) return; // this.scrollTo did it, or it went sideways
    this.placed = scrollTop;
    this.top = scrollTop * this.scale;
    this.draw();
    this.seek();
  }

  resized() {
    if (this.view === 0) return; // in a tab that is hidden
    this.scrollTo(this.top);
    this.draw();
    this.seek();
  }

  /* No further than it takes, or to the middle where it was out of sight. */
  reveal(position, { toMiddle = false } = {}) {
    if (position === null) return this.scrollTo(this.top);
    const [above, below] = [position * ROW, (position + 1) * ROW - this.view];
    const isInSight = below <= this.top && this.top <= above;
    if (isInSight) this.scrollTo(this.top);
    else if (toMiddle) this.scrollTo(Math.round((above + below) / 2 / ROW) * ROW);
    else this.scrollTo(this.top > above ? above : below);
  }

  /* Positions from the first row that is in sight to behind the last, each at least by half. */
  inSight() {
    const { total } = this.data;
    return [this.top, this.top + this.view].map((edge) => Math.min(total, Math.round(edge / ROW)));
  }

  /* ---- Drawing ---- */

  rowAt(position) {
    const { first, rows, ids } = this.data;
    return { cells: rows[position - first], token: ids[position - first] };
  }

  draw() {
    const { total, noun } = this.data;
    const [start, stop] = this.inSight();
    const from = Math.max(0, start - OVERSCAN);
    const drawn = Math.min(total, stop + OVERSCAN) - from;
    while (this.rows.length < drawn) this.rows.push(new Row(this.data.columns));
    const rows = Array.from({ length: drawn }, (_, i) => this.drawRow(from + i));
    arrange(this.layer, rows);
    this.layer.style.transform = `translateY(${from * ROW - this.top + this.placed}px)`;
    this.pointAtChoice(from, from + drawn);
    this.place.textContent = total ? `rows ${count(start + 1)}-${count(stop)} of ${count(total)} ${noun}` : `0 ${noun}`;
  }

  drawRow(position) {
    const row = this.rows[position % this.rows.length]; // a stretch of positions takes each row once
    const { cells, token } = this.rowAt(position);
    const isChosen = cells ? token === this.chosen : position === this.at;
    row.show(position, cells, isChosen);
    return row.root;
  }

  pointAtChoice(from, to) {
    const isDrawn = this.at !== null && from <= this.at && this.at < to;
    if (isDrawn) this.grid.setAttribute("aria-activedescendant", idOf(this.at));
    else this.grid.removeAttribute("aria-activedescendant");
  }

  /* ---- What the reader asks for ---- */

  press(event) {
    const isForOthers = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !this.data.total;
    const page = Math.max(1, Math.floor(this.view / ROW) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (!step || isForOthers) return;
    event.preventDefault();
    event.stopPropagation();
    this.walk(step);
  }

  walk(step) {
    const start = this.at ?? this.inSight()[0] - Math.sign(step); // the first step leads to the first row in sight
    this.at = Math.max(0, Math.min(this.data.total - 1, start + step));
    this.chosen = this.rowAt(this.at).token;
    this.reveal(this.at);
    this.draw();
    this.seek();
    clearTimeout(this.choosing);
    this.choosing = setTimeout(() => this.reportChoice(), WAIT.choose);
  }

  click(event) {
    const position = Number(event.target.closest("[data-position]")?.dataset.position ?? NaN);
    const { token } = this.rowAt(position);
    if (token === undefined) return;
    [this.at, this.chosen] = [position, token];
    this.draw();
    this.reportChoice();
  }

  /* A choice that was made before its row was here is known now. */
  settle() {
    if (this.chosen !== undefined || this.at === null) return;
    this.chosen = this.rowAt(this.at).token;
    if (this.chosen === undefined) return;
    this.draw();
    this.reportChoice();
  }

  reportChoice() {
    clearTimeout(this.choosing);
    if (this.chosen === undefined || this.chosen === null) return; // its row is on its way
    this.sent.push(this.chosen);
    this.send("choose", this.chosen);
  }

  sortBy({ name, kind }) {
    const [sorted, descends] = this.data.sort ?? [];
    const sort = [name, name === sorted ? !descends : kind === "number"];
    this.data.sort = sort;
    this.head.mark(sort);
    this.send("sort", ...sort);
  }

  /* Looks a moment later, so that a sweep over the scroller asks for few windows; one at a time. */
  seek() {
    this.seeking ??= setTimeout(() => {
      this.seeking = undefined;
      const first = this.wanted();
      const isAsked = performance.now() - this.asked < WAIT.answer;
      if (first === this.data.first || isAsked) return;
      this.asked = performance.now();
      this.send("window", first, this.data.order);
    }, WAIT.window);
  }

  /* Where the window should start: where it does, unless a row in or near sight is missing. */
  wanted() {
    const { first, rows, total } = this.data;
    const [start, stop] = this.inSight();
    const [low, high] = [Math.max(0, start - MARGIN), Math.min(total, stop + MARGIN)];
    if (first <= low && high <= first + rows.length) return first;
    return Math.max(0, Math.min(total, Math.round((start + stop + this.size) / 2)) - this.size);
  }

  /* With the moment, so that the same again is another report. */
  send(name, ...words) {
    this.last = Math.max(this.last + 1, Date.now());
    this.report(name, [...words, this.last]);
  }
}

/* ---- The header: its buttons sort ---- */

class Head {
  constructor(sortBy) {
    this.root = make("div", "head", { role: "rowgroup" });
    this.sortBy = sortBy;
  }

  layOut(columns) {
    this.columns = columns;
    this.cells = columns.map((column) => this.cell(column));
    const row = make("div", "row", { role: "row", "aria-rowindex": 1 });
    row.append(...this.cells);
    this.root.replaceChildren(row);
  }

  cell(column) {
    const cell = make("div", `cell ${column.kind}`, { role: "columnheader" });
    const inner = cell.appendChild(make(column.sortable ? "button" : "span", "title"));
    inner.append(labelled("span", "words", column.title));
    if (!column.sortable) return cell;
    inner.append(make("span", "glyph", { "aria-hidden": true }));
    inner.type = "button";
    inner.addEventListener("click", () => this.sortBy(column));
    return cell;
  }

  mark(sort) {
    const [sorted, descends] = sort ?? [];
    this.columns.forEach(({ name, sortable }, i) => {
      if (!sortable) return;
      const direction = name !== sorted ? "none" : descends ? "descending" : "ascending";
      this.cells[i].setAttribute("aria-sort", direction);
      this.cells[i].querySelector(".glyph").textContent = GLYPHS[direction];
    });
  }
}

/* ---- One row: shows one position after another; without cells it is a calm line that keeps the place ---- */

class Row {
  constructor(columns) {
    this.root = make("div", "row", { role: "row" });
    this.elements = columns.map(({ kind }) => make("div", `cell ${kind}`, { role: "gridcell", dir: "ltr" }));
    this.root.append(...this.elements);
  }

  show(position, cells, isChosen) {
    if (position !== this.position || cells !== this.cells) this.fill(position, cells);
    this.root.classList.toggle("chosen", isChosen);
    this.root.setAttribute("aria-selected", isChosen);
  }

  fill(position, cells) {
    [this.position, this.cells] = [position, cells];
    this.root.id = idOf(position);
    this.root.dataset.position = position;
    this.root.setAttribute("aria-rowindex", position + 2); // 1-based, below the header
    this.root.classList.toggle("awaited", !cells);
    this.elements.forEach((element, i) => {
      element.textContent = cells ? cells[i] : "";
      element.removeAttribute("title");
    });
  }
}

function idOf(position) {
  return `row-${position}`;
}

/* ---- The DOM ---- */

/* Makes `elements` the children, in their order; those that stand right aren't touched. */
function arrange(parent, elements) {
  elements.forEach((element, i) => {
    if (parent.children[i] !== element) parent.insertBefore(element, parent.children[i] ?? null);
  });
  while (parent.children.length > elements.length) parent.lastChild.remove();
}

/* The whole text of a cell that is cut short, as its title. */
function tellWhatIsCut(target) {
  const cut = target.closest(".cell .words, .body .cell");
  if (cut && cut.scrollWidth > cut.clientWidth) cut.title = cut.textContent;
}

function footer(place) {
  const line = make("p", "footer");
  const keys = line.appendChild(make("span", "keys"));
  keys.append(...["↑", "↓", "PgUp", "PgDn", "Home", "End"].map((key) => labelled("kbd", "", key)), "choose");
  line.prepend(place);
  return line;
}

function make(tag, className = "", attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  return element;
}

function labelled(tag, className, text) {
  const element = make(tag, className);
  element.textContent = text;
  return element;
}

function count(number) {
  return number.toLocaleString("en");
}
