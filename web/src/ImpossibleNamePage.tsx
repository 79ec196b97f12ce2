import { Anchor, Text } from "@mantine/core";
import { startPath } from "./addresses";
import { Message } from "./Message";

interface ImpossibleNamePageProps {
  /** What is wrong about the name, in words for the person. */
  readonly reason: string;
}

/** For an address behind which no document can be, so that nobody waits for a connection to it. */
export function ImpossibleNamePage({ reason }: ImpossibleNamePageProps) {
  return (
    <Message title="No document can have this name">
      <Text>{reason}</Text>
      <Anchor href={startPath()}>Go to the start page</Anchor>
    </Message>
  );
}
