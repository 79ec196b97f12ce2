/**
 * Which of the edits made in this tab are on the server's disk.
 *
 * y-websocket has no word for that. y-sweet's sync status has: the server sends a number back when
 * everything that came before it is saved. One question is under way at a time, so a slow disk is not
 * asked faster than it answers.
 */
export class SaveWatch {
  private written = 0;
  private saved = 0;
  private asked: number | null = null;

  /**
   * @param send Ask the server about a number; false while there is no connection to ask over.
   * @param changed Called whenever `unsaved` may have changed.
   */
  constructor(
    private readonly send: (version: number) => boolean,
    private readonly changed: () => void,
  ) {}

  /** Whether something that was written here may not be on the server's disk. */
  get unsaved(): boolean {
    return this.written > this.saved;
  }

  /** Something was written here; it has been sent, if there is a connection. */
  readonly wrote = (): void => {
    this.written += 1;
    this.ask();
    this.changed();
  };

  /** Everything that this tab has was sent over a new connection. */
  readonly reconnected = (): void => {
    this.asked = null;
    this.ask();
  };

  /** The connection is gone, and the question that was under way. */
  readonly lost = (): void => {
    this.asked = null;
  };

  readonly answered = (version: number): void => {
    this.saved = Math.max(this.saved, version);
    this.asked = null;
    this.ask();
    this.changed();
  };

  private ask(): void {
    if (this.asked !== null || !this.unsaved) return;
    if (this.send(this.written)) this.asked = this.written;
  }
}
