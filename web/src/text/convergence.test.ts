import { expect, test } from "vitest";
import { bound } from "../testing/bound";
import { seeded } from "../testing/seeded";

test.each([1, 2, 3, 4])("field and replicas agree after whatever happens (seed %i)", (seed) => {
  const random = seeded(seed);
  const { field, binding, peer, text } = bound("seed\r\nof \u{1f600} it");
  const below = (limit: number) => Math.floor(random() * limit);
  const pieces = ["x", "\n", "\r\n", "\r", "\u{1f600}", "word ", ""];
  const piece = () => pieces[below(pieces.length)] ?? "";
  const placeIn = (content: string) => boundaryAt(content, below(content.length + 1));
  let composing = false;

  for (let round = 0; round < 400; round++) {
    switch (below(6)) {
      case 0:
        if (!composing) {
          const start = placeIn(field.value);
          field.select(start, boundaryAt(field.value, start + below(6)));
        }
        break;
      case 1:
        peer.insert(placeIn(peer.toString()), piece());
        break;
      case 2: {
        const start = placeIn(peer.toString());
        const end = boundaryAt(peer.toString(), start + below(6));
        peer.delete(start, end - start);
        break;
      }
      case 3:
        if (!composing) binding.undo();
        break;
      case 4:
        if (composing) field.endComposing();
        else field.startComposing();
        composing = !composing;
        break;
      default:
        field.type(piece().replace(/\r\n?/g, "\n"));
    }
    if (!composing) expect(field.value).toBe(text.toString().replace(/\r\n?/g, "\n"));
    expect(peer.toString()).toBe(text.toString());
  }
});

/** `index`, or the start of the surrogate pair or the text's end before it. */
function boundaryAt(text: string, index: number): number {
  const limited = Math.min(index, text.length);
  return text.slice(0, limited).isWellFormed() ? limited : limited - 1;
}
