import { useContext, useEffect, useMemo, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { Dialog, DialogTrigger, Heading, Modal, ModalOverlay } from 'react-aria-components';
import type { Doing } from './action.ts';
import { Faults, untold } from './faults.ts';
import { Button, Problem } from './parts.tsx';

interface Form {
  title: string;
  /** What the button says that does it. */
  submit: string;
  look?: 'plain' | 'main' | 'quiet' | 'danger';
  /** What is done: its refusals are told at the fields that they are of, and the rest beneath all. */
  action: Doing;
  /** In place of the refusal's words. */
  problem?: ReactNode;
  /** Answers whether it is done. */
  onSubmit: () => Promise<boolean>;
  children: ReactNode;
}

/** A button that opens a form. */
export function FormDialog({ label, onOpen, ...form }: Form & { label: string; onOpen?: () => void }) {
  const open = () => {
    form.action.forget();
    onOpen?.();
  };
  return (
    <DialogTrigger onOpenChange={(isOpen) => isOpen && open()}>
      <Button look={form.look ?? 'plain'}>{label}</Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog>{({ close }) => <DialogForm {...form} close={close} />}</Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}

function DialogForm({ action, onSubmit, close, ...form }: Form & { close: () => void }) {
  const own = useRef<HTMLFormElement>(null);
  const [names, setNames] = useState<readonly string[]>([]);
  const { faults } = action;
  const said = useMemo(() => ({ faults, names, setNames }), [faults, names]);
  // Whoever cannot see it is brought to the first field that is to be changed.
  useEffect(() => {
    if (faults.length > 0) own.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [faults]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void onSubmit().then((isDone) => isDone && close());
  };
  return (
    <Faults value={said}>
      <form ref={own} onSubmit={submit}>
        <Heading slot="title">{form.title}</Heading>
        {form.children}
        {form.problem ?? <Refused action={action} />}
        <div className="actions">
          <Button look="quiet" onPress={close}>
            Leave it
          </Button>
          <Button
            type="submit"
            look={form.look === 'danger' ? 'danger' : 'main'}
            isDisabled={action.isRunning}
          >
            {form.submit}
          </Button>
        </div>
      </form>
    </Faults>
  );
}

/** What no field tells of; where all is told at the fields, that they are to be looked at. */
function Refused({ action }: { action: Doing }) {
  const { problem, faults } = action;
  const { names } = useContext(Faults);
  if (problem === null) return null;
  if (faults.length === 0) return <Problem message={problem} />;
  const rest = untold(faults, names).map(({ message }) => message);
  return <Problem message={rest.join(' ') || 'Nothing was changed: some fields need another look.'} />;
}
