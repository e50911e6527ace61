import * as calls from '../domain/call.ts';
import * as progress from '../domain/call-progress.ts';
import * as campaigns from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import * as contacts from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import * as events from '../domain/event.ts';
import * as imports from '../domain/import.ts';
  outreach.attempts,
  outreachCount.counts,
