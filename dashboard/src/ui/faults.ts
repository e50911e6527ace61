import { createContext, useContext, useEffect, type Dispatch, type SetStateAction } from 'react';

/** What the API says of one field of an input. */
export interface Fault {
  path: string[];
  message: string;
}

/** What a form was refused with, and the names of its fields that tell of their own. */
export const Faults = createContext<{
  faults: Fault[];
  names: readonly string[];
  setNames: Dispatch<SetStateAction<readonly string[]>> | null;
}>({ faults: [], names: [], setNames: null });

/** A field's name as the API's path has it, without the argument that everything is in. */
const nameOf = ({ path }: Fault): string => (path[0] === 'input' ? path.slice(1) : path).join('.');

/** Whether a fault is of a field, or of something within it. */
const isOf = (fault: Fault, name: string): boolean =>
  nameOf(fault) === name || nameOf(fault).startsWith(`${name}.`);

/** What is wrong with a field, in words; null: nothing, or nobody has said. */
export function useFault(name: string | undefined): string | null {
  const { faults, setNames } = useContext(Faults);
  useEffect(() => {
    if (!name || !setNames) return;
    setNames((names) => [...names, name]);
    return () => setNames((names) => names.filter((other) => other !== name));
  }, [name, setNames]);
  const own = name ? faults.filter((fault) => isOf(fault, name)) : [];
  return own.length > 0 ? own.map(({ message }) => message).join(' ') : null;
}

/** The faults that none of these fields tells of. */
export const untold = (faults: Fault[], names: readonly string[]): Fault[] =>
  faults.filter((fault) => !names.some((name) => isOf(fault, name)));
