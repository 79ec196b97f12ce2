import type { TextField } from "../text/TextAreaBinding";

type Direction = TextField["selectionDirection"];

/** A text area without a browser: it normalises line endings, and a new value moves the caret to its end. */
export class FakeTextField extends EventTarget implements TextField {
  readOnly = false;
  selectionStart = 0;
  selectionEnd = 0;
  selectionDirection: Direction = "none";
  scrollTop = 0;
  rewrites = 0;
  readonly ownerDocument: { activeElement: unknown } = { activeElement: null };
  private content = "";

  get value(): string {
    return this.content;
  }

  set value(text: string) {
    this.content = text.replace(/\r\n?/g, "\n");
    this.rewrites++;
    this.setSelectionRange(this.content.length, this.content.length, "none");
  }

  /** Ten pixels a line. */
  get scrollHeight(): number {
    return 10 * this.content.split("\n").length;
  }

  setSelectionRange(start: number, end: number, direction: Direction): void {
    this.selectionStart = Math.min(start, this.content.length);
    this.selectionEnd = Math.min(end, this.content.length);
    this.selectionDirection = direction;
  }

  select(start: number, end = start): void {
    this.setSelectionRange(start, end, "none");
  }

  /** What a person does: `text` replaces the selection. */
  type(text: string): void {
    const { content, selectionStart: start, selectionEnd: end } = this;
    this.content = content.slice(0, start) + text + content.slice(end);
    this.select(start + text.length);
    this.dispatchEvent(new Event("input"));
  }

  /** What an input method does: its `text` replaces the last `length` characters before the caret. */
  compose(text: string, length: number): void {
    this.select(this.selectionStart - length, this.selectionEnd);
    this.type(text);
  }

  startComposing(): void {
    this.dispatchEvent(new Event("compositionstart"));
  }

  endComposing(): void {
    this.dispatchEvent(new Event("compositionend"));
  }
}
