import { NotFoundRefusal } from '../domain/refusal.ts';
import { builder } from './builder.ts';
import { answering } from './error.ts';

const WebhookSecretPayload = builder
  .objectRef<{ secret: string; previousValidUntil: Date }>('WebhookSecretPayload')
  .implement({
    fields: (t) => ({
      secret: t.exposeString('secret', { description: 'Shown this once.' }),
      previousValidUntil: t.expose('previousValidUntil', {
        type: 'DateTime',
        description: 'Until then what is signed with the one before is believed too.',
      }),
    }),
  });
export const WebhookSecretResult = answering('WebhookSecretResult', WebhookSecretPayload, NotFoundRefusal);
