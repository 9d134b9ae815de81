/*
 * The token view: how a student and a teacher tokenizer cut one text, chunk by chunk.
 *
 *   student  |Hello|,| 201 |      one element a token; the tokens of a chunk
 *   teacher  |Hello|,|2|0|1|      light up together, on both sides
 *
 * Token text is untrusted: it reaches the page as text nodes only. Nothing here opens a connection.
 * From the top: mounting, the view, its data, drawing, glyphs, the inspector, the controls, copying, the DOM.
 */

const SHAPES = [
  { name: "1-1", words: "one token on each side, the same bytes" },
  { name: "1-n", words: "one student token, several teacher tokens, the same bytes" },
  { name: "n-1", words: "several student tokens, one teacher token, the same bytes" },
  { name: "m-n", words: "several tokens on each side, the same bytes" },
  { name: "mismatch", words: "both sides hold tokens, but their bytes differ" },
  { name: "student only", words: "the teacher has no token for it" },
  { name: "teacher only", words: "the student has no token for it" },
];
const ONE_ONE = 0;
const MISMATCH = 4;
const isNotOneOne = (shape) => shape !== ONE_ONE;
const isGapOrMismatch = (shape) => shape >= MISMATCH;

const FORMS = { faithful: "Faithful", visible: "Visible", raw: "Vocabulary" };
const LAYOUTS = { woven: "Woven", above: "Above", beside: "Beside" };
const INSPECTED = 3; // tokens a side; the strip under the panes has a fixed height

/* ---- Mounting: Streamlit calls this again on every change of the data ---- */

const mounted = new WeakMap();

export default function tokenView({ data, parentElement, setStateValue }) {
  const view = mounted.get(parentElement) ?? new TokenView(parentElement);
  mounted.set(parentElement, view);
  const run = ++view.runs;
  view.update(data, setStateValue);
  return () => {
    if (run !== view.runs) return; // an overtaken run has nothing to clean up
    view.root.remove();
    mounted.delete(parentElement);
  };
}

/* ---- The view: what is drawn, what is lit, what the reader asks for ---- */

class TokenView {
  runs = 0;
  text = null; // the data that is drawn, as JSON
  pointed = null; // the chunk under the mouse
  current = null; // the chunk that the keyboard stands on
  chosen = null; // the chunk that the page was told about
  lit = null; // the chunk that is lit and inspected: the pointed one, else the current one
  shared = { view: new Shared(), chosen: new Shared() };

  constructor(parent) {
    this.root = make("div", "token-view");
    this.controls = new Controls(this);
    this.stage = make("div", "stage", {
      tabindex: 0,
      role: "application",
      "aria-label": "The tokens of both sides. The arrow keys walk from chunk to chunk.",
    });
    this.inspector = make("div", "inspector", { "aria-live": "polite" });
    const keys = make("p", "keys");
    keys.append("← → walk · n / N next, previous not 1-1 · g / G gap or mismatch · Home End · Enter chooses");
    this.root.append(this.controls.root, this.stage, this.inspector, keys);
    this.stage.addEventListener("pointerover", (event) => this.point(this.chunkAt(event.target)));
    this.stage.addEventListener("pointerleave", () => this.point(null));
    this.stage.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("keydown", (event) => this.press(event));
    this.root.addEventListener("copy", (event) => copyTokens(event, this));
    parent.append(this.root);
  }

  update(data, report) {
    this.report = report;
    const text = JSON.stringify([data.student, data.teacher, data.chunks, data.surface]);
    const isNewText = text !== this.text;
    const isNewView = this.shared.view.isNews(data.view);
    const isNewChoice = this.shared.chosen.isNews(data.chosen);
    if (isNewView) this.look = { ...data.view };
    if (isNewText) this.read(data, text);
    if (isNewText || isNewView) this.draw();
    if (isNewText || isNewChoice) this.choose(data.chosen);
    if (isNewChoice && data.chosen !== null) this.goTo(data.chosen);
  }

  read(data, text) {
    const isSameSpelling = this.model && ["student", "teacher"].every((side) => this.model[side].data === data[side].data);
    if (!isSameSpelling) this.current = null;
    this.text = text;
    this.model = readModel(data);
    if (this.current >= this.model.count) this.current = null;
    this.isSameSpelling = isSameSpelling;
  }

  draw() {
    const { model, look } = this;
    const scrolled = [...this.stage.querySelectorAll(".tokens")].map((tokens) => tokens.scrollTop);
    const isSameLayout = this.root.dataset.layout === look.layout;
    const top = isSameLayout ? null : this.topChunk();
    Object.assign(this.root.dataset, { layout: look.layout, form: look.form });
    this.root.classList.toggle("presenter", look.presenter);
    this.root.classList.toggle("blank", model.count === 0);
    this.lit = null;
    this.stage.replaceChildren(...drawStage(this));
    this.controls.refresh();
    this.stage.querySelectorAll(".tokens").forEach((tokens, i) => {
      if (isSameLayout && this.isSameSpelling) tokens.scrollTop = scrolled[i] ?? 0;
    });
    if (top !== null && this.isSameSpelling) this.reveal(this.current ?? top);
    this.isSameSpelling = true;
    this.mark("current", null, this.current);
    this.mark("chosen", null, this.chosen);
    this.light();
  }

  /* The chunk at the top edge of what is scrolled, so that another layout can start there. */
  topChunk() {
    const tokens = this.stage.querySelector(".tokens");
    if (!tokens?.scrollTop) return null;
    const { left, top } = tokens.getBoundingClientRect();
    const element = this.root.getRootNode().elementFromPoint(left + 20, top + 20);
    return element && this.chunkAt(element);
  }

  chunkAt(element) {
    const found = element.closest("[data-k], [data-s], [data-t]");
    if (!found) return null;
    const { k, s, t } = found.dataset;
    if (k !== undefined) return Number(k);
    return s !== undefined ? this.model.student.chunkOf[s] : this.model.teacher.chunkOf[t];
  }

  elementsOf(k) {
    return k === null ? [] : this.lookups.flatMap((lookup) => lookup(k));
  }

  mark(name, from, to) {
    for (const element of this.elementsOf(from)) element.classList.remove(name);
    for (const element of this.elementsOf(to)) element.classList.add(name);
  }

  point(k) {
    this.pointed = k;
    this.light();
  }

  light() {
    const k = this.pointed ?? this.current;
    if (k === this.lit && k !== null) return;
    this.mark("lit", this.lit, k);
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

  choose(k) {
    this.mark("chosen", this.chosen, k);
    this.chosen = k;
  }

  /* Scrolls each pane by itself, and only as far as it takes; the page stays where it is. */
  reveal(k) {
    for (const lookup of this.lookups) {
      const element = lookup(k)[0];
      const tokens = element?.closest(".tokens");
      if (!tokens) continue;
      const frame = tokens.getBoundingClientRect();
      const box = element.getBoundingClientRect();
      const margin = Math.min(48, frame.height / 4);
      if (box.top < frame.top + margin) tokens.scrollTop += box.top - frame.top - margin;
      else if (box.bottom > frame.bottom - margin) tokens.scrollTop += box.bottom - frame.bottom + margin;
    }
  }

  walk(step) {
    const { count } = this.model;
    if (!count) return;
    const next = this.current === null ? (step > 0 ? 0 : count - 1) : this.current + step;
    this.goTo(Math.max(0, Math.min(count - 1, next)));
  }

  /* To the next chunk whose shape passes, going round at the end. */
  jump(passes, step = 1) {
    const { count, shapes } = this.model;
    const from = this.current ?? (step > 0 ? -1 : count);
    for (let i = 1; i <= count; i++) {
      const k = (from + step * i + 2 * count) % count;
      if (passes(shapes[k])) return this.goTo(k);
    }
  }

  click(event) {
    const k = this.chunkAt(event.target);
    const isSelecting = String(document.getSelection()) !== "";
    if (k === null || isSelecting) return;
    this.goTo(k);
    this.reportChoice(k);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isOnButton = event.target.closest("button") !== null;
    const act = {
      ArrowRight: () => this.walk(1),
      ArrowLeft: () => this.walk(-1),
      Home: () => this.walk(-Infinity),
      End: () => this.walk(Infinity),
      n: () => this.jump(isNotOneOne),
      N: () => this.jump(isNotOneOne, -1),
      g: () => this.jump(isGapOrMismatch),
      G: () => this.jump(isGapOrMismatch, -1),
      Enter: isOnButton ? null : () => this.current !== null && this.reportChoice(this.current),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  reportChoice(k) {
    if (k === this.chosen) return;
    this.choose(k);
    this.report("chunk", this.shared.chosen.sent(k));
  }

  reportLook(change) {
    this.look = { ...this.look, ...change };
    this.draw();
    this.report("view", this.shared.view.sent(this.look));
  }
}

/* A value that both the page and the reader set. What comes back after the reader set it is an echo, no news. */
class Shared {
  last = null;
  echoes = [];

  isNews(value) {
    const text = JSON.stringify(value);
    if (text === this.last) return false;
    this.last = text;
    const echo = this.echoes.indexOf(text);
    this.echoes.splice(0, echo + 1);
    return echo < 0;
  }

  sent(value) {
    this.echoes.push(JSON.stringify(value));
    return value;
  }
}

/* ---- The data ---- */

function readModel({ student, teacher, chunks, surface }) {
  const { student_ends, teacher_ends, kinds, nfc } = chunks;
  const shapes = kinds.map((kind, k) => shapeOf(kind, lengthOf(student_ends, k), lengthOf(teacher_ends, k)));
  return {
    student: readSide(student, student_ends, "data-s"),
    teacher: readSide(teacher, teacher_ends, "data-t"),
    shapes,
    count: kinds.length,
    counts: SHAPES.map((_, shape) => shapes.filter((other) => other === shape).length),
    sameAfterNfc: new Set(nfc),
    groups: surface && readGroups(surface, student.ids.length, teacher.ids.length),
  };
}

function readSide(side, chunkEnds, attribute) {
  const bytes = Uint8Array.from(atob(side.data), (letter) => letter.charCodeAt(0));
  const roles = new Map(side.marks.positions.map((position, i) => [position, side.marks.roles[i]]));
  const chunkOf = ownerOf(chunkEnds, side.ids.length);
  return { ...side, bytes, characters: charactersOf(bytes), roles, chunkEnds, chunkOf, attribute };
}

function readGroups({ student_ends, teacher_ends, kinds }, students, teachers) {
  return {
    studentEnds: student_ends,
    teacherEnds: teacher_ends,
    kinds,
    ofStudent: ownerOf(student_ends, students),
    ofTeacher: ownerOf(teacher_ends, teachers),
  };
}

function shapeOf(kind, students, teachers) {
  if (kind > 0) return MISMATCH + kind - 1;
  return (students > 1 ? 2 : 0) + (teachers > 1 ? 1 : 0);
}

function startOf(ends, k) {
  return k > 0 ? ends[k - 1] : 0;
}

function lengthOf(ends, k) {
  return ends[k] - startOf(ends, k);
}

/* For each of `count` tokens the span that holds it. */
function ownerOf(ends, count) {
  const owner = new Int32Array(count);
  for (let k = 0; k < ends.length; k++) owner.fill(k, startOf(ends, k), ends[k]);
  return owner;
}

/* For every byte where its UTF-8 character starts, -1 for a byte of none; one entry more than there are bytes. */
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

/* In bytes; 0 where no character starts at i. */
function characterLength(bytes, i) {
  const [first, second] = [bytes[i], bytes[i + 1]];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (!length || i + length > bytes.length) return 0;
  const low = { 0xe0: 0xa0, 0xf0: 0x90 }[first] ?? 0x80; // below: an overlong spelling
  const high = { 0xed: 0x9f, 0xf4: 0x8f }[first] ?? 0xbf; // above: a surrogate, or past U+10FFFF
  if (second < low || second > high) return 0;
  for (let j = i + 2; j < i + length; j++) if ((bytes[j] & 0xc0) !== 0x80) return 0;
  return length;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/* Bytes start … stop as pieces: { text } of whole characters, or { byte } of a character that the edge cuts. */
function piecesOf({ bytes, characters }, start, stop) {
  const pieces = [];
  for (let i = start; i < stop; ) {
    const textStop = wholeUntil(bytes, characters, i, stop);
    if (textStop > i) pieces.push({ text: decoder.decode(bytes.subarray(i, textStop)) });
    else pieces.push({ byte: bytes[i], ...placeInCharacter(bytes, characters, i) });
    i = Math.max(textStop, i + 1);
  }
  return pieces;
}

/* How far whole characters reach from i, at most to stop. */
function wholeUntil(bytes, characters, i, stop) {
  let end = i;
  while (end < stop && characters[end] === end) {
    const next = end + characterLength(bytes, end);
    if (next > stop) break;
    end = next;
  }
  return end;
}

/* Whether the byte at i opens its character, closes it, and the character itself where it's closed. */
function placeInCharacter(bytes, characters, i) {
  const start = characters[i];
  if (start < 0) return { opens: true, closes: true, whole: "" };
  const stop = start + characterLength(bytes, start);
  const closes = i === stop - 1;
  return { opens: i === start, closes, whole: closes ? decoder.decode(bytes.subarray(start, stop)) : "" };
}

function bytesOf(side, token) {
  return side.bytes.subarray(startOf(side.ends, token), side.ends[token]);
}

function formOf(side, token) {
  return side.forms[side.form_of[token]];
}

/* ---- Drawing: panes of running text, or both sides woven ---- */

function drawStage(view) {
  const { model, look } = view;
  view.lookups = [];
  view.tokens = { student: [], teacher: [] };
  if (!model.count) return [paragraph("There is no text yet. Type some above to see how both tokenizers cut it.")];
  if (look.layout === "woven") return [drawWoven(view)];
  const sides = ["student", "teacher"].map((name) => drawSide(view, name));
  return model.groups ? [...sides, drawGold(view)] : sides;
}

function drawSide(view, name) {
  const { model, look } = view;
  const side = model[name];
  const classOf = (k) => `s${model.shapes[k]}${model.sameAfterNfc.has(k) ? " nfc" : ""}`;
  const { tokens, elements, holes } = drawRun(side, side.chunkEnds, classOf, look.form);
  view.tokens[name] = elements;
  view.lookups.push((k) => holes[k] ?? elements.slice(startOf(side.chunkEnds, k), side.chunkEnds[k]));
  return pane([heading(name, side)], tokens);
}

/* The student's tokens once more, in GOLD's groups. */
function drawGold(view) {
  const { student, groups } = view.model;
  const classOf = (k) => (groups.kinds[k] ? "s4" : `s${lengthOf(groups.studentEnds, k) > 1 ? 3 : 0}`);
  const { tokens, elements } = drawRun(student, groups.studentEnds, classOf, view.look.form);
  view.lookups.push((k) => elements.slice(startOf(student.chunkEnds, k), student.chunkEnds[k]));
  return pane([heading("GOLD as published", { title: "", note: goldNote(groups) })], tokens, "gold");
}

function goldNote({ kinds, studentEnds, teacherEnds }) {
  const open = kinds.filter(Boolean).length;
  const largest = Math.max(...kinds.map((_, k) => Math.max(lengthOf(studentEnds, k), lengthOf(teacherEnds, k))));
  return `${plural(kinds.length, "group")}, ${count(open)} not exact, the largest of ${plural(largest, "token")}`;
}

/* Tokens as running text, cut into spans; a span without tokens leaves a hole where it would stand. */
function drawRun(side, ends, classOf, form) {
  const tokens = make("div", "tokens run");
  const elements = [];
  const holes = [];
  for (let k = 0; k < ends.length; k++) {
    const kind = classOf(k);
    const [start, stop] = [startOf(ends, k), ends[k]];
    if (start === stop) tokens.append((holes[k] = make("span", `t hole first last ${kind}`, { "data-k": k })));
    for (let token = start; token < stop; token++) {
      const edges = `${token === start ? " first" : ""}${token === stop - 1 ? " last" : ""}`;
      const element = drawToken(side, token, form, `t ${kind}${edges}`, true);
      tokens.append((elements[token] = element));
    }
  }
  return { tokens, elements, holes };
}

function drawWoven(view) {
  const { model, look } = view;
  const tokens = make("div", "tokens woven");
  const cells = model.shapes.map((_, k) => {
    const cell = drawCell(view, k, look.form);
    tokens.append(cell);
    if (endsLine(model.student, k) || endsLine(model.teacher, k)) tokens.append(make("br"));
    return cell;
  });
  view.lookups.push((k) => [cells[k]]);
  const headings = ["student", "teacher"].map((name) => heading(name, model[name]));
  if (model.groups) headings.push(heading("GOLD as published", { title: "", note: goldNote(model.groups) }));
  return pane(headings, tokens);
}

/* A chunk as a small column: the student's tokens, the teacher's, and GOLD's group. */
function drawCell(view, k, form) {
  const { model } = view;
  const nfc = model.sameAfterNfc.has(k) ? " nfc" : "";
  const cell = make("span", `cell s${model.shapes[k]}${nfc}`, { "data-k": k });
  for (const name of ["student", "teacher"]) {
    const side = model[name];
    const [start, stop] = [startOf(side.chunkEnds, k), side.chunkEnds[k]];
    const row = stop - start === 1 ? cell : cell.appendChild(make("span", "row"));
    for (let token = start; token < stop; token++) {
      row.append((view.tokens[name][token] = drawToken(side, token, form, "t", false)));
    }
  }
  if (model.groups) cell.append(drawGroupPart(model, k));
  return cell;
}

/* The part of GOLD's group under chunk k; its first part says how large the group is. */
function drawGroupPart({ student, teacher, groups, count: chunks }, k) {
  const groupOf = (chunk) =>
    lengthOf(student.chunkEnds, chunk) > 0
      ? groups.ofStudent[startOf(student.chunkEnds, chunk)]
      : groups.ofTeacher[startOf(teacher.chunkEnds, chunk)];
  const group = groupOf(k);
  const isFirst = k === 0 || groupOf(k - 1) !== group;
  const isLast = k === chunks - 1 || groupOf(k + 1) !== group;
  const part = make("span", `group${isFirst ? " first" : ""}${isLast ? " last" : ""}${groups.kinds[group] ? " open" : ""}`);
  const size = `${lengthOf(groups.studentEnds, group)}-${lengthOf(groups.teacherEnds, group)}`;
  if (isFirst && size !== "1-1") part.append(size);
  return part;
}

function endsLine(side, k) {
  const [start, stop] = [startOf(side.chunkEnds, k), side.chunkEnds[k]];
  return side.bytes.subarray(startOf(side.ends, start), startOf(side.ends, stop)).includes(10);
}

function drawToken(side, token, form, className, isRun) {
  const element = make("span", className, { [side.attribute]: token });
  const role = side.roles.get(token);
  const breaks = isRun && bytesOf(side, token).includes(10);
  if (role !== undefined) element.append(badge(formOf(side, token), role));
  else if (form === "raw") write(element, formOf(side, token), form, isRun);
  else for (const piece of piecesOf(side, startOf(side.ends, token), side.ends[token])) writePiece(element, piece, form, isRun);
  if (breaks) element.classList.add("breaks");
  if (breaks && form === "raw") element.append("\n");
  return element;
}

function pane(headings, tokens, name = "") {
  const section = make("section", `pane ${name}`);
  section.append(...headings, tokens);
  return section;
}

function heading(name, { title, note }) {
  const line = make("div", "heading");
  line.append(labelled("span", "name", name), labelled("span", "title", title), labelled("span", "note", note));
  return line;
}

/* ---- Glyphs: what stands for what can't be seen ---- */

// what would be invisible, move its neighbours, or can't be shown: controls, formats, odd spaces, lone surrogates
const HIDDEN = "\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\u2800\\ufffd";
const NOTABLE = {
  faithful: new RegExp(`(\\n|(?![\\t ])[${HIDDEN}\\p{Zs}])`, "u"),
  visible: new RegExp(`( +|[${HIDDEN}]|\\p{Zs})`, "u"),
  raw: new RegExp(`((?! )[${HIDDEN}\\p{Zs}])`, "u"),
};
const STARTS_WITH_MARK = /^\p{M}/u;

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

function nameOf(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return CONTROLS[code];
  if (code >= 0xfe00 && code <= 0xfe0f) return `VS${code - 0xfe00 + 1}`;
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/* Appends text in one of the three forms. In a run a newline breaks the line; in a cell it can't. */
function write(parent, text, form, isRun) {
  // a mark that a token's edge has cut from its letter stands on a dotted circle
  const shown = STARTS_WITH_MARK.test(text) ? `◌${text}` : text;
  if (!NOTABLE[form].test(shown)) return parent.append(shown);
  shown.split(NOTABLE[form]).forEach((part, i) => {
    if (part) parent.append(...(i % 2 ? glyphs(part, form, isRun) : [part]));
  });
}

function glyphs(part, form, isRun) {
  if (form === "raw") return [chip(nameOf(part))];
  if (part === "\n") return [...(form === "visible" || !isRun ? [glyph("↵")] : []), ...(isRun ? ["\n"] : [])];
  if (part === "\t") return [glyph("→", "tab")];
  if (part === "\r") return [glyph("␍")];
  if (part[0] === " ") return [glyph("·".repeat(part.length))];
  return [chip(nameOf(part))];
}

function writePiece(parent, piece, form, isRun) {
  if (piece.text !== undefined) return write(parent, piece.text, form, isRun);
  if (!piece.opens && !parent.hasChildNodes()) parent.classList.add("mid");
  const joins = `${piece.opens ? "" : " joins-left"}${piece.closes ? "" : " joins-right"}`;
  parent.append(labelled("span", `hex${joins}`, hex(piece.byte)));
  if (piece.whole) write(parent.appendChild(make("span", "whole")), piece.whole, "visible", false);
}

function glyph(text, name = "") {
  return labelled("span", `glyph ${name}`, text);
}

function chip(name) {
  return labelled("span", "chip", name);
}

function badge(form, role) {
  const element = make("span", "badge", { title: roleWords(role) });
  write(element, form, "raw", false);
  return element;
}

function roleWords(role) {
  return role === "dummy_space" ? "dummy space: the tokenizer adds it" : `special token, role ${role}`;
}

function hex(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

/* ---- The inspector: the lit chunk in words, and its tokens ---- */

function inspect(model, k) {
  if (k === null) return [paragraph(model.count ? "Point at a token, or walk with the arrow keys." : "")];
  const shape = SHAPES[model.shapes[k]];
  const line = make("p", "finding");
  line.append(
    labelled("strong", "", `Chunk ${count(k + 1)} of ${count(model.count)}`),
    labelled("span", `swatch s${model.shapes[k]}`, shape.name),
    `${chunkWords(model, k)}.`,
  );
  const sides = make("div", "sides");
  sides.append(inspectSide("student", model.student, k), inspectSide("teacher", model.teacher, k));
  return [line, sides];
}

function chunkWords(model, k) {
  const words = [SHAPES[model.shapes[k]].words];
  if (model.sameAfterNfc.has(k)) words.push("the same text after Unicode normalisation (NFC)");
  if (model.groups) words.push(`GOLD as published: ${groupWords(model, k)}`);
  return words.join("; ");
}

function groupWords({ student, teacher, groups }, k) {
  const isStudent = lengthOf(student.chunkEnds, k) > 0;
  const group = isStudent
    ? groups.ofStudent[startOf(student.chunkEnds, k)]
    : groups.ofTeacher[startOf(teacher.chunkEnds, k)];
  const size = `${count(lengthOf(groups.studentEnds, group))}-${count(lengthOf(groups.teacherEnds, group))}`;
  return groups.kinds[group] ? `in a group of ${size} that isn't exact` : `in an exact group of ${size}`;
}

function inspectSide(name, side, k) {
  const table = make("table", "side");
  const [start, stop] = [startOf(side.chunkEnds, k), side.chunkEnds[k]];
  const titles = [name, "id", "bytes", "vocabulary form"];
  const head = table.createTHead().insertRow();
  head.append(...titles.map((title) => labelled("th", "", title)));
  const body = table.createTBody();
  for (let token = start; token < Math.min(stop, start + INSPECTED); token++) body.append(inspectToken(side, token));
  if (start === stop) body.append(wideRow("no token"));
  if (stop - start > INSPECTED) body.append(wideRow(`+${count(stop - start - INSPECTED)} more`));
  return table;
}

function inspectToken(side, token) {
  const row = make("tr");
  const role = side.roles.get(token);
  const bytes = [...bytesOf(side, token).subarray(0, 32)].map(hex).join(" ");
  const cells = [make("td", "text"), labelled("td", "", side.ids[token]), labelled("td", "", bytes), make("td", "text")];
  cells[0].append(drawToken(side, token, "visible", "t", false));
  if (role !== undefined) cells[2].append(`none, ${roleWords(role)}`);
  write(cells[3], formOf(side, token), "raw", false);
  row.append(...cells);
  return row;
}

function wideRow(text) {
  const row = make("tr");
  const cell = labelled("td", "quiet", text);
  cell.colSpan = 4;
  row.append(cell);
  return row;
}

/* ---- The controls: form, layout, jumps, and the legend that jumps too ---- */

class Controls {
  refreshers = [];

  constructor(view) {
    this.root = make("div", "controls");
    const legend = make("div", "legend", { role: "group", "aria-label": "Shapes of chunks. A click jumps to the next." });
    legend.append(...SHAPES.map((_, shape) => this.entry(view, shape)));
    this.root.append(
      this.segments(view, "Text", "form", FORMS),
      this.segments(view, "Layout", "layout", LAYOUTS),
      this.jumps(view, "not 1-1", "not 1-1", isNotOneOne),
      this.jumps(view, "gap or mismatch", "gaps or mismatches", isGapOrMismatch),
      legend,
    );
  }

  refresh() {
    for (const refresh of this.refreshers) refresh();
  }

  segments(view, label, key, options) {
    const group = make("div", "segments", { role: "group", "aria-label": label });
    for (const [value, name] of Object.entries(options)) {
      const option = button("", name, () => view.reportLook({ [key]: value }));
      this.refreshers.push(() => option.setAttribute("aria-pressed", view.look[key] === value));
      group.append(option);
    }
    return group;
  }

  jumps(view, one, many, passes) {
    const group = make("div", "jumps", { role: "group", "aria-label": many });
    const back = button("", "‹", () => view.jump(passes, -1), `Previous ${one}`);
    const words = make("span");
    const next = button("", "›", () => view.jump(passes), `Next ${one}`);
    this.refreshers.push(() => {
      const found = view.model.shapes.filter(passes).length;
      words.textContent = `${count(found)} ${found === 1 ? one : many}`;
      back.disabled = next.disabled = found === 0;
    });
    group.append(back, words, next);
    return group;
  }

  entry(view, shape) {
    const { name, words } = SHAPES[shape];
    const entry = button("entry", "", () => view.jump((other) => other === shape));
    entry.title = words;
    const found = make("span", "count");
    entry.append(labelled("span", `swatch s${shape}`, name), found);
    this.refreshers.push(() => {
      found.textContent = count(view.model.counts[shape]);
      entry.disabled = view.model.counts[shape] === 0;
    });
    return entry;
  }
}

/* ---- Copying: the text of the tokens that are selected, on the side where the selection starts ---- */

function copyTokens(event, view) {
  const range = selectedRange(view.root);
  if (!range) return;
  const picks = ["student", "teacher"].map((name) => pick(view, name, range)).filter(Boolean);
  picks.sort((a, b) => a.element.compareDocumentPosition(b.element) & Node.DOCUMENT_POSITION_PRECEDING ? 1 : -1);
  if (!picks.length || !picks[0].text) return;
  event.clipboardData.setData("text/plain", picks[0].text);
  event.preventDefault();
}

function selectedRange(root) {
  const home = root.getRootNode();
  const selection = document.getSelection();
  const shadowRoots = home instanceof ShadowRoot ? [home] : [];
  const [found] = selection.getComposedRanges?.({ shadowRoots }) ?? [(home.getSelection?.() ?? selection).getRangeAt(0)];
  if (!found) return null;
  const range = document.createRange();
  range.setStart(found.startContainer, found.startOffset);
  range.setEnd(found.endContainer, found.endOffset);
  return range;
}

/* The side's tokens that the range covers in part or in whole, as text. */
function pick(view, name, range) {
  const elements = view.tokens[name];
  const touched = [...elements.keys()].filter((token) => range.intersectsNode(elements[token]));
  while (touched.length && !covers(range, elements[touched[0]])) touched.shift();
  while (touched.length && !covers(range, elements[touched.at(-1)])) touched.pop();
  if (!touched.length) return null;
  const side = view.model[name];
  const [first, last] = [touched[0], touched.at(-1)];
  return { element: elements[first], text: textBetween(side, startOf(side.ends, first), side.ends[last]) };
}

function covers(range, element) {
  const part = document.createRange();
  part.selectNodeContents(element);
  if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0) part.setStart(range.startContainer, range.startOffset);
  if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) part.setEnd(range.endContainer, range.endOffset);
  return part.toString() !== "";
}

/* The text of bytes start … stop, with the whole of a character that an edge cuts; bytes of no character as \xHH. */
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

function paragraph(text) {
  return labelled("p", "quiet", text);
}

function button(className, text, act, label) {
  const element = labelled("button", className, text);
  element.type = "button";
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

function count(number) {
  return number.toLocaleString("en");
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
