/** One TwiML verb or noun, such as `<Say voice="alice">Hello</Say>`. */
export interface Verb {
  /** The element's name, case as written: `Say`. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Verb[];
  /** Its own text without that of its children, trimmed, with entities resolved. */
  readonly text: string;
}

/** A document that is not TwiML; Twilio: 12100, document parse failure. */
export class TwimlError extends Error {}

interface OpenVerb extends Verb {
  readonly children: Verb[];
  text: string;
}

/** One token of the subset of XML that TwiML uses: no DOCTYPE, no namespaces, no processing beyond the prolog. */
const TOKEN = new RegExp(
  [
    /(?<skipped><!--[^]*?-->|<\?[^]*?\?>)/,
    /<!\[CDATA\[(?<raw>[^]*?)\]\]>/,
    /<\/(?<closed>[\w.-]+)\s*>/,
    /<(?<opened>[\w.-]+)(?<attributes>(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>\/?)>/,
    /(?<text>[^<]+)/,
  ]
    .map((part) => part.source)
    .join('|'),
  'y',
);
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The verbs of a TwiML document, in order. Throws TwimlError if it is not a well-formed `<Response>`. */
export function parseTwiml(source: string): readonly Verb[] {
  const document: OpenVerb = { name: '', attributes: {}, children: [], text: '' };
  const open = [document];
  for (const token of tokensOf(source.replace(/^\uFEFF/, '').trim())) read(token, open);
  const [response, ...others] = document.children;
  if (open.length > 1) throw new TwimlError(`<${open.at(-1)?.name}> is never closed`);
  if (response?.name !== 'Response' || others.length > 0 || document.text !== '') {
    throw new TwimlError('the document is not one <Response>');
  }
  return response.children;
}

type Token = Readonly<Record<string, string | undefined>>;

function* tokensOf(source: string): Generator<Token> {
  // A pattern of its own: a sticky one remembers where it is.
  const pattern = new RegExp(TOKEN, 'y');
  while (pattern.lastIndex < source.length) {
    const at = pattern.lastIndex;
    const groups = pattern.exec(source)?.groups;
    if (!groups) throw new TwimlError(`not XML from: ${source.slice(at, at + 20)}`);
    yield groups;
  }
}

function read(token: Token, open: OpenVerb[]): void {
  const parent = open.at(-1);
  if (!parent) throw new TwimlError('there is more after the end');
  if (token.text !== undefined) parent.text = (parent.text + resolved(token.text)).trim();
  else if (token.raw !== undefined) parent.text += token.raw;
  else if (token.opened !== undefined) {
    const verb = { name: token.opened, attributes: attributesOf(token), children: [], text: '' };
    parent.children.push(verb);
    if (token.empty === '') open.push(verb);
  } else if (token.closed !== undefined) {
    if (token.closed !== parent.name) throw new TwimlError(`</${token.closed}> closes <${parent.name}>`);
    open.pop();
  }
}

function attributesOf(token: Token): Record<string, string> {
  const found = (token.attributes ?? '').matchAll(ATTRIBUTE);
  return Object.fromEntries(
    Array.from(found, ([, name = '', double, single]) => [name, resolved(double ?? single ?? '')]),
  );
}

/** Text with `&amp;`, `&#39;` and `&#x27;` resolved; an entity that XML does not know is an error. */
function resolved(text: string): string {
  return text.replaceAll(/&([^;\s]*)(;?)/g, (whole, name: string, end) => {
    const number = /^#(?:x([\da-f]+)|(\d+))$/i.exec(name);
    const known = number ? characterOf(number[1], number[2]) : ENTITIES[name];
    if (end === '' || known === undefined) throw new TwimlError(`${whole} is not an entity of XML`);
    return known;
  });
}

function characterOf(hexadecimal: string | undefined, decimal: string | undefined): string | undefined {
  const code = hexadecimal ? Number.parseInt(hexadecimal, 16) : Number(decimal);
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : undefined;
}
