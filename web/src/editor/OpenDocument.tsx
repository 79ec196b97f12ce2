import { useSession } from "../session/useSession";
import { Editor } from "./Editor";

interface OpenDocumentProps {
  readonly document: string;
  readonly onStartOver: () => void;
}

export function OpenDocument({ document, onStartOver }: OpenDocumentProps) {
  const session = useSession(document);
  return session && <Editor session={session} onStartOver={onStartOver} />;
}
