import { Anchor, Text } from "@mantine/core";
import { startPath } from "./addresses";
import { Message } from "./Message";

/** Instead of a document with a name that the server could only refuse. */
export function ImpossiblePage() {
  return (
    <Message title="No document can have this name">
      <Text>The address holds a character that can’t be read. Perhaps the link was damaged.</Text>
      <Anchor href={startPath()}>Go to the start page</Anchor>
    </Message>
  );
}
