import { useState, type FormEvent } from 'react';
import { Input, Label, TextField } from 'react-aria-components';
import { Button, Problem } from './ui/parts.tsx';

/** Asks for an API key. It stays in this tab, and is sent to nobody but the API. */
export function SignIn({ isRefused, onEnter }: { isRefused: boolean; onEnter: (key: string) => void }) {
  const [key, setKey] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim()) onEnter(key.trim());
  };
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <p className="brand">Callwell</p>
        <h1>Sign in</h1>
        {isRefused ? <Problem message="This key is not known here, or was revoked." /> : null}
        <TextField type="password" value={key} onChange={setKey} isRequired name="key">
          <Label>API key</Label>
          <Input autoComplete="off" spellCheck="false" />
        </TextField>
        <Button type="submit" look="main">
          Sign in
        </Button>
        <p className="note">
          The key was printed when Callwell was first started; others are made under Keys. It is kept in this
          tab until you close it.
        </p>
      </form>
    </main>
  );
}
