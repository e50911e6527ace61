import './call.ts';
import './campaign.ts';
import './campaign-run.ts';
import './clock.ts';
import './contact.ts';
import './conversation.ts';
import './event.ts';
import './import.ts';
import './outcome.ts';
import './outreach.ts';
import './patient.ts';
import './policy.ts';
import './subscription.ts';
import './task.ts';
import './task-list.ts';
import './trigger.ts';
import './voicemail.ts';
import './workspace.ts';
import { builder } from '../schema/builder.ts';

/** The whole API: every noun in ../schema, every verb in this folder. */
export const schema = builder.toSchema();
