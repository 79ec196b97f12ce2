/**
 * Which characters of the text area are which characters of the shared text.
 *
 * The two differ in two ways. A text area shows every line ending as LF, while the shared text may
 * hold CRLF; and while an input method composes, the text area must not be rewritten, so what peers
 * write meanwhile is in the shared text only. All offsets are UTF-16 units.
 */

import type { Edit } from "./edit";

/** `length` units that stand at `view` in the text area and at `model` in the shared text. */
interface Run {
  readonly view: number;
  readonly model: number;
  readonly length: number;
}

export interface Range {
  readonly start: number;
  readonly length: number;
}

/** What an edit in the text area means for the shared text: delete, then insert at `at`. */
export interface ModelEdit {
  /** In ascending order, none of them before `at`. */
  readonly deletions: readonly Range[];
  readonly at: number;
  readonly inserted: string;
}

/** One step of a Yjs text event. An embedded object counts as one unit. */
export type Change =
  | { readonly kind: "retain"; readonly length: number }
  | { readonly kind: "insert"; readonly length: number }
  | { readonly kind: "delete"; readonly length: number };

/** How a text area shows `model`. */
export function shown(model: string): string {
  return model.replace(/\r\n?/g, "\n");
}

/** Immutable: a change returns another alignment. */
export class Alignment {
  private constructor(private readonly runs: readonly Run[]) {}

  /** Align `model` with `shown(model)`. */
  static of(model: string): Alignment {
    const runs: Run[] = [];
    let start = 0;
    let hidden = 0;
    for (let cr = model.indexOf("\r\n"); cr !== -1; cr = model.indexOf("\r\n", cr + 2)) {
      runs.push({ view: start - hidden, model: start, length: cr - start });
      start = cr + 1;
      hidden++;
    }
    runs.push({ view: start - hidden, model: start, length: model.length - start });
    return new Alignment(runs.filter((run) => run.length > 0));
  }

  /** Where `view` lies in the shared text: right behind what stands before it in the text area. */
  toModel(view: number): number {
    return place(this.runs, "view", "model", view);
  }

  /** Where `model` lies in the text area: right behind what stands before it in the shared text. */
  toView(model: number): number {
    return place(this.runs, "model", "view", model);
  }

  /** Translate an edit of the text area. `model` is the shared text before it. */
  toModelEdit(edit: Edit, model: string): ModelEdit {
    const removed = part(this.runs, "view", edit.start, edit.start + edit.removed);
    return {
      deletions: removed.map((run) => withHiddenCarriageReturn(run, model)),
      at: this.toModel(edit.start),
      inserted: edit.inserted,
    };
  }

  /** The alignment after `edit` in the text area and `translated` in the shared text. */
  afterEdit(edit: Edit, translated: ModelEdit): Alignment {
    const length = edit.inserted.length;
    const deleted = translated.deletions.reduce((sum, range) => sum + range.length, 0);
    const behind = part(this.runs, "view", edit.start + edit.removed, Number.POSITIVE_INFINITY);
    return new Alignment(
      joined([
        ...part(this.runs, "view", 0, edit.start),
        { view: edit.start, model: translated.at, length },
        ...moved(behind, length - edit.removed, length - deleted),
      ]),
    );
  }

  /** The alignment after `changes` in the shared text that the text area does not show yet. */
  afterChanges(changes: readonly Change[]): Alignment {
    let runs = this.runs;
    let index = 0;
    for (const { kind, length } of changes) {
      if (kind === "insert") {
        runs = [
          ...part(runs, "model", 0, index),
          ...moved(part(runs, "model", index, Number.POSITIVE_INFINITY), 0, length),
        ];
      } else if (kind === "delete") {
        runs = [
          ...part(runs, "model", 0, index),
          ...moved(part(runs, "model", index + length, Number.POSITIVE_INFINITY), 0, -length),
        ];
      }
      if (kind !== "delete") index += length;
    }
    return new Alignment(runs);
  }
}

type Side = "view" | "model";

function place(runs: readonly Run[], from: Side, to: Side, index: number): number {
  const run = runs.findLast((candidate) => candidate[from] < index);
  return run === undefined ? 0 : run[to] + Math.min(index - run[from], run.length);
}

/** The runs, cut to what lies between `from` and `to` on one side. */
function part(runs: readonly Run[], side: Side, from: number, to: number): Run[] {
  return runs.flatMap((run) => {
    const skipped = Math.max(0, from - run[side]);
    const length = Math.min(run.length, to - run[side]) - skipped;
    if (length <= 0) return [];
    return [{ view: run.view + skipped, model: run.model + skipped, length }];
  });
}

function moved(runs: readonly Run[], view: number, model: number): Run[] {
  return runs.map((run) => ({ ...run, view: run.view + view, model: run.model + model }));
}

/** The runs without empty ones, and with neighbours on both sides made one. */
function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    if (run.length === 0) continue;
    const last = result.at(-1);
    const continues =
      last !== undefined &&
      last.view + last.length === run.view &&
      last.model + last.length === run.model;
    if (continues) result[result.length - 1] = { ...last, length: last.length + run.length };
    else result.push(run);
  }
  return result;
}

/** Who deletes the LF that they see of a CRLF deletes its CR too: alone, it would be a line ending. */
function withHiddenCarriageReturn({ model: start, length }: Run, model: string): Range {
  const hidden = model.startsWith("\r\n", start - 1);
  return hidden ? { start: start - 1, length: length + 1 } : { start, length };
}
