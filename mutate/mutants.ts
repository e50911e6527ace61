import { parseSync } from 'oxc-parser';

/** One small change of a source file: what stands from `start` to `end` becomes `text`. */
export interface Mutant {
  start: number;
  end: number;
  text: string;
  /** What it is, in words. */
  name: string;
}

interface Node {
  type: string;
  start: number;
  end: number;
  [property: string]: unknown;
}

/** What stands for what, both ways unless it is said otherwise. */
const operators: Record<string, string> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
};

const methods: Record<string, string> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  floor: 'ceil',
  ceil: 'floor',
  find: 'findLast',
  findLast: 'find',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
};

/**
 * Every mutant of a source file: operators, conditions, numbers, booleans and a few methods. Texts are left alone, because
 * few of them decide anything that no condition does; so are types.
 */
export function mutantsOf(file: string, source: string): Mutant[] {
  const { program } = parseSync(file, source);
  const mutants: Mutant[] = [];
  const add = (node: Pick<Node, 'start' | 'end'>, text: string, name: string) =>
    mutants.push({ start: node.start, end: node.end, text, name });
  walk(program as unknown as Node, (node) => {
    const mutate = mutations[node.type];
    mutate?.(node, source, add);
  });
  return mutants;
}

type Add = (node: Pick<Node, 'start' | 'end'>, text: string, name: string) => void;

const between = (left: Node, right: Node, source: string, operator: string) => {
  const start = source.indexOf(operator, left.end);
  return start < 0 || start >= right.start ? null : { start, end: start + operator.length };
};

function swapOperator(node: Node, source: string, add: Add): void {
  const { operator, left, right } = node as unknown as { operator: string; left: Node; right: Node };
  const text = operators[operator];
  const place = between(left, right, source, operator);
  const isOfTexts =
    operator === '+' &&
    [left, right].some(({ type, value }) => type === 'TemplateLiteral' || typeof value === 'string');
  if (text && place && !isOfTexts) add(place, text, `${operator} becomes ${text}`);
  if (operator === '??') add(node, source.slice(left.start, left.end), '?? is left out');
}

function decide(node: Node, _source: string, add: Add): void {
  const test = node['test'] as Node;
  for (const text of ['true', 'false']) add(test, text, `the condition is ${text}`);
}

const mutations: Record<string, (node: Node, source: string, add: Add) => void> = {
  BinaryExpression: swapOperator,
  LogicalExpression: swapOperator,
  IfStatement: decide,
  ConditionalExpression: decide,
  UnaryExpression: (node, source, add) => {
    const argument = node['argument'] as Node;
    if (node['operator'] === '!') add(node, source.slice(argument.start, argument.end), '! is left out');
  },
  Literal: (node, _source, add) => {
    const { value } = node;
    if (typeof value === 'number') add(node, String(value + 1), `${value} becomes ${value + 1}`);
    if (typeof value === 'boolean') add(node, String(!value), `${value} becomes ${!value}`);
  },
  MemberExpression: (node, _source, add) => {
    const property = node['property'] as Node & { name?: string };
    const text = methods[property.name ?? ''];
    if (text && !node['computed']) add(property, text, `${property.name} becomes ${text}`);
  },
};

/** Goes through what runs: no types, no declarations of columns. */
function walk(node: Node, visit: (node: Node) => void): void {
  if (node.type.startsWith('TS') && !/^TS(As|Satisfies|NonNull)/.test(node.type)) return;
  const isColumns =
    node.type === 'CallExpression' && (node['callee'] as { name?: string }).name === 'defineEntity';
  if (isColumns || node.type === 'ImportDeclaration') return;
  visit(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child && typeof child === 'object' && typeof (child as Node).type === 'string')
        walk(child as Node, visit);
    }
  }
}
