import type { Text } from './message.ts';

/** Twilio's default keywords of a long code: the whole text, in any case. */
const STOP = /^\s*(?:stop|unsubscribe|end|quit|stopall|revoke|optout|cancel)\s*$/i;
const START = /^\s*(?:start|unstop|yes)\s*$/i;
const HELP = /^\s*(?:help|info)\s*$/i;

/** Who wants no more texts from which of our numbers; the carrier keeps this by itself. */
export interface OptOuts {
  /** Takes a person's text to one of our numbers; gives what the carrier answers by itself, or null. */
  hear(text: Text): string | null;
  /** Whether texts of one of our numbers to a person are refused. */
  has(person: string, number: string): boolean;
}

/** A carrier that nobody has told to stop. */
export function openOptOuts(): OptOuts {
  const stopped = new Set<string>();
  const pair = (person: string, number: string) => `${person} ${number}`;
  return {
    has: (person, number) => stopped.has(pair(person, number)),
    hear: ({ from, to, body }) => {
      const both = pair(from, to);
      if (STOP.test(body) && !stopped.has(both)) {
        stopped.add(both);
        return 'You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.';
      }
      if (START.test(body) && stopped.delete(both)) {
        return 'You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe.';
      }
      return HELP.test(body) ? 'Reply STOP to unsubscribe. Msg&Data Rates May Apply.' : null;
    },
  };
}
