import type { ReactNode } from "react";
import classes from "./Notice.module.css";

interface NoticeProps {
  readonly title: string;
  readonly tone: "plain" | "waiting" | "bad";
  readonly children: ReactNode;
  /** Buttons. */
  readonly actions?: ReactNode;
}

export function Notice({ title, tone, children, actions }: NoticeProps) {
  return (
    <div role={tone === "plain" ? "status" : "alert"} className={classes.notice} data-tone={tone}>
      <div className={classes.column}>
        <div className={classes.words}>
          <p className={classes.title}>{title}</p>
          {children}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
    </div>
  );
}
