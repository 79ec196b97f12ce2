import { useSession } from "../session/useSession";
import { Editor } from "./Editor";

interface EditorPageProps {
  readonly document: string;
}

export default function EditorPage({ document }: EditorPageProps) {
  const session = useSession(document);
  return session && <Editor session={session} />;
}
