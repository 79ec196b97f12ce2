import { Button, type ButtonProps } from "@mantine/core";
import type { ComponentPropsWithRef } from "react";
import { Icon } from "../Icon";
import classes from "./ToolButton.module.css";

interface ToolButtonProps
  extends ButtonProps,
    Omit<ComponentPropsWithRef<"button">, keyof ButtonProps> {
  readonly label: string;
  /** SVG path data, see Icon. */
  readonly icon: string;
}

/** A button of the header; where there is little room, without its words. */
export function ToolButton({ label, icon, ...others }: ToolButtonProps) {
  return (
    <Button variant="default" size="xs" px="xs" title={label} aria-label={label} {...others}>
      <Icon path={icon} />
      <span className={classes.words}>{label}</span>
    </Button>
  );
}
