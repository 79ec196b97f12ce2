import { useState } from "react";
import { OpenDocument } from "./OpenDocument";

interface EditorPageProps {
  readonly document: string;
}

export default function EditorPage({ document }: EditorPageProps) {
  const [beginnings, setBeginnings] = useState(0);
  const startOver = (): void => setBeginnings((count) => count + 1);

  // Another key is another component: nothing of what was open is left.
  return <OpenDocument key={beginnings} document={document} onStartOver={startOver} />;
}
