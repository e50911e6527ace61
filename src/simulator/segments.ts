/** GSM 03.38: the characters that take one septet; those of the extension table take two. */
const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const EXTENSION = '\f^{}\\[~]|€';

/** How many units one message holds alone, and each part of several after its header. */
const GSM = { alone: 160, part: 153 };
const UCS2 = { alone: 70, part: 67 };

/** In how many segments a text travels: GSM-7 where every character is in its table, else UCS-2. An empty one is one. */
export function segmentsOf(body: string): number {
  const characters = Array.from(body);
  const isGsm = characters.every((one) => BASIC.includes(one) || EXTENSION.includes(one));
  const sizes = characters.map((one) => (isGsm ? 1 + Number(EXTENSION.includes(one)) : one.length));
  const { alone, part } = isGsm ? GSM : UCS2;
  const units = sizes.reduce((sum, size) => sum + size, 0);
  return units <= alone ? 1 : partsOf(sizes, part);
}

/** A character of two units is never torn: what does not fit begins the next part. */
function partsOf(sizes: readonly number[], room: number): number {
  let parts = 1;
  let used = 0;
  for (const size of sizes) {
    if (used + size > room) {
      parts += 1;
      used = 0;
    }
    used += size;
  }
  return parts;
}
