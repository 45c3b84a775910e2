// Terminal text as pieces with attributes. Colours are kept; every other control sequence is dropped, so that output
// cannot do more than look.

const ESCAPE = /\x1b(?:\[([0-9;:]*)([@-~])|\[[^@-~]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

export const PLAIN = Object.freeze({ color: null, background: null, bold: false, dim: false, italic: false, underline: false, inverse: false });

// [pieces, style after the text]. A piece is {text, style}.
export function parse(text, style) {
  const pieces = [];
  let from = 0;
  const add = (piece) => {
    const clean = piece.replace(CONTROLS, "");
    if (clean) pieces.push({ text: clean, style });
  };
  for (const match of text.matchAll(ESCAPE)) {
    add(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") style = apply(style, match[1]);
  }
  add(text.slice(from));
  return [pieces, style];
}

// Text that can be read on a background of its own.
export function contrast(background) {
  if (background.startsWith("var")) return "var(--page)";
  const [red, green, blue] = background.match(/\d+/g).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 128 ? "black" : "white";
}

function apply(style, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => Number(code) || 0);
  let next = { ...style };
  while (codes.length) {
    const code = codes.shift();
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 27) next.inverse = false;
    else if (code === 38) next.color = extended(codes);
    else if (code === 39) next.color = null;
    else if (code === 48) next.background = extended(codes);
    else if (code === 49) next.background = null;
    else if (code >= 30 && code <= 37) next.color = named(code - 30);
    else if (code >= 90 && code <= 97) next.color = named(code - 82);
    else if (code >= 40 && code <= 47) next.background = named(code - 40);
    else if (code >= 100 && code <= 107) next.background = named(code - 92);
  }
  return next;
}

// The sixteen colours of a terminal are the style sheet's, so that they suit its light and its dark side.
const named = (index) => `var(--ansi-${index})`;

function extended(codes) {
  const kind = codes.shift();
  if (kind === 2) {
    const [red, green, blue] = codes.splice(0, 3).map((part) => Math.min(part, 255));
    return `rgb(${red || 0}, ${green || 0}, ${blue || 0})`;
  }
  if (kind !== 5) return null;
  const index = Math.min(codes.shift() || 0, 255);
  if (index < 16) return named(index);
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232);
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const level = (step) => (step ? 55 + 40 * step : 0);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)})`;
}
