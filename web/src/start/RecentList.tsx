import { Paper, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import classes from "./RecentList.module.css";
import { RecentRow } from "./RecentRow";
import { forget, recentDocuments } from "./recentDocuments";

export function RecentList() {
  const [recent, setRecent] = useState(recentDocuments);

  return (
    <Stack component="section" gap="sm" aria-labelledby="recent">
      <Title order={2} size="h4" id="recent">
        Recently opened
      </Title>
      {recent.length === 0 ? (
        <Paper withBorder p="lg" className={classes.empty}>
          <Text c="dimmed">Documents that you open in this browser are listed here.</Text>
        </Paper>
      ) : (
        <ul className={classes.list}>
          {recent.map((entry) => (
            <RecentRow
              key={entry.document}
              recent={entry}
              onForget={() => setRecent(forget(entry.document))}
            />
          ))}
        </ul>
      )}
    </Stack>
  );
}
