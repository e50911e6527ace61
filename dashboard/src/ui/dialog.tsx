import type { FormEvent, ReactNode } from 'react';
import { Dialog, DialogTrigger, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { Button, Problem } from './parts.tsx';

/** A button that opens a form. `onSubmit` answers whether it is done; else `problem` says why not. */
export function FormDialog(props: {
  label: string;
  look?: 'plain' | 'main' | 'quiet' | 'danger';
  title: string;
  submit: string;
  problem: ReactNode;
  isRunning: boolean;
  onOpen?: () => void;
  onSubmit: () => Promise<boolean>;
  children: ReactNode;
}) {
  return (
    <DialogTrigger onOpenChange={(isOpen) => isOpen && props.onOpen?.()}>
      <Button look={props.look ?? 'plain'}>{props.label}</Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog>
            {({ close }) => (
              <form
                onSubmit={(event: FormEvent) => {
                  event.preventDefault();
                  void props.onSubmit().then((isDone) => isDone && close());
                }}
              >
                <Heading slot="title">{props.title}</Heading>
                {props.children}
                {typeof props.problem === 'string' ? <Problem message={props.problem} /> : props.problem}
                <div className="actions">
                  <Button look="quiet" onPress={close}>
                    Leave it
                  </Button>
                  <Button
                    type="submit"
                    look={props.look === 'danger' ? 'danger' : 'main'}
                    isDisabled={props.isRunning}
                  >
                    {props.submit}
                  </Button>
                </div>
              </form>
            )}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}
