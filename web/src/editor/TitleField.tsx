import { TextInput } from "@mantine/core";
import { useDraft } from "../useDraft";
import classes from "./TitleField.module.css";

const MAX_TITLE_LENGTH = 200;

interface TitleFieldProps {
  readonly title: string;
  /** Shown as long as the document has no title. */
  readonly fallback: string;
  readonly onRename: (title: string) => void;
  readonly readOnly: boolean;
}

export function TitleField({ title, fallback, onRename, readOnly }: TitleFieldProps) {
  const draft = useDraft(title, onRename);
  return (
    <TextInput
      {...draft}
      aria-label="Title"
      placeholder={fallback}
      maxLength={MAX_TITLE_LENGTH}
      readOnly={readOnly}
      autoComplete="off"
      size="md"
      classNames={{ root: classes.root, input: classes.input }}
    />
  );
}
