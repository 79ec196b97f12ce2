import { Anchor, VisuallyHidden } from "@mantine/core";
import { startPath } from "../addresses";
import logo from "../favicon.svg";
import { People } from "../people/People";
import type { Session } from "../session/Session";
import { useSessionState } from "../session/useSessionState";
import { ConnectionBadge } from "./ConnectionBadge";
import { CopyLinkButton } from "./CopyLinkButton";
import classes from "./EditorHeader.module.css";
import { ExportMenu } from "./ExportMenu";
import { SavedBadge } from "./SavedBadge";
import { TitleField } from "./TitleField";

interface EditorHeaderProps {
  readonly session: Session;
  readonly title: string;
  readonly onRename: (title: string) => void;
  readonly readOnly: boolean;
}

export function EditorHeader({ session, title, onRename, readOnly }: EditorHeaderProps) {
  const { document } = session;
  const { link, opened, unsaved } = useSessionState(session);

  return (
    <header className={classes.header}>
      <VisuallyHidden component="h1">{title || document}</VisuallyHidden>
      <div className={classes.name}>
        <Anchor href={startPath()} aria-label="Start page" className={classes.home}>
          <img src={logo} alt="" width={28} height={28} />
        </Anchor>
        <TitleField title={title} fallback={document} onRename={onRename} readOnly={readOnly} />
      </div>
      <div className={classes.tools}>
        <ConnectionBadge link={link} opened={opened} />
        {opened && !readOnly && (
          <SavedBadge unsaved={unsaved} connected={link.kind === "connected"} />
        )}
        <div className={classes.actions}>
          <People session={session} />
          <CopyLinkButton document={document} />
          <ExportMenu document={document} />
        </div>
      </div>
    </header>
  );
}
