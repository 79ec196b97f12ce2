import { Anchor, Button, Group, Text } from "@mantine/core";
import { startPath } from "../addresses";
import { Message } from "../Message";
import { sentence } from "../sentence";
import type { Problem } from "../session/problem";
import { refusalTitle } from "./refusalTitle";

interface RefusedPageProps {
  readonly problem: Problem;
  readonly onRetry: () => void;
}

export function RefusedPage({ problem, onRetry }: RefusedPageProps) {
  return (
    <Message title={refusalTitle(problem)}>
      {problem.detail !== "" && <Text>{sentence(problem.detail)}</Text>}
      <Group>
        <Button onClick={onRetry}>Try again</Button>
        <Anchor href={startPath()}>Start page</Anchor>
      </Group>
    </Message>
  );
}
