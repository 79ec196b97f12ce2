import { CloseButton, Text } from "@mantine/core";
import { documentPath } from "../addresses";
import classes from "./RecentRow.module.css";
import type { RecentDocument } from "./recentDocuments";
import { timeAgo } from "./timeAgo";

interface RecentRowProps {
  readonly recent: RecentDocument;
  readonly onForget: () => void;
}

export function RecentRow({ recent, onForget }: RecentRowProps) {
  const { document, title, openedAt } = recent;
  const heading = title || document;
  const when = timeAgo(openedAt, Date.now());

  return (
    <li className={classes.row}>
      <a href={documentPath(document)} className={classes.link}>
        <Text component="span" fw={500} truncate className={classes.line}>
          {heading}
        </Text>
        <Text component="span" size="sm" c="dimmed" truncate className={classes.line}>
          {title === "" ? when : `${document} · ${when}`}
        </Text>
      </a>
      <CloseButton aria-label={`Remove ${heading} from the list`} onClick={onForget} mr="xs" />
    </li>
  );
}
