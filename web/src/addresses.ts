/** The addresses of the page and of the server, and the document's name in them. */

export type Page =
  | { readonly kind: "start" }
  | { readonly kind: "document"; readonly document: string }
  | { readonly kind: "unknown" };

export type ExportFormat = "text" | "json" | "yjs";

const DOCUMENT_PREFIX = "/d/";

/** The page at a path of this site. A document's name is all that comes behind `/d/`. */
export function pageAt(pathname: string): Page {
  if (pathname === "/" || pathname === "/d" || pathname === DOCUMENT_PREFIX) {
    return { kind: "start" };
  }
  if (!pathname.startsWith(DOCUMENT_PREFIX)) return { kind: "unknown" };
  return { kind: "document", document: decoded(pathname.slice(DOCUMENT_PREFIX.length)) };
}

export function documentPath(document: string): string {
  return DOCUMENT_PREFIX + roomOf(document);
}

/** The document's name as a path: slashes stay, whatever else a path can't hold is encoded. */
export function roomOf(document: string): string {
  return document.split("/").map(encodeURIComponent).join("/");
}

/** Where the sockets are; the room comes behind it. */
export function socketsAt(location: Pick<Location, "protocol" | "host">): string {
  const protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return `${protocol}//${location.host}/ws`;
}

export function apiPath(document: string): string {
  return `/api/documents/${encodeURIComponent(document)}`;
}

export function exportPath(document: string, format: ExportFormat): string {
  return `${apiPath(document)}/export?format=${format}`;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A bare "%" was typed into the address bar: it is meant as it stands.
    return path;
  }
}
