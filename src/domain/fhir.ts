import { isElement, part, textOf } from './fhir-element.ts';
import { readEvent, readings } from './fhir-event.ts';
import { readPatient } from './fhir-patient.ts';
import { canonicalIdOf, invalid, isId, storable, type ImportRecord } from './record.ts';

/** The reference to the patient that a resource is about, as written; null when there is none, as in a Patient. */
export function subjectOf(resource: unknown): string | null {
  const { subject, patient } = part(resource);
  return textOf(part(subject)['reference']) ?? textOf(part(patient)['reference']);
}

/** The id in "Patient/ID", in a URL that ends so, or in "urn:uuid:ID" when there is nothing to look it up in. */
function patientIdOf(reference: string, resolve?: ReadonlyMap<string, string>): string | null {
  const resolved = resolve?.get(reference);
  if (resolved !== undefined) return resolved;
  const isUrn = reference.startsWith('urn:');
  if (isUrn && resolve) return null;
  const id = isUrn
    ? reference.split(':').at(-1)
    : /(?:^|\/)Patient\/([^/]+)(?:\/_history\/[^/]+)?$/.exec(reference)?.[1];
  return id !== undefined && isId(id) ? id : null;
}

/**
 * What a FHIR R4 resource says, or why it cannot be imported. `resolve` leads from the fullUrl of a Bundle's entries
 * to the ids of their patients; without it, "urn:uuid:ID" is taken to be the patient ID.
 */
export function readResource(
  resource: unknown,
  sourceSystem: string,
  resolve?: ReadonlyMap<string, string>,
): ImportRecord {
  if (!isElement(resource)) return invalid(null, 'This is not a FHIR resource: it has to be a JSON object.');
  const resourceType = textOf(resource['resourceType']);
  if (!resourceType) return invalid('resourceType', 'The resource has no resourceType.');
  const reading = readings.get(resourceType);
  if (!reading && resourceType !== 'Patient')
    return invalid('resourceType', `${resourceType} is not imported.`);
  const id = textOf(resource['id']);
  if (!id || !isId(id))
    return invalid('id', `The ${resourceType} has no id by which it can be told from others.`);
  if (!reading) return storable(readPatient(resource, canonicalIdOf(sourceSystem, id)));
  const reference = `${resourceType}/${id}`;
  const subject = subjectOf(resource);
  if (!subject) return invalid('subject', `${reference} does not say which patient it is about.`);
  const patientId = patientIdOf(subject, resolve);
  if (!patientId)
    return invalid('subject', `${reference} is about "${subject}", which is no Patient known here.`);
  const event = readEvent(resource, reading, reference);
  if ('kind' in event) return event;
  return storable({ kind: 'resource', patientCanonicalId: canonicalIdOf(sourceSystem, patientId), ...event });
}
