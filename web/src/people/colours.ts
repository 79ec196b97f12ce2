/** Told apart from each other in both colour schemes; white on each of them has a contrast of at least 4.5. */
export const COLOURS = [
  "#c2255c",
  "#9c36b5",
  "#5f3dc4",
  "#3b5bdb",
  "#1864ab",
  "#0b7285",
  "#087f5b",
  "#237a33",
  "#5c6f00",
  "#a14a00",
  "#c92a2a",
  "#6d4c41",
] as const;

const HEX = /^#[0-9a-f]{6}$/i;
const BLACK = "#000000";
const WHITE = "#ffffff";

/** `colour` if it is one, else one of ours that goes with `clientId`. Peers may send anything. */
export function colourOr(colour: unknown, clientId: number): string {
  if (typeof colour === "string" && HEX.test(colour)) return colour;
  return COLOURS[clientId % COLOURS.length] ?? BLACK;
}

/** Black or white, whichever is easier to read on `background`. */
export function inkOn(background: string): string {
  return contrast(background, WHITE) >= contrast(background, BLACK) ? WHITE : BLACK;
}

/** The contrast ratio of WCAG 2, from 1 to 21, between two colours of the form #rrggbb. */
export function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/** The relative luminance of WCAG 2. */
function luminance(colour: string): number {
  return 0.2126 * linear(colour, 1) + 0.7152 * linear(colour, 3) + 0.0722 * linear(colour, 5);
}

function linear(colour: string, offset: number): number {
  const channel = Number.parseInt(colour.slice(offset, offset + 2), 16) / 255;
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}
