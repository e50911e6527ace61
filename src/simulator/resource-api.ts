import type { ListRequest } from './list.ts';

/** What the API answers. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  /** True: the connection breaks instead, after everything was done. */
  readonly isLost?: boolean;
}

/** One of Twilio's resources. Every method throws the ApiError that Twilio answers. */
export interface ResourceApi {
  create(form: URLSearchParams): Promise<Answer>;
  fetch(sid: string, path: string): Answer;
  list(request: ListRequest): Answer;
  update(sid: string, path: string, form: URLSearchParams): Answer;
  remove(sid: string, path: string): Answer;
  /** Drops everything without another word, and waits until nothing of it is left. */
  close(): Promise<void>;
}
