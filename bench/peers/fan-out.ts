/** What the peers of the fan-out serve: one subscription to changes, published in the process itself. */

/** A change, as everybody selects it. */
export const aChange = () => ({
  id: crypto.randomUUID(),
  type: 'ext.measured',
  version: 7,
  actor: 'bench',
  source: 'api',
  effectiveAt: new Date().toISOString(),
  recordedAt: new Date().toISOString(),
});

/** The schema of it. `salt` makes questions differ that are about the same. */
export const typeDefs = `
  type Change { id: ID! type: String! version: Int! actor: String! source: String! effectiveAt: String! recordedAt: String! }
  type Query { hello: String }
  type Subscription { changed(salt: String): Change! }`;

/** What is asked there. */
export const question = `subscription ($salt: String) { changed(salt: $salt) { id type version actor source effectiveAt recordedAt } }`;
