import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** A resource of another system that has become an event: what makes importing it again harmless. */
export const table = defineEntity({
  name: 'ImportedResource',
  tableName: 'imported_resource',
  properties: {
    workspaceId: p.uuid().primary(),
    sourceSystem: p.text().primary(),
    /** The resource's own name there, such as Condition/0023b3a7. */
    reference: p.text().primary(),
    /** Hex SHA-256 of what was imported of it; another hash is news that supersedes the event. */
    contentHash: p.text(),
    eventId: p.uuid(),
  },
});
/** One resource that was imported. */
export interface ImportedResource extends InferEntity<typeof table> {}
