import { Button } from "@mantine/core";

interface RetryButtonProps {
  readonly label: string;
  readonly onRetry: () => void;
}

export function RetryButton({ label, onRetry }: RetryButtonProps) {
  return (
    <Button size="xs" variant="default" onClick={onRetry}>
      {label}
    </Button>
  );
}
