import { Button, Container, Divider, Group, Stack, Text, Title } from "@mantine/core";
import { documentPath } from "../addresses";
import { randomName } from "../documentName";
import logo from "../favicon.svg";
import { OpenForm } from "./OpenForm";
import { RecentList } from "./RecentList";

export function StartPage() {
  return (
    <Container component="main" size="38rem" py={{ base: "xl", sm: 72 }}>
      <Stack gap="xl">
        <header>
          <Group gap="sm">
            <img src={logo} alt="" width={36} height={36} />
            <Title order={1}>collab</Title>
          </Group>
          <Text c="dimmed" mt="xs">
            Write together. Open a document and send its link to the others.
          </Text>
        </header>
        <Stack>
          <OpenForm />
          <Divider label="or" />
          <Button variant="default" onClick={() => location.assign(documentPath(randomName()))}>
            New document
          </Button>
        </Stack>
        <RecentList />
      </Stack>
    </Container>
  );
}
