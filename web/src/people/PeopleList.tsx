import { Stack, Text, TextInput } from "@mantine/core";
import { useDraft } from "../useDraft";
import type { Identity } from "./identity";
import { MAX_PERSON_NAME_LENGTH } from "./names";
import type { Person } from "./others";
import classes from "./PeopleList.module.css";
import { PersonAvatar } from "./PersonAvatar";

interface PeopleListProps {
  readonly identity: Identity;
  readonly onRename: (name: string) => void;
  readonly others: readonly Person[];
  readonly connected: boolean;
}

export function PeopleList({ identity, onRename, others, connected }: PeopleListProps) {
  const draft = useDraft(identity.name, onRename);
  return (
    <Stack gap="sm">
      <TextInput
        {...draft}
        label="Your name"
        description="Shown to the others"
        maxLength={MAX_PERSON_NAME_LENGTH}
        autoComplete="name"
      />
      {others.length === 0 ? (
        <Text size="sm" c="dimmed">
          {connected ? "Nobody else is here." : "Who else is here shows when you are connected."}
        </Text>
      ) : (
        <ul className={classes.list} aria-label="Also here">
          {others.map(({ clientId, name, colour }) => (
            <li key={clientId} className={classes.person}>
              <PersonAvatar name={name} colour={colour} />
              <Text component="span" size="sm" truncate>
                {name}
              </Text>
            </li>
          ))}
        </ul>
      )}
    </Stack>
  );
}
