import { useEffect, useState } from "react";
import { noteOpened } from "../start/recentDocuments";

/** Put the document first in the start page's list once it is `opened`, and keep its title there. */
export function useNotedAsRecent(document: string, title: string, opened: boolean): void {
  const [openedAt] = useState(Date.now);

  useEffect(() => {
    if (opened) noteOpened({ document, title, openedAt });
  }, [document, title, opened, openedAt]);
}
