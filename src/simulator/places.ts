/** The parameters that say where a number is. Nothing is known but the country, and empty parameters are sent. */
export function placeOf(prefix: string, number: string): Record<string, string> {
  const country = number.startsWith('+1') ? 'US' : '';
  return {
    [`${prefix}City`]: '',
    [`${prefix}State`]: '',
    [`${prefix}Zip`]: '',
    [`${prefix}Country`]: country,
  };
}
