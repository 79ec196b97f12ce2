import { Center, Paper, Stack, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface MessageProps {
  readonly title: string;
  readonly children: ReactNode;
}

/** A page that says one thing. */
export function Message({ title, children }: MessageProps) {
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="xl" maw="30rem" w="100%">
        <Stack align="flex-start">
          <Title order={1} size="h3">
            {title}
          </Title>
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}
