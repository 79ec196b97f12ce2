import { Notice } from "./Notice";

/** For who comes to read, before they try to write. */
export function ReadOnlyNotice() {
  return (
    <Notice title="You may read this document, but not change it" tone="plain">
      <p>What others write appears here as they write it.</p>
    </Notice>
  );
}
