const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Rows that name this id, as a condition. What is no id is nobody's. */
export const named = (id: string): { eq: string } | { in: string[] } =>
  uuid.test(id) ? { eq: id } : { in: [] };
