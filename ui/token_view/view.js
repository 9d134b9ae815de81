/*
 * The token view: how a student and a teacher tokenizer cut one text, chunk by chunk.
 *
 *   student  |Hello|,| 201 |      one element a token; the tokens of a chunk
 *   teacher  |Hello|,|2|0|1|      light up together, on both sides
 *
 * Token text is untrusted: it reaches the page as text nodes only. Nothing here opens a connection.
 * From the top: mounting, the view, the data, drawing, glyphs, the inspector, the controls, copying, the DOM.
 */

const SHAPES = [
  { name: "1-1", words: "one token on each side, the same bytes" },
  { name: "1-n", words: "one student token, several teacher tokens, the same bytes" },
  { name: "n-1", words: "several student tokens, one teacher token, the same bytes" },
  { name: "m-n", words: "several tokens on each side, the same bytes" },
  { name: "mismatch", words: "both sides hold tokens, their bytes differ" },
  { name: "student gap", words: "only student tokens, nothing of the teacher's stands against them" },
  { name: "teacher gap", words: "only teacher tokens, nothing of the student's stands against them" },
];
const MISMATCH = 4;
const isNotOneOne = (shape) => shape > 0;
const isGapOrMismatch = (shape) => shape >= MISMATCH;

const FORMS = { faithful: "Faithful", visible: "Visible", raw: "Vocabulary" };
const LAYOUTS = { woven: "Woven", above: "Above", beside: "Beside" };
const NAMES_OF_SIDES = ["student", "teacher"];
const KEYS = {
  "← →": "walk",
  "n N": "next, previous not 1-1",
  "g G": "next, previous gap or mismatch",
  "Home End": "first, last",
  Enter: "choose",
};
const NEWLINE = 10;
const INSPECTED = 3; // tokens a side: the strip under the panes keeps its height
const BLOCK = { afterLine: 200, always: 1000 }; // tokens: where a block of running text ends

/* ---- Mounting: Streamlit calls this again whenever the data or the theme changes ---- */

const mounted = new WeakMap();

export default function tokenView({ data, parentElement, setStateValue }) {
  const view = mounted.get(parentElement) ?? new TokenView(parentElement);
  mounted.set(parentElement, view);
  const run = ++view.runs;
  view.update(data, setStateValue);
  return () => {
    if (run !== view.runs) return; // a run that was overtaken has nothing to clean up
    view.root.remove();
    mounted.delete(parentElement);
  };
}

/* ---- The view: what is drawn, what is lit, what the reader asks for ---- */

class TokenView {
  runs = 0;
  pointed = null; // the chunk under the mouse
  current = null; // the chunk that the keyboard stands on
  chosen = null; // the chunk that the page was told about
  lit = null; // the chunk that is lit and inspected: the pointed one, else the current one
  lookups = []; // each gives the elements of a chunk in one pane
  news = { view: new News(), chosen: new News() };

  constructor(parent) {
    this.root = make("div", "token-view");
    this.controls = new Controls(this);
    this.stage = make("div", "stage", {
      tabindex: 0,
      role: "application",
      "aria-label": "Tokens of both sides. The arrow keys walk from chunk to chunk.",
    });
    this.inspector = make("div", "inspector", { "aria-live": "polite" });
    this.root.append(this.controls.root, this.stage, this.inspector, keysLine());
    this.stage.addEventListener("pointerover", (event) => this.point(this.chunkAt(event.target)));
    this.stage.addEventListener("pointerleave", () => this.point(null));
    this.stage.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("keydown", (event) => this.press(event));
    this.root.addEventListener("copy", (event) => copyTokens(event, this));
    parent.append(this.root);
  }

  update(data, report) {
    this.report = report;
    const drawn = JSON.stringify([data.student, data.teacher, data.chunks, data.surface]);
    const isNewData = drawn !== this.drawn;
    const isNewView = this.news.view.has(data.view);
    const isNewChoice = this.news.chosen.has(data.chosen);
    if (isNewView) this.look = { ...data.view };
    if (isNewData) this.read(data);
    if (isNewData || isNewView) this.draw();
    this.drawn = drawn;
    if (isNewData || isNewChoice) this.choose(data.chosen);
    if (data.chosen !== null && (isNewChoice || this.current === null)) this.goTo(data.chosen);
  }

  read(data) {
    const isSameText = this.model && NAMES_OF_SIDES.every((name) => this.model[name].data === data[name].data);
    this.model = readModel(data);
    this.pointed = this.chosen = null;
    if (isSameText && this.current < this.model.count) return;
    this.current = null;
    for (const tokens of this.panes()) tokens.scrollTop = 0;
  }

  draw() {
    const top = this.topChunk();
    Object.assign(this.root.dataset, { layout: this.look.layout, form: this.look.form });
    this.root.classList.toggle("presenter", this.look.presenter);
    this.root.classList.toggle("empty", this.model.count === 0);
    this.root.classList.toggle("grouped", this.model.groups !== null);
    this.stage.replaceChildren(...drawStage(this));
    this.controls.refresh();
    if (top < this.model.count) this.reveal(top, { toTop: true });
    this.mark("current", null, this.current);
    this.mark("chosen", null, this.chosen);
    this.light({ anew: true });
  }

  panes() {
    return this.stage.querySelectorAll(".tokens");
  }

  /* The chunk at the upper edge of the first pane, so that what is drawn next can start there; 0 unless scrolled. */
  topChunk() {
    const [tokens] = this.panes();
    if (!tokens?.scrollTop) return 0;
    const { left, top } = tokens.getBoundingClientRect();
    const home = this.root.getRootNode();
    const found = [12, 32, 52, 72].map((y) => home.elementFromPoint(left + 12, top + y)); // between lines is nothing
    return found.map((element) => element && this.chunkAt(element)).find((k) => k !== null) ?? 0;
  }

  chunkAt(element) {
    const { k, s, t } = element.closest("[data-k], [data-s], [data-t]")?.dataset ?? {};
    if (k !== undefined) return Number(k);
    return this.model.student.chunkOf[s] ?? this.model.teacher.chunkOf[t] ?? null;
  }

  mark(name, from, to) {
    const elementsOf = (k) => (k === null ? [] : this.lookups.flatMap((lookup) => lookup(k)));
    for (const element of elementsOf(from)) element.classList.remove(name);
    for (const element of elementsOf(to)) element.classList.add(name);
  }

  point(k) {
    this.pointed = k;
    this.light();
  }

  light({ anew = false } = {}) {
    const k = this.pointed ?? this.current;
    if (k === this.lit && !anew) return;
    this.mark("lit", anew ? null : this.lit, k);
    this.lit = k;
    this.inspector.replaceChildren(...inspect(this.model, k));
  }

  goTo(k) {
    this.mark("current", this.current, k);
    this.current = k;
    this.pointed = null;
    this.reveal(k);
    this.light();
  }

  /* Where a key or a button leads: the page follows, so that the chunk is on the screen. */
  lead(k) {
    this.goTo(k);
    this.lookups[0]?.(k)[0]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /* Scrolls each pane by itself and no further than it takes; the page stays where it is. */
  reveal(k, { toTop = false } = {}) {
    for (const lookup of this.lookups) {
      const [element] = lookup(k);
      const tokens = element?.closest(".tokens");
      if (!tokens) continue;
      element.closest(".block").classList.add("measured");
      const [frame, box] = [tokens.getBoundingClientRect(), element.getBoundingClientRect()];
      const margin = Math.min(48, frame.height / 4);
      const [above, below] = [box.top - frame.top - margin, box.bottom - frame.bottom + margin];
      if (above < 0 || toTop) tokens.scrollTop += above;
      else if (below > 0) tokens.scrollTop += below;
    }
  }

  walk(step) {
    const last = this.model.count - 1;
    const next = this.current === null ? (step > 0 ? 0 : last) : this.current + step;
    this.lead(Math.max(0, Math.min(last, next)));
  }

  /* To the next chunk whose shape passes, round the end if need be. */
  jump(passes, step = 1) {
    const { count, shapes } = this.model;
    const from = this.current ?? (step > 0 ? -1 : count);
    for (let i = 1; i <= count; i++) {
      const k = (from + step * i + 2 * count) % count;
      if (passes(shapes[k])) return this.lead(k);
    }
  }

  press(event) {
    const isForOthers = event.ctrlKey || event.metaKey || event.altKey || !this.model.count;
    const isOnButton = event.target.closest("button") !== null;
    const act = {
      ArrowRight: () => this.walk(1),
      ArrowLeft: () => this.walk(-1),
      Home: () => this.lead(0),
      End: () => this.lead(this.model.count - 1),
      n: () => this.jump(isNotOneOne),
      N: () => this.jump(isNotOneOne, -1),
      g: () => this.jump(isGapOrMismatch),
      G: () => this.jump(isGapOrMismatch, -1),
      Enter: isOnButton ? undefined : () => this.reportChoice(this.current),
    }[event.key];
    if (!act || isForOthers) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  click(event) {
    const k = this.chunkAt(event.target);
    const isSelecting = selectedRange(this.root)?.collapsed === false;
    if (k === null || isSelecting) return;
    this.goTo(k);
    this.reportChoice(k);
  }

  choose(k) {
    this.mark("chosen", this.chosen, k);
    this.chosen = k;
  }

  reportChoice(k) {
    if (k === null || k === this.chosen) return;
    this.choose(k);
    this.report("chunk", this.news.chosen.sent(k));
  }

  reportLook(change) {
    this.look = { ...this.look, ...change };
    this.draw();
    this.report("view", this.news.view.sent(this.look));
  }
}

/* A value that the page sets and the reader too: what the page sends back after the reader set it is no news. */
class News {
  #last;
  #echoes = [];

  has(value) {
    const text = JSON.stringify(value);
    if (text === this.#last) return false;
    this.#last = text;
    const echo = this.#echoes.indexOf(text);
    this.#echoes.splice(0, echo + 1);
    return echo < 0;
  }

  sent(value) {
    this.#echoes.push(JSON.stringify(value));
    return value;
  }
}

/* ---- The data: sides, chunks, and which bytes make a character ---- */

function readModel({ student, teacher, chunks, surface, counts }) {
  const shapes = shapesOf(chunks);
  return {
    student: readSide(student, chunks.student_ends, "data-s"),
    teacher: readSide(teacher, chunks.teacher_ends, "data-t"),
    shapes,
    count: shapes.length,
    counts, // chunks by shape in the whole text, of which this may be the head
    total: counts.reduce((a, b) => a + b, 0),
    sameAfterNfc: new Set(chunks.nfc),
    groups: surface && readGroups(surface),
  };
}

function readSide(side, chunkEnds, attribute) {
  const bytes = Uint8Array.from(atob(side.data), (letter) => letter.charCodeAt(0));
  const roles = new Map(side.marks.positions.map((position, i) => [position, side.marks.roles[i]]));
  const [characters, chunkOf] = [charactersOf(bytes), holdersOf(chunkEnds)];
  return { ...side, bytes, characters, roles, chunkEnds, chunkOf, attribute };
}

function readGroups(surface) {
  return { ...surface, ofStudent: holdersOf(surface.student_ends), ofTeacher: holdersOf(surface.teacher_ends) };
}

function shapesOf({ student_ends, teacher_ends, kinds }) {
  return kinds.map((kind, k) => {
    if (kind > 0) return MISMATCH + kind - 1;
    return (lengthOf(student_ends, k) > 1 ? 2 : 0) + (lengthOf(teacher_ends, k) > 1 ? 1 : 0);
  });
}

/* Spans of tokens and tokens' bytes alike are told by where they end: the k-th goes from ends[k - 1] to ends[k]. */
function spanAt(ends, k) {
  return [k > 0 ? ends[k - 1] : 0, ends[k]];
}

function lengthOf(ends, k) {
  const [start, stop] = spanAt(ends, k);
  return stop - start;
}

/* For each token the number of the span that holds it. */
function holdersOf(ends) {
  const holders = new Int32Array(ends.at(-1) ?? 0);
  for (let k = 0; k < ends.length; k++) holders.fill(k, ...spanAt(ends, k));
  return holders;
}

/* The number of GOLD's group at chunk k. */
function groupAt({ student, teacher, groups }, k) {
  if (lengthOf(student.chunkEnds, k) > 0) return groups.ofStudent[spanAt(student.chunkEnds, k)[0]];
  return groups.ofTeacher[spanAt(teacher.chunkEnds, k)[0]];
}

function groupSize({ student_ends, teacher_ends }, group) {
  return `${count(lengthOf(student_ends, group))}-${count(lengthOf(teacher_ends, group))}`;
}

function bytesOf(side, token) {
  return side.bytes.subarray(...spanAt(side.ends, token));
}

function formOf(side, token) {
  return side.forms[side.form_of[token]];
}

/* For every byte where its UTF-8 character starts, -1 for a byte of none; the end of the text is a start too. */
function charactersOf(bytes) {
  const starts = new Int32Array(bytes.length + 1).fill(-1);
  starts[bytes.length] = bytes.length;
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i);
    starts.fill(i, i, i + length);
    i += length || 1;
  }
  return starts;
}

/* In bytes; 0 where no character starts. */
function characterLength(bytes, i) {
  const [first, second] = [bytes[i], bytes[i + 1]];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (!length || i + length > bytes.length) return 0;
  const lowest = { 0xe0: 0xa0, 0xf0: 0x90 }[first] ?? 0x80; // below it: an overlong spelling
  const highest = { 0xed: 0x9f, 0xf4: 0x8f }[first] ?? 0xbf; // above it: a surrogate, or past U+10FFFF
  if (second < lowest || second > highest) return 0;
  for (let j = i + 2; j < i + length; j++) if ((bytes[j] & 0xc0) !== 0x80) return 0;
  return length;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/* The bytes from start to stop as pieces: { text } of whole characters, { byte } of a character that an edge cuts. */
function piecesOf({ bytes, characters }, start, stop) {
  const pieces = [];
  for (let i = start; i < stop; ) {
    const end = wholeUntil(characters, i, stop);
    if (end > i) pieces.push({ text: decoder.decode(bytes.subarray(i, end)) });
    else pieces.push({ byte: bytes[i], ...placeInCharacter(bytes, characters[i], i) });
    i = Math.max(end, i + 1);
  }
  return pieces;
}

/* How far whole characters reach from i, at most to stop. */
function wholeUntil(characters, i, stop) {
  let end = i;
  while (end < stop && characters[end] === end) {
    let next = end + 1;
    while (characters[next] === end) next++;
    if (next > stop) break;
    end = next;
  }
  return end;
}

/* Whether the byte at i opens its character, and closes it; then the whole character too. */
function placeInCharacter(bytes, start, i) {
  if (start < 0) return { opens: true, closes: true, whole: "" };
  const stop = start + characterLength(bytes, start);
  const closes = i === stop - 1;
  return { opens: i === start, closes, whole: closes ? decoder.decode(bytes.subarray(start, stop)) : "" };
}

/* ---- Drawing: a pane of running text for each side, or both sides woven ---- */

function drawStage(view) {
  const { model, look } = view;
  view.lookups = [];
  view.tokens = { student: [], teacher: [] };
  if (!model.count) return [labelled("p", "quiet", "No text yet. Type some to see how both tokenizers cut it.")];
  if (look.layout === "woven") return [drawWoven(view)];
  const sides = NAMES_OF_SIDES.map((name) => drawSide(view, name));
  return model.groups ? [...sides, drawGold(view)] : sides;
}

function drawSide(view, name) {
  const side = view.model[name];
  const { flow, elements, holes } = drawRun(view, side, side.chunkEnds, (k) => chunkClass(view.model, k));
  view.tokens[name] = elements;
  view.lookups.push((k) => (holes[k] ? [holes[k]] : elements.slice(...spanAt(side.chunkEnds, k))));
  return pane([heading(name, side.title, side.note)], flow.close());
}

function chunkClass({ shapes, sameAfterNfc }, k) {
  return `s${shapes[k]}${sameAfterNfc.has(k) ? " nfc" : ""}`;
}

/* The student's tokens once more, in GOLD's groups. */
function drawGold(view) {
  const { student, groups } = view.model;
  const shapes = shapesOf(groups);
  const { flow, elements } = drawRun(view, student, groups.student_ends, (k) => `s${shapes[k]}`);
  view.lookups.push((k) => elements.slice(...spanAt(student.chunkEnds, k)));
  return pane([goldHeading(groups)], flow.close(), "gold");
}

/* A side's tokens as running text, cut into spans; a span without tokens leaves a hole where it would stand. */
function drawRun(view, side, ends, classOf) {
  const { form } = view.look;
  const flow = new Flow(view, "run");
  const elements = [];
  const holes = [];
  for (let k = 0; k < ends.length; k++) {
    const [start, stop] = spanAt(ends, k);
    const kind = classOf(k);
    if (start === stop) flow.add((holes[k] = make("span", `t hole first last ${kind}`, { "data-k": k })), 0, false);
    for (let token = start; token < stop; token++) {
      const edges = `${token === start ? " first" : ""}${token === stop - 1 ? " last" : ""}`;
      const element = (elements[token] = drawToken(side, token, form, `t ${kind}${edges}`));
      const bytes = bytesOf(side, token);
      const endsLine = form === "raw" ? bytes.includes(NEWLINE) : bytes.at(-1) === NEWLINE;
      if (bytes.includes(NEWLINE)) fitToLines(element);
      flow.add(element, bytes.length, endsLine);
    }
  }
  return { flow, elements, holes };
}

/* A token's last newline breaks the line behind it; those before it break the token itself. */
function fitToLines(element) {
  if (element.lastChild.className === "newline") element.lastChild.remove();
  if (element.querySelector(".newline")) element.classList.add("breaks");
}

/* Every chunk as a small column, and the columns as running text. */
function drawWoven(view) {
  const { model } = view;
  const flow = new Flow(view, "woven");
  const cells = model.shapes.map((_, k) => {
    const cell = make("span", `cell ${chunkClass(model, k)}`, { "data-k": k });
    const rows = NAMES_OF_SIDES.map((name) => drawRow(view, name, k, cell));
    if (model.groups) cell.append(drawGroupPart(model, k));
    flow.add(cell, Math.max(...rows.map((bytes) => bytes.length)), rows.some((bytes) => bytes.includes(NEWLINE)));
    return cell;
  });
  view.lookups.push((k) => [cells[k]]);
  const headings = NAMES_OF_SIDES.map((name) => heading(name, model[name].title, model[name].note));
  return pane(model.groups ? [...headings, goldHeading(model.groups)] : headings, flow.close());
}

/* One side's line of a column; gives its bytes. A single token is its own line. */
function drawRow(view, name, k, cell) {
  const side = view.model[name];
  const [start, stop] = spanAt(side.chunkEnds, k);
  const row = stop - start === 1 ? cell : cell.appendChild(make("span", "row"));
  for (let token = start; token < stop; token++) {
    view.tokens[name][token] = row.appendChild(drawToken(side, token, view.look.form, "t"));
  }
  return side.bytes.subarray(spanAt(side.ends, start)[0], spanAt(side.ends, stop)[0]);
}

/* The part of GOLD's group under chunk k; its first part says how large the group is. */
function drawGroupPart(model, k) {
  const group = groupAt(model, k);
  const isFirst = k === 0 || groupAt(model, k - 1) !== group;
  const isLast = k === model.count - 1 || groupAt(model, k + 1) !== group;
  const edges = `${isFirst ? " first" : ""}${isLast ? " last" : ""}`;
  const size = groupSize(model.groups, group);
  const isOpen = model.groups.kinds[group] > 0;
  return labelled("span", `group${edges}${isOpen ? " open" : ""}`, isFirst && size !== "1-1" ? size : "");
}

function drawToken(side, token, form, className) {
  const element = make("span", className, { [side.attribute]: token });
  const role = side.roles.get(token);
  if (role !== undefined) element.append(badge(formOf(side, token), role));
  else if (form === "raw") write(element, formOf(side, token), form);
  else for (const piece of piecesOf(side, ...spanAt(side.ends, token))) writePiece(element, piece, form);
  return element;
}

/* Running text in blocks. The browser skips those out of sight, so each says about how many lines it holds. */
class Flow {
  constructor({ stage, look }, name) {
    this.root = make("div", `tokens ${name}`);
    this.lettersInLine = stage.clientWidth / (look.layout === "beside" ? 2 : 1) / (look.presenter ? 22 : 15);
    this.open();
  }

  open() {
    this.block = this.root.appendChild(make("div", "block"));
    Object.assign(this, { size: 0, letters: 0, lines: 0 });
  }

  close() {
    this.endLine();
    this.block.style.setProperty("--lines", this.lines);
    return this.root;
  }

  endLine() {
    this.lines += Math.ceil(this.letters / this.lettersInLine);
    this.letters = 0;
  }

  add(element, letters, endsLine) {
    this.block.append(element);
    this.size++;
    this.letters += letters;
    if (endsLine) this.endLine();
    if (this.size >= (endsLine ? BLOCK.afterLine : BLOCK.always)) {
      this.close();
      this.open();
    } else if (endsLine) this.block.append(make("br"));
  }
}

function pane(headings, tokens, name = "") {
  const section = make("section", `pane ${name}`);
  section.append(...headings, tokens);
  return section;
}

function heading(name, title, note) {
  const line = make("div", "heading");
  line.append(labelled("span", "name", name), " ", labelled("span", "title", title), " ");
  line.append(labelled("span", "note", note));
  return line;
}

function goldHeading({ student_ends, teacher_ends, kinds }) {
  const sizes = kinds.map((_, k) => Math.max(lengthOf(student_ends, k), lengthOf(teacher_ends, k)));
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const open = kinds.filter((kind) => kind > 0).length;
  const found = `${count(kinds.length)} ${kinds.length === 1 ? "group" : "groups"}, ${count(open)} not exact`;
  return heading("GOLD as published", "", `${found}, the largest of ${count(largest)} tokens`);
}

/* ---- Glyphs: what stands for what can't be seen ---- */

// what would be invisible, would move its neighbours or can't be shown: controls, formats, odd spaces, lone surrogates
const HIDDEN = "\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\u2800\\ufffd";
const NOTABLE = {
  faithful: new RegExp(`(\\n|(?![\\t ])[${HIDDEN}\\p{Zs}])`, "u"),
  visible: new RegExp(`( +|[${HIDDEN}\\p{Zs}])`, "u"),
  raw: new RegExp(`((?! )[${HIDDEN}\\p{Zs}])`, "u"),
};
const STARTS_WITH_MARK = /^(?!\p{Default_Ignorable_Code_Point})\p{M}/u;

const CONTROLS = (
  "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI " +
  "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split(" ");
const NAMES = {
  0x7f: "DEL", 0x85: "NEL", 0xa0: "NBSP", 0xad: "SHY", 0x34f: "CGJ", 0x61c: "ALM", 0x180e: "MVS",
  0x2002: "ENSP", 0x2003: "EMSP", 0x2007: "FSP", 0x2008: "PSP", 0x2009: "THSP", 0x200a: "HSP",
  0x200b: "ZWSP", 0x200c: "ZWNJ", 0x200d: "ZWJ", 0x200e: "LRM", 0x200f: "RLM", 0x2028: "LSEP", 0x2029: "PSEP",
  0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x202f: "NNBSP", 0x205f: "MMSP",
  0x2060: "WJ", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0x3000: "IDSP", 0xfeff: "BOM",
};

const MEANINGS = {
  NBSP: "no-break space", SHY: "soft hyphen", CGJ: "combining grapheme joiner", ALM: "Arabic letter mark",
  ZWSP: "zero-width space", ZWNJ: "zero-width non-joiner", ZWJ: "zero-width joiner", WJ: "word joiner",
  LRM: "left-to-right mark", RLM: "right-to-left mark", LSEP: "line separator", PSEP: "paragraph separator",
  LRE: "left-to-right embedding", RLE: "right-to-left embedding", PDF: "pop directional formatting",
  LRO: "left-to-right override", RLO: "right-to-left override", LRI: "left-to-right isolate",
  RLI: "right-to-left isolate", FSI: "first strong isolate", PDI: "pop directional isolate",
  NNBSP: "narrow no-break space", IDSP: "ideographic space", BOM: "byte order mark", CR: "carriage return",
};

function nameOf(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return CONTROLS[code];
  if (code >= 0xfe00 && code <= 0xfe0f) return `VS${code - 0xfe00 + 1}`;
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/* Appends text in one of the three forms. */
function write(parent, text, form) {
  // a mark that an edge has cut from its letter stands on a dotted circle
  const shown = STARTS_WITH_MARK.test(text) ? `◌${text}` : text;
  if (!NOTABLE[form].test(shown)) return parent.append(shown);
  shown.split(NOTABLE[form]).forEach((part, i) => {
    if (part) parent.append(...(i % 2 ? glyphs(part, form) : [part]));
  });
}

function glyphs(part, form) {
  const glyph = (sign, name = "") => labelled("span", `glyph ${name}`, sign);
  if (form === "raw") return [chip(part)];
  if (part === "\n") return [glyph("↵", "return"), labelled("span", "newline", part)];
  if (part === "\t") return [glyph("→", "tab")];
  if (part[0] === " ") return [glyph("·".repeat(part.length))];
  return [chip(part)];
}

function chip(character) {
  const name = nameOf(character);
  const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const element = labelled("span", "chip", name);
  element.title = [code, MEANINGS[name]].filter(Boolean).join(" ");
  return element;
}

/* The bytes of one character stand joined, over the edge of a token too, and the character behind its last byte. */
function writePiece(parent, { text, byte, opens, closes, whole }, form) {
  if (text !== undefined) return write(parent, text, form);
  if (!opens && !parent.hasChildNodes()) parent.classList.add("mid");
  parent.append(labelled("span", `hex${opens ? " opens" : ""}${closes ? " closes" : ""}`, hex(byte)));
  if (whole) write(parent.appendChild(make("span", "whole")), whole, "visible");
}

function badge(form, role) {
  const element = make("span", "badge", { title: roleWords(role) });
  write(element, form, "raw");
  return element;
}

function roleWords(role) {
  return role === "dummy_space" ? "a dummy space, which the tokenizer adds" : `a special token, role ${role}`;
}

function hex(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/* ---- The inspector: the lit chunk in words, and its tokens ---- */

function inspect(model, k) {
  if (!model.count) return [];
  if (k === null) return [labelled("p", "quiet", "Point at a token, or walk with the arrow keys.")];
  const shape = model.shapes[k];
  const words = [SHAPES[shape].words];
  if (model.sameAfterNfc.has(k)) words.push("after Unicode normalisation (NFC) they are the same text");
  for (const role of rolesAt(model, k)) words.push(roleWords(role));
  if (model.groups) words.push(groupWords(model, k));
  const finding = make("p", "finding");
  const number = labelled("strong", "", `Chunk ${count(k + 1)} of ${count(model.total)}`);
  finding.append(number, " ", labelled("span", `swatch s${shape}`, SHAPES[shape].name), ` ${words.join("; ")}.`);
  const sides = make("div", "sides");
  sides.append(...NAMES_OF_SIDES.map((name) => inspectSide(name, model[name], k)));
  return [finding, sides];
}

function rolesAt(model, k) {
  const first = NAMES_OF_SIDES.map((name) => model[name]).filter(({ chunkEnds }) => lengthOf(chunkEnds, k) > 0);
  return new Set(first.map(({ roles, chunkEnds }) => roles.get(spanAt(chunkEnds, k)[0])).filter(Boolean));
}

function groupWords(model, k) {
  const group = groupAt(model, k);
  const isOpen = model.groups.kinds[group] > 0;
  const sizes = NAMES_OF_SIDES.map((name) => `${count(lengthOf(model.groups[`${name}_ends`], group))} ${name}`);
  return `GOLD as published: in ${isOpen ? "a" : "an exact"} group of ${sizes.join(" and ")} tokens`;
}

function inspectSide(name, side, k) {
  const table = make("table");
  const [start, stop] = spanAt(side.chunkEnds, k);
  const head = table.createTHead().insertRow();
  head.append(...[name, "id", "bytes", "vocabulary"].map((title) => labelled("th", "", title)));
  const body = table.createTBody();
  for (let token = start; token < Math.min(stop, start + INSPECTED); token++) body.append(inspectToken(side, token));
  if (start === stop) body.append(note("no token"));
  if (stop > start + INSPECTED) body.append(note(`+${count(stop - start - INSPECTED)} more`));
  return table;
}

function inspectToken(side, token) {
  const row = make("tr");
  const role = side.roles.get(token);
  const bytes = role === undefined ? [...bytesOf(side, token).subarray(0, 32)].map(hex).join(" ") : "none";
  const [text, form] = [make("td"), make("td")];
  text.append(drawToken(side, token, "visible", "t"));
  write(form, formOf(side, token), "raw");
  row.append(text, labelled("td", "", side.ids[token]), labelled("td", "", bytes), form);
  return row;
}

function note(text) {
  const row = make("tr");
  row.append(make("td", "quiet", { colspan: 4 }));
  row.firstChild.textContent = text;
  return row;
}

/* ---- The controls: form, layout, jumps, and the legend, which jumps too ---- */

class Controls {
  #refreshers = [];

  constructor(view) {
    this.root = make("div", "controls");
    const legend = group("legend", "Shapes of chunks; a click jumps to the next");
    legend.append(...SHAPES.map((_, shape) => this.entry(view, shape)));
    const jumps = make("div", "jumps");
    jumps.append(
      this.jumps(view, "not 1-1", "not 1-1", isNotOneOne),
      this.jumps(view, "gap or mismatch", "gaps or mismatches", isGapOrMismatch),
    );
    this.root.append(
      this.segments(view, "Text", "form", FORMS),
      this.segments(view, "Layout", "layout", LAYOUTS),
      jumps,
      legend,
    );
  }

  refresh() {
    for (const refresh of this.#refreshers) refresh();
  }

  segments(view, label, key, options) {
    const segments = group("segments", label);
    for (const [value, name] of Object.entries(options)) {
      const option = button(name, () => view.reportLook({ [key]: value }));
      this.#refreshers.push(() => option.setAttribute("aria-pressed", view.look[key] === value));
      segments.append(option);
    }
    return segments;
  }

  jumps(view, one, many, passes) {
    const jumps = group("jump", many);
    const back = button("‹", () => view.jump(passes, -1), { "aria-label": `Previous ${one}` });
    const found = make("span");
    const next = button("›", () => view.jump(passes), { "aria-label": `Next ${one}` });
    this.#refreshers.push(() => {
      const number = view.model.counts.reduce((sum, some, shape) => sum + (passes(shape) ? some : 0), 0);
      found.textContent = `${count(number)} ${number === 1 ? one : many}`;
      back.disabled = next.disabled = number === 0;
    });
    jumps.append(back, found, next);
    return jumps;
  }

  entry(view, shape) {
    const isThis = (other) => other === shape;
    const entry = button("", () => view.jump(isThis), { title: SHAPES[shape].words });
    const found = make("span", "count");
    entry.append(labelled("span", `swatch s${shape}`, SHAPES[shape].name), " ", found);
    this.#refreshers.push(() => {
      const number = view.model.counts[shape];
      found.textContent = count(number);
      entry.disabled = number === 0;
    });
    return entry;
  }
}

function keysLine() {
  const line = make("p", "keys");
  for (const [keys, words] of Object.entries(KEYS)) {
    const entry = line.appendChild(make("span"));
    entry.append(...keys.split(" ").map((key) => labelled("kbd", "", key)), ` ${words}`);
  }
  return line;
}

/* ---- Copying: the text of the selected tokens, from the side where the selection starts ---- */

function copyTokens(event, view) {
  const range = selectedRange(view.root);
  const picks = range ? NAMES_OF_SIDES.map((name) => pick(view, name, range)).filter(Boolean) : [];
  const isAfter = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_PRECEDING;
  const [first] = picks.sort((a, b) => (isAfter(a.element, b.element) ? 1 : -1));
  if (!first?.text) return;
  event.clipboardData.setData("text/plain", first.text);
  event.preventDefault();
}

function selectedRange(root) {
  const home = root.getRootNode();
  const shadowRoots = home instanceof ShadowRoot ? [home] : [];
  const [found] = document.getSelection().getComposedRanges?.({ shadowRoots }) ?? [];
  if (!found) return null;
  const range = document.createRange();
  range.setStart(found.startContainer, found.startOffset);
  range.setEnd(found.endContainer, found.endOffset);
  return range;
}

/* The tokens of one side that the range covers, in part or whole, as their first element and their text. */
function pick(view, name, range) {
  const side = view.model[name];
  const elements = view.tokens[name];
  const touched = [...elements.keys()].filter((token) => range.intersectsNode(elements[token]));
  while (touched.length && !covers(range, elements[touched[0]])) touched.shift();
  while (touched.length && !covers(range, elements[touched.at(-1)])) touched.pop();
  if (!touched.length) return null;
  const [first, last] = [touched[0], touched.at(-1)];
  return { element: elements[first], text: textBetween(side, spanAt(side.ends, first)[0], side.ends[last]) };
}

/* Whether the range holds some of the element's text; an edge that only touches it doesn't count. */
function covers(range, element) {
  const part = range.cloneRange();
  const whole = document.createRange();
  whole.selectNodeContents(element);
  if (part.compareBoundaryPoints(Range.START_TO_START, whole) < 0) part.setStart(element, 0);
  if (part.compareBoundaryPoints(Range.END_TO_END, whole) > 0) part.setEnd(element, element.childNodes.length);
  return part.toString() !== "";
}

/* Bytes as text, with the whole of a character that an edge cuts, and \xHH for a byte of no character. */
function textBetween(side, start, stop) {
  const { characters } = side;
  const from = characters[start] < 0 ? start : characters[start];
  let to = stop;
  while (characters[to] >= 0 && characters[to] !== to) to++;
  return piecesOf(side, from, to).map(({ text, byte }) => text ?? `\\x${hex(byte)}`).join("");
}

/* ---- The DOM ---- */

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

function button(text, act, attributes = {}) {
  const element = make("button", "", { type: "button", ...attributes });
  element.textContent = text;
  element.addEventListener("click", act);
  return element;
}

function group(className, label) {
  return make("div", className, { role: "group", "aria-label": label });
}

function count(number) {
  return number.toLocaleString("en");
}
