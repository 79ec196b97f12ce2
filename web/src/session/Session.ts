/**
 * One document, open in this tab: its replica, its connection, and who is here.
 *
 * It knows the lineage of what it holds, so that a restored document and this one are not merged
 * (docs/spec.md, L). Until it does, it does not talk to other tabs, which may hold another one.
 *
 * "Connected" never means "saved": that is what `SaveWatch` asks the server.
 */

import { readAuthMessage } from "y-protocols/auth";
import { messageAuth, WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { roomOf, socketsUrl } from "../addresses";
import type { Identity } from "../people/identity";
import { isFinal, problemOfClose } from "./closeCodes";
import { type Keeping, keepCopy } from "./copies";
import { isAnotherLineage } from "./lineage";
import { FIRST_LINK, type Link, type LinkEvent, nextLink } from "./link";
import { askAbout } from "./problem";
import { SaveWatch } from "./SaveWatch";
import { MESSAGE_SYNC_STATUS, readSyncStatus, syncStatus } from "./syncStatus";
import { type Access, mayWrite, type Terms } from "./terms";

export interface SessionState {
  readonly link: Link;
  /** Whether the document was here in full at least once, and on which terms was known. */
  readonly opened: boolean;
  /** What may be done here, as of the latest connection; null until the server has said it. */
  readonly access: Access | null;
  /** Whether something that was written here may not be on the server's disk. */
  readonly unsaved: boolean;
  /** Why the server did not take an edit of this connection; null if it took all. */
  readonly refusal: string | null;
  /** Whether the person has a copy of what is unsaved. */
  readonly copied: boolean;
}

type StatusEvent = { readonly status: "connected" | "disconnected" | "connecting" };

/** Long enough not to storm a server that is down, and not the same in every tab. */
const LONGEST_WAIT_MILLISECONDS = 6_000;
const WAIT_SPREAD_MILLISECONDS = 4_000;
/** Long enough for the first edit of a document to be on disk; then twice as long each time. */
const FIRST_QUESTION_MILLISECONDS = 200;
const LONGEST_QUESTION_MILLISECONDS = 10_000;

/** Owns the Yjs document, the provider and their listeners, from construction to `close`. */
export class Session {
  readonly doc = new Y.Doc();
  readonly text = this.doc.getText("content");
  readonly meta = this.doc.getMap<unknown>("meta");
  readonly provider: WebsocketProvider;

  private state: SessionState = {
    link: FIRST_LINK,
    opened: false,
    access: null,
    unsaved: false,
    refusal: null,
    copied: false,
  };
  private readonly watchers = new Set<() => void>();
  private readonly closing = new AbortController();
  private readonly saving = new SaveWatch(
    (version) => this.sendWhenSynced(syncStatus(version)),
    () => this.change({ unsaved: this.saving.unsaved }),
  );
  private asking = false;
  /** Those of this connection, as soon as they are known. */
  private terms: Terms | null = null;
  private termsTimer: ReturnType<typeof setTimeout> | undefined;
  private lineage: string | null = null;

  constructor(
    readonly document: string,
    identity: Identity,
  ) {
    this.provider = new WebsocketProvider(socketsUrl(), roomOf(document), this.doc, {
      connect: false,
      maxBackoffTime: LONGEST_WAIT_MILLISECONDS + Math.random() * WAIT_SPREAD_MILLISECONDS,
      disableBc: true,
      shouldReconnect: ({ code, reason }) => !isFinal(code) && !isAnotherLineage(code, reason),
    });
    this.provider.messageHandlers[messageAuth] = (_encoder, decoder) => {
      readAuthMessage(decoder, this.doc, (_doc, reason) => this.change({ refusal: reason }));
    };
    this.provider.messageHandlers[MESSAGE_SYNC_STATUS] = (_encoder, decoder) => {
      this.saving.answered(readSyncStatus(decoder));
    };
    this.provider.on("status", this.statusChanged);
    this.provider.on("sync", this.syncChanged);
    this.provider.on("connection-error", this.ask);
    this.provider.on("closed", this.closedForGood);
    this.doc.on("update", this.noteUpdate);
    const { signal } = this.closing;
    window.addEventListener("offline", this.doubt, { signal });
    window.addEventListener("online", this.hurry, { signal });
    window.document.addEventListener("visibilitychange", this.hurry, { signal });

    this.introduce(identity);
    this.provider.connect();
  }

  /** Leave the document. What was not sent is lost with the tab. */
  close(): void {
    this.closing.abort();
    clearTimeout(this.termsTimer);
    this.watchers.clear();
    this.provider.destroy();
    this.provider.awareness.destroy();
    this.doc.destroy();
  }

  /** Call `watcher` after each change of `snapshot()`, until the returned function is called. */
  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  readonly snapshot = (): SessionState => this.state;

  /** Tell peers who this is. */
  readonly introduce = (identity: Identity): void => {
    this.provider.awareness.setLocalStateField("user", identity);
  };

  /** Connect now: after a refusal, or without waiting for the next attempt. */
  readonly retry = (): void => {
    if (this.state.link.kind === "refused") this.provider.wsUnsuccessfulReconnects = 0;
    this.provider.connect();
  };

  /** Store what is here under another name. */
  readonly keepAsCopy = async (): Promise<Keeping> => {
    const outcome = await keepCopy(this.document, this.doc);
    if (outcome.kind === "kept") this.change({ unsaved: false });
    return outcome;
  };

  /** The person has taken a copy of what is here. */
  readonly noteCopied = (): void => this.change({ copied: true });

  private readonly statusChanged = ({ status }: StatusEvent): void => {
    switch (status) {
      case "connecting":
        this.follow({ kind: "dialled", attempt: this.provider.wsUnsuccessfulReconnects });
        break;
      case "connected":
        this.announce();
        this.terms = null;
        void this.learnTerms();
        break;
      case "disconnected":
        this.saving.lost();
        this.follow({ kind: "dropped" });
        break;
    }
  };

  private readonly syncChanged = (synced: boolean): void => {
    if (synced && this.terms !== null) this.enter(this.terms);
  };

  /** Both sides are the same, and the server has said what may be done here. */
  private enter(terms: Terms): void {
    this.change({ opened: true, access: terms.access, refusal: null });
    this.follow({ kind: "synced" });
    this.saving.reconnected();
    this.adopt(terms.lineage);
    if (this.puzzled) this.learnTermsIn(FIRST_QUESTION_MILLISECONDS);
  }

  private readonly closedForGood = ({ code, reason }: { code: number; reason: string }): void => {
    // The socket is gone; this ends the talk with the other tabs of this browser, too.
    this.provider.disconnect();
    if (isAnotherLineage(code, reason)) this.follow({ kind: "replaced" });
    else this.follow({ kind: "closed for good", problem: problemOfClose(code, reason) });
  };

  private readonly noteUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (this.lineage === null) this.learnTermsIn(FIRST_QUESTION_MILLISECONDS);
    if (origin === this.provider) return;
    this.saving.wrote();
    if (this.state.copied) this.change({ copied: false });
  };

  /** Send a message behind everything that this tab has; false while the server may lack some of it. */
  private sendWhenSynced(message: Uint8Array<ArrayBuffer>): boolean {
    const { ws, wsconnected, synced } = this.provider;
    // What a reader has is not asked for, so it is not sent either.
    if (ws === null || !wsconnected || !synced || !mayWrite(this.terms?.access)) return false;
    ws.send(message);
    return true;
  }

  /** Whether the server could say more than is known. */
  private get puzzled(): boolean {
    if (this.terms === null) return true;
    // A document in which nobody has written has no lineage.
    return this.lineage === null && this.doc.store.clients.size > 0;
  }

  private learnTermsIn(milliseconds: number): void {
    this.termsTimer ??= setTimeout(() => this.learnTerms(milliseconds), milliseconds);
  }

  /** Find out what may be done here, and with which document; `waited` is how long it took to ask again. */
  private readonly learnTerms = async (waited = FIRST_QUESTION_MILLISECONDS): Promise<void> => {
    clearTimeout(this.termsTimer);
    this.termsTimer = undefined;
    const { ws } = this.provider;
    // Without a connection there will be another, on terms of its own.
    if (!this.provider.wsconnected || !this.puzzled) return;
    const answer = await askAbout(this.document, this.closing.signal);
    if (this.closing.signal.aborted || this.provider.ws !== ws || !this.provider.wsconnected)
      return;
    if (answer.kind === "refused") {
      this.provider.disconnect();
      this.follow({ kind: "answered", answer });
      return;
    }
    if (answer.kind === "willing") this.told(answer.terms);
    if (this.puzzled) this.learnTermsIn(Math.min(2 * waited, LONGEST_QUESTION_MILLISECONDS));
  };

  private told(terms: Terms): void {
    const first = this.terms === null;
    this.terms = terms;
    if (!this.provider.synced) return;
    if (first) this.enter(terms);
    else this.adopt(terms.lineage);
  }

  /** Tell the server from now on which document this is, and talk to the tabs that hold the same. */
  private adopt(lineage: string | null): void {
    if (lineage === null || this.lineage !== null) return;
    this.lineage = lineage;
    this.provider.params = { ...this.provider.params, lineage };
    this.provider.bcChannel += `?lineage=${lineage}`;
    this.provider.disableBc = false;
    this.provider.connectBc();
  }

  /** Ask over HTTP why the socket did not open; one question at a time. */
  private readonly ask = async (): Promise<void> => {
    if (this.asking) return;
    this.asking = true;
    const answer = await askAbout(this.document, this.closing.signal);
    this.asking = false;
    if (this.closing.signal.aborted || this.provider.wsconnected) return;
    if (answer.kind === "refused") this.provider.disconnect();
    this.follow({ kind: "answered", answer });
  };

  /**
   * The browser says that there is no network. It may be wrong: a server on this machine needs none.
   * If the server can't be reached, drop the socket at once, which would notice in 30 seconds.
   */
  private readonly doubt = async (): Promise<void> => {
    const answer = await askAbout(this.document, this.closing.signal);
    if (this.closing.signal.aborted || answer.kind !== "unreachable") return;
    if (!this.provider.wsconnected) return;
    this.provider.disconnect();
    this.provider.connect();
  };

  /** The network is back, or somebody looks at the tab again: don't wait for the next attempt. */
  private readonly hurry = (): void => {
    if (window.document.visibilityState === "visible" && this.provider.shouldConnect) {
      this.provider.connect();
    }
  };

  /** Peers have forgotten us with our last connection, and take us back only with a newer clock. */
  private announce(): void {
    const { awareness } = this.provider;
    awareness.setLocalState(awareness.getLocalState());
  }

  private follow(event: LinkEvent): void {
    this.change({ link: nextLink(this.state.link, event) });
  }

  private change(changes: Partial<SessionState>): void {
    this.state = { ...this.state, ...changes };
    for (const watcher of this.watchers) watcher();
  }
}
