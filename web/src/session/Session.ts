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
import { askLineage, isAnotherLineage } from "./lineage";
import { FIRST_LINK, type Link, type LinkEvent, nextLink } from "./link";
import { askAbout } from "./problem";
import { SaveWatch } from "./SaveWatch";
import { MESSAGE_SYNC_STATUS, readSyncStatus, syncStatus } from "./syncStatus";

export interface SessionState {
  readonly link: Link;
  /** Whether the document was here in full at least once. */
  readonly opened: boolean;
  /** Whether something that was written here may not be on the server's disk. */
  readonly unsaved: boolean;
  /** Why the server does not take edits from this connection; null while it does. */
  readonly refusal: string | null;
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

  private state: SessionState = { link: FIRST_LINK, opened: false, unsaved: false, refusal: null };
  private readonly watchers = new Set<() => void>();
  private readonly closing = new AbortController();
  private readonly saving = new SaveWatch(
    (version) => this.sendWhenSynced(syncStatus(version)),
    () => this.change({ unsaved: this.saving.unsaved }),
  );
  private asking = false;
  private lineage: string | null = null;
  private lineageTimer: ReturnType<typeof setTimeout> | undefined;

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
    clearTimeout(this.lineageTimer);
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

  private readonly statusChanged = ({ status }: StatusEvent): void => {
    switch (status) {
      case "connecting":
        this.follow({ kind: "dialled", attempt: this.provider.wsUnsuccessfulReconnects });
        break;
      case "connected":
        this.announce();
        break;
      case "disconnected":
        this.saving.lost();
        this.follow({ kind: "dropped" });
        break;
    }
  };

  private readonly syncChanged = (synced: boolean): void => {
    if (!synced) return;
    this.change({ opened: true });
    this.follow({ kind: "synced" });
    this.saving.reconnected();
    void this.learnLineage();
  };

  private readonly closedForGood = ({ code, reason }: { code: number; reason: string }): void => {
    // The socket is gone; this ends the talk with the other tabs of this browser, too.
    this.provider.disconnect();
    if (isAnotherLineage(code, reason)) this.follow({ kind: "replaced" });
    else this.follow({ kind: "closed for good", problem: problemOfClose(code, reason) });
  };

  private readonly noteUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (this.lineage === null) this.learnLineageIn(FIRST_QUESTION_MILLISECONDS);
    if (origin !== this.provider) this.saving.wrote();
  };

  /** Send a message behind everything that this tab has; false while the server may lack some of it. */
  private sendWhenSynced(message: Uint8Array<ArrayBuffer>): boolean {
    const { ws, wsconnected, synced } = this.provider;
    if (ws === null || !wsconnected || !synced) return false;
    ws.send(message);
    return true;
  }

  private learnLineageIn(milliseconds: number): void {
    this.lineageTimer ??= setTimeout(() => this.learnLineage(milliseconds), milliseconds);
  }

  /** Find out which document of this name is here; `waited` is how long it took to ask again. */
  private readonly learnLineage = async (waited = FIRST_QUESTION_MILLISECONDS): Promise<void> => {
    clearTimeout(this.lineageTimer);
    this.lineageTimer = undefined;
    const { ws } = this.provider;
    // A document in which nobody has written has none; without a connection there will be another.
    if (this.lineage !== null || !this.provider.synced || this.doc.store.clients.size === 0) return;
    const lineage = await askLineage(this.document, this.closing.signal);
    if (this.closing.signal.aborted || this.lineage !== null) return;
    // Over a new connection, the answer may be about another document than the one that is here.
    if (lineage !== null && this.provider.synced && this.provider.ws === ws) this.adopt(lineage);
    else this.learnLineageIn(Math.min(2 * waited, LONGEST_QUESTION_MILLISECONDS));
  };

  /** Tell the server from now on which document this is, and talk to the tabs that hold the same. */
  private adopt(lineage: string): void {
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
