/** Whether it is a number as the API takes it: `+` and 7 to 15 digits. */
export function isE164(number: string): boolean {
  return /^\+[1-9]\d{6,14}$/.test(number);
}

/** Whether it is a URL that webhooks can go to. Twilio takes no underscores in its host. */
export function isWebhookUrl(url: string): boolean {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const isHttp = parsed?.protocol === 'http:' || parsed?.protocol === 'https:';
  return isHttp && !parsed.hostname.includes('_');
}

/** The form as an object; repeated keys are joined by spaces. */
export function flat(form: URLSearchParams): Record<string, string> {
  return Object.fromEntries(Array.from(form.keys(), (name) => [name, form.getAll(name).join(' ')]));
}
