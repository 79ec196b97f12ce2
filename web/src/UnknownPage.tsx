import { Anchor } from "@mantine/core";
import { startPath } from "./addresses";
import { Message } from "./Message";

export function UnknownPage() {
  return (
    <Message title="There is nothing at this address">
      <Anchor href={startPath()}>Go to the start page</Anchor>
    </Message>
  );
}
