import { useEffect, useMemo, useState } from 'react';
import { openSession, SessionProvider, type Session } from './live/session.tsx';
import { Shell } from './shell.tsx';
import { SignIn } from './sign-in.tsx';

/** Where the key is kept: this tab alone, until it is closed. */
const keyName = 'callwell-key';

/** The page: signing in, then everything else. */
export function App() {
  const [key, setKey] = useState(() => sessionStorage.getItem(keyName));
  const [isRefused, setRefused] = useState(false);
  const [session, setSession] = useState<Session | null>(null);
  useEffect(() => {
    if (key === null) return;
    sessionStorage.setItem(keyName, key);
    const opened = openSession(key, (why) => {
      sessionStorage.removeItem(keyName);
      setRefused(why === 'refused');
      setKey(null);
    });
    // oxlint-disable-next-line react/set-state-in-effect -- what is open is closed with the page, so an effect opens it
    setSession(opened);
    return () => {
      setSession(null);
      opened.close();
    };
  }, [key]);
  const enter = useMemo(
    () => (entered: string) => {
      setRefused(false);
      setKey(entered);
    },
    [],
  );
  if (key === null) return <SignIn isRefused={isRefused} onEnter={enter} />;
  if (!session) return null;
  return (
    <SessionProvider session={session}>
      <Shell />
    </SessionProvider>
  );
}
