import { Menu } from "@mantine/core";
import { type ExportFormat, exportPath } from "../addresses";
import { ToolButton } from "./ToolButton";

const FORMATS: readonly (readonly [ExportFormat, string])[] = [
  ["text", "Plain text"],
  ["json", "JSON"],
  ["yjs", "Yjs update"],
];

const DOWNLOAD = "M12 4v11m0 0 4-4m-4 4-4-4M5 20h14";

interface ExportMenuProps {
  readonly document: string;
}

export function ExportMenu({ document }: ExportMenuProps) {
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <ToolButton label="Export" icon={DOWNLOAD} />
      </Menu.Target>
      <Menu.Dropdown>
        {FORMATS.map(([format, label]) => (
          <Menu.Item key={format} component="a" href={exportPath(document, format)} download>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
