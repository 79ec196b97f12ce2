import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { documentPath } from "../addresses";
import { faultIn, nameFrom } from "../documentName";
import classes from "./OpenForm.module.css";

export function OpenForm() {
  const [typed, setTyped] = useState("");
  const [fault, setFault] = useState<string | null>(null);

  const open = (event: FormEvent): void => {
    event.preventDefault();
    const name = nameFrom(typed);
    const found = faultIn(name);
    setFault(found);
    if (found === null) location.assign(documentPath(name));
  };

  return (
    <form onSubmit={open} noValidate>
      <TextInput
        label="Document name"
        placeholder="team/meeting notes"
        autoComplete="off"
        value={typed}
        error={fault}
        inputContainer={(input) => (
          <div className={classes.line}>
            {input}
            <Button type="submit">Open</Button>
          </div>
        )}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setFault(null);
        }}
      />
    </form>
  );
}
