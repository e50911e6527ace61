import {
  at,
  codeOf,
  coded,
  compact,
  displayOf,
  numberOf,
  part,
  parts,
  textOf,
  texts,
  type Element,
} from './fhir-element.ts';
import { instantOf, invalid, type InvalidRecord, type ResourceRecord } from './record.ts';

/** One kind of resource that becomes an event. */
export interface Reading {
  type: (resource: Element) => string;
  /** Paths of the elements that may say when; the first that is there decides. */
  when: (resource: Element) => string[];
  data: (resource: Element) => Record<string, unknown>;
  /** Why this resource, though well formed, did not happen. */
  refuses?: (resource: Element) => string | null;
}

const isFinished = (encounter: Element): boolean => encounter['status'] === 'finished';

/** The resources that become events, by resourceType. */
export const readings = new Map<string, Reading>([
  [
    'Condition',
    {
      type: () => 'condition.recorded',
      when: () => ['recordedDate', 'onsetDateTime', 'onsetPeriod.start'],
      data: (resource) => ({
        ...coded(resource['code']),
        clinicalStatus: codeOf(resource['clinicalStatus']),
        verificationStatus: codeOf(resource['verificationStatus']),
        category: codeOf(parts(resource['category'])[0]),
        severity: displayOf(resource['severity']),
        onsetAt: textOf(resource['onsetDateTime']) ?? textOf(part(resource['onsetPeriod'])['start']),
        abatedAt: textOf(resource['abatementDateTime']) ?? textOf(part(resource['abatementPeriod'])['end']),
      }),
    },
  ],
  [
    'MedicationRequest',
    {
      type: () => 'medication.prescribed',
      when: () => ['authoredOn'],
      refuses: (resource) => (resource['doNotPerform'] === true ? 'It forbids the medication.' : null),
      data: prescriptionOf,
    },
  ],
  [
    'Encounter',
    {
      type: (resource) => (isFinished(resource) ? 'encounter.discharged' : 'ext.encounter_recorded'),
      when: (resource) => (isFinished(resource) ? ['period.end', 'period.start'] : ['period.start']),
      data: encounterOf,
    },
  ],
  [
    'AllergyIntolerance',
    {
      type: () => 'ext.allergy_recorded',
      when: () => ['recordedDate', 'onsetDateTime', 'onsetPeriod.start'],
      data: (resource) => ({
        ...coded(resource['code']),
        clinicalStatus: codeOf(resource['clinicalStatus']),
        verificationStatus: codeOf(resource['verificationStatus']),
        allergyType: textOf(resource['type']),
        categories: texts(resource['category']),
        criticality: textOf(resource['criticality']),
        reactions: parts(resource['reaction'])
          .flatMap((reaction) => parts(reaction['manifestation']).map(displayOf))
          .filter((reaction) => reaction !== null),
      }),
    },
  ],
  [
    'Immunization',
    {
      type: () => 'ext.immunization_given',
      when: () => ['occurrenceDateTime'],
      refuses: (resource) => (resource['status'] === 'not-done' ? 'The vaccine was not given.' : null),
      data: (resource) => ({ ...coded(resource['vaccineCode']), status: textOf(resource['status']) }),
    },
  ],
]);

function prescriptionOf(resource: Element): Record<string, unknown> {
  const medication = resource['medicationCodeableConcept'];
  const dosage = parts(resource['dosageInstruction'])[0] ?? {};
  const repeat = part(part(dosage['timing'])['repeat']);
  const dose = part(parts(dosage['doseAndRate'])[0]?.['doseQuantity']);
  const reason = parts(resource['reasonCode'])[0];
  return {
    ...coded(medication),
    text: displayOf(medication) ?? textOf(part(resource['medicationReference'])['display']),
    status: textOf(resource['status']),
    intent: textOf(resource['intent']),
    reason: displayOf(reason) ?? textOf(parts(resource['reasonReference'])[0]?.['display']),
    dosageText: textOf(dosage['text']),
    asNeeded: dosage['asNeededBoolean'] === true ? true : null,
    doseAmount: numberOf(dose['value']),
    doseUnit: textOf(dose['unit']),
    // "frequency times every period periodUnit", such as 2 times every 1 d
    frequency: numberOf(repeat['frequency']),
    period: numberOf(repeat['period']),
    periodUnit: textOf(repeat['periodUnit']),
    refills: numberOf(part(resource['dispenseRequest'])['numberOfRepeatsAllowed']),
    prescriber: textOf(part(resource['requester'])['display']),
  };
}

function encounterOf(resource: Element): Record<string, unknown> {
  const period = part(resource['period']);
  const reason = parts(resource['reasonCode'])[0];
  return {
    ...coded(parts(resource['type'])[0]),
    status: textOf(resource['status']),
    class: textOf(part(resource['class'])['code']),
    reason: displayOf(reason) ?? textOf(parts(resource['reasonReference'])[0]?.['display']),
    startedAt: textOf(period['start']),
    endedAt: textOf(period['end']),
    dischargeDisposition: displayOf(part(resource['hospitalization'])['dischargeDisposition']),
    provider: textOf(part(resource['serviceProvider'])['display']),
  };
}

/** What a resource says besides whom it is about; `reference` is its own. */
export function readEvent(
  resource: Element,
  reading: Reading,
  reference: string,
): Omit<ResourceRecord, 'kind' | 'patientCanonicalId'> | InvalidRecord {
  const isMistake = [resource['status'], codeOf(resource['verificationStatus'])].includes('entered-in-error');
  const refusal = isMistake ? 'It was entered in error.' : reading.refuses?.(resource);
  if (refusal) return invalid('status', `${reference} is not imported. ${refusal}`);
  const paths = reading.when(resource);
  const path = paths.find((each) => at(resource, each) != null);
  if (!path) return invalid(paths[0] ?? null, `${reference} does not say when: no ${paths.join(', no ')}.`);
  const written = at(resource, path);
  const effectiveAt = typeof written === 'string' ? instantOf(written) : null;
  if (!effectiveAt)
    return invalid(path, `${reference} has a ${path} that is no date FHIR allows; a time needs its offset.`);
  return { reference, type: reading.type(resource), effectiveAt, data: compact(reading.data(resource)) };
}
