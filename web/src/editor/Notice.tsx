import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Notice.module.css";

interface NoticeProps {
  readonly title: string;
  readonly tone: "waiting" | "bad";
  readonly children: ReactNode;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export function Notice({ title, tone, children, action }: NoticeProps) {
  return (
    <div role="alert" className={classes.notice} data-tone={tone}>
      <div className={classes.column}>
        <div className={classes.words}>
          <p className={classes.title}>{title}</p>
          {children}
        </div>
        {action && (
          <Button size="xs" variant="default" onClick={action.run}>
            {action.label}
          </Button>
        )}
      </div>
    </div>
  );
}
