import * as Y from "yjs";

/** A selection that stays with its characters while peers write. */
export interface Anchored {
  readonly start: Y.RelativePosition;
  readonly end: Y.RelativePosition;
}

/** Offsets into the shared text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const LEFT = -1;
const RIGHT = 0;

/**
 * Anchor a selection of `text`.
 *
 * A caret stays behind the character before it, so what a peer writes at the caret comes after it;
 * a selection grows at neither end.
 */
export function anchored(text: Y.Text, span: Span): Anchored {
  const atStart = span.start === span.end ? LEFT : RIGHT;
  return {
    start: Y.createRelativePositionFromTypeIndex(text, span.start, atStart),
    end: Y.createRelativePositionFromTypeIndex(text, span.end, LEFT),
  };
}

/** Where an anchored selection stands now; null if `doc` does not know the characters. */
export function located(doc: Y.Doc, anchors: Anchored): Span | null {
  const start = Y.createAbsolutePositionFromRelativePosition(anchors.start, doc);
  const end = Y.createAbsolutePositionFromRelativePosition(anchors.end, doc);
  if (start === null || end === null) return null;
  // A selection whose text a peer deleted and wrote anew could end before it starts.
  return { start: start.index, end: Math.max(start.index, end.index) };
}
