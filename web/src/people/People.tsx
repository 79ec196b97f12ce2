import { Avatar, FocusTrap, Popover, UnstyledButton } from "@mantine/core";
import type { Session } from "../session/Session";
import { useSessionState } from "../session/useSessionState";
import classes from "./People.module.css";
import { PeopleList } from "./PeopleList";
import { PersonAvatar } from "./PersonAvatar";
import { useIdentity } from "./useIdentity";
import { useOthers } from "./useOthers";

const MAX_AVATARS = 3;

interface PeopleProps {
  readonly session: Session;
}

/** Who is here, as faces; opened, as a list with my own name to change. */
export function People({ session }: PeopleProps) {
  const connected = useSessionState(session).link.kind === "connected";
  const others = useOthers(session.provider.awareness);
  const [identity, rename] = useIdentity(session.introduce);
  const names = others.map(({ name }) => name);
  const hidden = others.length - MAX_AVATARS;
  // Without a connection nobody knows who else is here.
  const alone = connected ? "Only you" : "You";
  const label = others.length === 0 ? alone : `${others.length + 1} here: you, ${names.join(", ")}`;

  return (
    <Popover position="bottom-end" shadow="md" width={260} trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton className={classes.faces} aria-label={label}>
          <Avatar.Group spacing={4}>
            {others.slice(0, MAX_AVATARS).map((person) => (
              <PersonAvatar key={person.clientId} name={person.name} colour={person.colour} />
            ))}
            {hidden > 0 && (
              <Avatar
                size={26}
                styles={{ placeholder: { fontSize: 10 } }}
                title={names.slice(MAX_AVATARS).join(", ")}
              >
                +{hidden}
              </Avatar>
            )}
          </Avatar.Group>
          <span className={classes.count}>
            {others.length === 0 ? alone : others.length + 1}
            {others.length > 0 && <span className={classes.here}> here</span>}
          </span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown aria-label="People">
        {/* Not the name: who only looks would get a phone's keyboard over the list. */}
        <FocusTrap.InitialFocus />
        <PeopleList identity={identity} onRename={rename} others={others} connected={connected} />
      </Popover.Dropdown>
    </Popover>
  );
}
