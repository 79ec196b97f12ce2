/**
 * Keeps a text area and a shared text the same.
 *
 * It is not an editor: it reads what the browser did to the text area and says it in the smallest
 * edit. Undo takes back what was done through this binding, and nothing of what peers did.
 */

import * as Y from "yjs";
import { Alignment, type Change, shown } from "./alignment";
import { type Anchored, anchored, located, type Span } from "./caret";
import { editBetween } from "./edit";
import { changesOf, charactersOf } from "./sharedText";

/** What the binding needs of an HTMLTextAreaElement. */
export interface TextField extends EventTarget {
  value: string;
  readonly readOnly: boolean;
  readonly selectionStart: number;
  readonly selectionEnd: number;
  readonly selectionDirection: "forward" | "backward" | "none";
  setSelectionRange(start: number, end: number, direction: "forward" | "backward" | "none"): void;
  scrollTop: number;
  readonly scrollHeight: number;
  readonly ownerDocument: { readonly activeElement: unknown };
}

/**
 * Owns what the field shows, from its construction to `destroy`.
 *
 * Its own transactions have the binding itself as their origin.
 */
export class TextAreaBinding {
  private readonly doc: Y.Doc;
  private readonly history: Y.UndoManager;
  private readonly listeners = new AbortController();
  private alignment = Alignment.of("");
  /** What the field held when the binding last looked. */
  private view = "";
  private anchors: Anchored | null = null;
  private composing = false;

  constructor(
    private readonly field: TextField,
    private readonly text: Y.Text,
  ) {
    if (text.doc === null) throw new Error("the text belongs to no document yet");
    this.doc = text.doc;
    this.history = new Y.UndoManager(text, { trackedOrigins: new Set([this]) });
    this.show(null);

    const { signal } = this.listeners;
    field.addEventListener("input", this.push, { signal });
    field.addEventListener("compositionstart", this.startComposing, { signal });
    field.addEventListener("compositionend", this.endComposing, { signal });
    this.doc.on("beforeAllTransactions", this.rememberSelection);
    text.observe(this.textChanged);
  }

  destroy(): void {
    this.listeners.abort();
    this.doc.off("beforeAllTransactions", this.rememberSelection);
    this.text.unobserve(this.textChanged);
    this.history.destroy();
  }

  /** Take back the latest of what was done here, and put the caret there. */
  undo(): void {
    if (this.canStep) this.history.undo();
  }

  /** Do again what `undo` took back, and put the caret there. */
  redo(): void {
    if (this.canStep) this.history.redo();
  }

  private get canStep(): boolean {
    return !this.field.readOnly && !this.composing;
  }

  /** Say in the shared text what was done to the field. */
  private readonly push = (): void => {
    const { value, selectionEnd } = this.field;
    const edit = editBetween(this.view, value, selectionEnd);
    if (edit === null) return;

    const translated = this.alignment.toModelEdit(edit, charactersOf(this.text));
    this.doc.transact(() => {
      for (const { start, length } of translated.deletions.toReversed()) {
        this.text.delete(start, length);
      }
      if (translated.inserted !== "") this.text.insert(translated.at, translated.inserted);
    }, this);

    this.alignment = this.alignment.afterEdit(edit, translated);
    this.view = value;
    // A lone CR that meets an LF becomes one line ending, where the field still has two.
    if (!this.composing) this.show(this.selection());
  };

  private readonly startComposing = (): void => {
    this.composing = true;
  };

  private readonly endComposing = (): void => {
    this.push();
    this.composing = false;
    this.show(this.selection());
  };

  // Before *all*: reading an event's delta opens a transaction too, when it is too late to look.
  private readonly rememberSelection = (): void => {
    if (!this.composing) this.anchors = anchored(this.text, this.selection());
  };

  private readonly textChanged = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin === this) return;
    const changes = changesOf(event);
    if (this.composing) {
      // The field is the input method's now; what it lacks is shown when the composition ends.
      this.alignment = this.alignment.afterChanges(changes);
    } else if (transaction.origin === this.history) {
      this.show(lastOf(changes));
    } else {
      this.show(this.anchors && located(this.doc, this.anchors));
    }
  };

  /** The selection as offsets into the shared text. */
  private selection(): Span {
    return {
      start: this.alignment.toModel(this.field.selectionStart),
      end: this.alignment.toModel(this.field.selectionEnd),
    };
  }

  /** Show the shared text, with `selection` selected. */
  private show(selection: Span | null): void {
    const characters = charactersOf(this.text);
    this.alignment = Alignment.of(characters);
    this.view = shown(characters);
    const { field } = this;
    if (field.value === this.view) return;

    const { selectionStart, selectionDirection, scrollTop, scrollHeight } = field;
    field.value = this.view;
    if (selection === null) return;

    const start = this.alignment.toView(selection.start);
    field.setSelectionRange(start, this.alignment.toView(selection.end), selectionDirection);
    // Who is writing keeps their line where it is; who is reading keeps the page where it is.
    const writing = field.ownerDocument.activeElement === field;
    const grownAbove = writing && start !== selectionStart ? field.scrollHeight - scrollHeight : 0;
    field.scrollTop = scrollTop + grownAbove;
  }
}

/** Right behind the last of `changes`. */
function lastOf(changes: readonly Change[]): Span {
  let index = 0;
  let last = 0;
  for (const { kind, length } of changes) {
    if (kind !== "delete") index += length;
    if (kind !== "retain") last = index;
  }
  return { start: last, end: last };
}
