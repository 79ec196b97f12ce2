import { useEffect, useRef } from "react";
import type * as Y from "yjs";
import { useTextBinding } from "../text/useTextBinding";
import classes from "./TextPane.module.css";

interface TextPaneProps {
  readonly text: Y.Text;
  readonly opened: boolean;
  readonly readOnly: boolean;
}

export function TextPane({ text, opened, readOnly }: TextPaneProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  useTextBinding(area, text);

  useEffect(() => {
    // Who came to write can write; who is already elsewhere on the page is left there.
    if (opened && document.activeElement === document.body) area.current?.focus();
  }, [opened]);

  return (
    <textarea
      ref={area}
      className={classes.area}
      aria-label="Text"
      aria-busy={!opened}
      placeholder={invitation(opened, readOnly)}
      readOnly={readOnly}
      dir="auto"
    />
  );
}

function invitation(opened: boolean, readOnly: boolean): string {
  if (!opened) return "Opening the document…";
  return readOnly ? "Nothing has been written here yet." : "Write something…";
}
