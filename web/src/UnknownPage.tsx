import { Anchor } from "@mantine/core";
import { Message } from "./Message";

export function UnknownPage() {
  return (
    <Message title="There is nothing at this address">
      <Anchor href="/">Go to the start page</Anchor>
    </Message>
  );
}
