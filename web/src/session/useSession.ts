import { useEffect, useState } from "react";
import { ownIdentity } from "../people/identity";
import { Session } from "./Session";

/** The session of `document`, open as long as the component stands; null before the first effect. */
export function useSession(document: string): Session | null {
  const [session, setSession] = useState<Session | null>(null);

  useEffect(() => {
    const opened = new Session(document, ownIdentity());
    setSession(opened);
    return () => {
      setSession(null);
      opened.close();
    };
  }, [document]);

  return session;
}
