import { faultOfPath, valueAt, type Scene } from './event-path.ts';

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** What is wrong with a template; null: nothing. Anything in it that looks like a placeholder must be one. */
export function faultOfTemplate(template: string, hasEvent: boolean): string | null {
  if (/\{\{|\}\}/.test(template.replaceAll(placeholder, '')))
    return 'Braces must be closed: {{event.data.name}}.';
  for (const [, path] of template.matchAll(placeholder)) {
    const fault = faultOfPath(path!, hasEvent);
    if (fault) return fault;
  }
  return null;
}

/** A template that something is missing for. */
export class MissingValue extends Error {
  constructor(path: string) {
    super(`There is no ${path}.`);
  }
}

/** The text with every placeholder filled in, cut to so many characters. Throws MissingValue. */
export function render(template: string, scene: Scene, most: number): string {
  const text = template.replaceAll(placeholder, (_, path: string) => {
    const value = valueAt(path, scene);
    if (value === undefined || value === null || value === '') throw new MissingValue(path);
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
  return Array.from(text).slice(0, most).join('');
}
