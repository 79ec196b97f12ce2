/** What this browser remembers. Nothing here fails: a browser may refuse to remember. */

/** The JSON value under `key`; undefined if there is none, or none that can be read. */
export function remembered(key: string): unknown {
  try {
    const stored = localStorage.getItem(key);
    return stored === null ? undefined : JSON.parse(stored);
  } catch {
    return undefined;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Private windows and full disks: the page works without it.
  }
}
