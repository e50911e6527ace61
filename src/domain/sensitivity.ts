/** What a column tells of a person: who it is or how to reach one, or what is the matter with one. */
type Sensitivity = 'IDENTITY' | 'HEALTH';

/**
 * Every column that may tell of a person, by its table: the one list of them. None of what they hold may be in a log, a
 * metric, a message of NATS, a URL or the text of a statement. A column that is found to hold what a person told, and is
 * not here, fails a test.
 */
export const sensitive: Readonly<Record<string, Readonly<Record<string, Sensitivity>>>> = {
  patient: {
    canonical_id: 'IDENTITY',
    name: 'IDENTITY',
    birth_date: 'IDENTITY',
    phone: 'IDENTITY',
    search_terms: 'IDENTITY',
    beliefs: 'HEALTH',
    tags: 'HEALTH',
  },
  contact: { phone: 'IDENTITY', consents: 'IDENTITY', revocations: 'IDENTITY' },
  event: { data: 'HEALTH' },
  call: {
    phone_to: 'IDENTITY',
    reason: 'HEALTH',
    goal: 'HEALTH',
    system_prompt: 'HEALTH',
    welcome_message: 'HEALTH',
    metadata: 'HEALTH',
    variables: 'HEALTH',
    tags: 'HEALTH',
    context: 'HEALTH',
    summary: 'HEALTH',
    transcript: 'HEALTH',
  },
  outbound_task: {
    phone: 'IDENTITY',
    reason: 'HEALTH',
    goal: 'HEALTH',
    metadata: 'HEALTH',
    tags: 'HEALTH',
  },
  campaign_member: { phone: 'IDENTITY' },
  trigger_run: { payload: 'HEALTH' },
  outbound_trigger: { action: 'HEALTH' },
  conversation: { phone: 'IDENTITY', reason: 'HEALTH', instruction: 'HEALTH' },
  message: { body: 'HEALTH' },
  inbound_message: { phone: 'IDENTITY', body: 'HEALTH', answer: 'HEALTH' },
  voicemail: { phone_to: 'IDENTITY' },
  outreach_attempt: { tags: 'HEALTH' },
  outreach_count: { key: 'HEALTH' },
};
