/**
 * The addresses of the page and of the server, and the document's name in them.
 *
 * All of them are below the page's root, which is wherever the server says in `<base>`: `/`, or
 * `/collab/` in somebody else's application or behind a proxy.
 */

export type Page =
  | { readonly kind: "start" }
  | { readonly kind: "document"; readonly document: string }
  | { readonly kind: "unknown" };

export type ExportFormat = "text" | "json" | "yjs";

const DOCUMENT_PREFIX = "d/";

/** The page at a path of this site. A document's name is all that comes behind `d/`. */
export function pageAt(pathname: string): Page {
  const root = startPath();
  if (!pathname.startsWith(root)) return { kind: "unknown" };
  const place = pathname.slice(root.length);
  if (place === "" || place === "d" || place === DOCUMENT_PREFIX) return { kind: "start" };
  if (!place.startsWith(DOCUMENT_PREFIX)) return { kind: "unknown" };
  return { kind: "document", document: decoded(place.slice(DOCUMENT_PREFIX.length)) };
}

/** The page's root, which is the start page; ends with a slash. */
export function startPath(): string {
  return new URL(document.baseURI).pathname;
}

export function documentPath(document: string): string {
  return startPath() + DOCUMENT_PREFIX + roomOf(document);
}

/** The document's name as a path: slashes stay, whatever else a path can't hold is encoded. */
export function roomOf(document: string): string {
  return document.split("/").map(encodeURIComponent).join("/");
}

/** Where the sockets are; the room comes behind it. As safe as the page. */
export function socketsUrl(): string {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export function apiPath(document: string): string {
  return `${startPath()}api/documents/${encodeURIComponent(document)}`;
}

export function accessPath(document: string): string {
  return `${apiPath(document)}/access`;
}

export function exportPath(document: string, format: ExportFormat): string {
  return `${apiPath(document)}/export?format=${format}`;
}

/** A path as the server decodes it: a bare "%" stands as it is, and what is no UTF-8 is U+FFFD. */
function decoded(path: string): string {
  return path.replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
    const bytes = escapes
      .slice(1)
      .split("%")
      .map((digits) => Number.parseInt(digits, 16));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  });
}
