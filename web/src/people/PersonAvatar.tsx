import { Avatar, Tooltip } from "@mantine/core";
import { inkOn } from "./colours";
import { initialsOf } from "./names";

interface PersonAvatarProps {
  readonly name: string;
  readonly colour: string;
}

export function PersonAvatar({ name, colour }: PersonAvatarProps) {
  return (
    <Tooltip label={name} withArrow>
      <Avatar
        size={26}
        alt={name}
        styles={{ placeholder: { backgroundColor: colour, color: inkOn(colour), fontSize: 10 } }}
      >
        {initialsOf(name)}
      </Avatar>
    </Tooltip>
  );
}
