/** What Twilio's API says instead of a resource: an error code, a message, and the HTTP status it comes with. */
export class ApiError extends Error {
  /** Twilio's error code, such as 21211; https://www.twilio.com/docs/api/errors. */
  readonly code: number;
  /** HTTP status of the answer: 400 unless the code has one of its own. */
  readonly status: number;
  /** A second sentence that only authentication errors carry. */
  readonly detail: string | undefined;

  constructor(code: number, message: string, detail?: string) {
    super(message);
    this.code = code;
    this.status = STATUS_OF_CODE[code] ?? 400;
    this.detail = detail;
  }

  /** The JSON body as Twilio writes it: `{code, message, more_info, status}`, and `detail` if there is one. */
  body(): Record<string, unknown> {
    return {
      code: this.code,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      message: this.message,
      more_info: `https://www.twilio.com/docs/errors/${this.code}`,
      status: this.status,
    };
  }
}

/** Twilio: every 2120x, 2121x and 21220 is a 400; these are not. */
const STATUS_OF_CODE: Record<number, number> = {
  20003: 401,
  20004: 405,
  20404: 404,
  20429: 429,
  20500: 500,
  20503: 503,
};

/** Twilio: 20003; says whether the name or the secret was wrong, or both were missing. */
export function notAuthenticated(given: 'nothing' | 'wrong name' | 'wrong secret'): ApiError {
  const detail = 'Your AccountSid or AuthToken was incorrect.';
  if (given === 'wrong secret') return new ApiError(20003, 'Authenticate', detail);
  const reason = given === 'nothing' ? 'No credentials provided' : 'invalid username';
  return new ApiError(20003, `Authentication Error - ${reason}`, detail);
}

/** Twilio: 20404, for a path that leads nowhere or a resource that was deleted. */
export function notFound(path: string): ApiError {
  return new ApiError(20404, `The requested resource ${path} was not found`);
}
