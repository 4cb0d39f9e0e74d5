// JSONata as Step Functions runs it. Reads one JSON object a line from standard input, {"expression", "bindings"}, and
// answers each with a line: {"value"} or {"error"}. Without bindings an expression is only parsed.
//
// AWS's own functions, and what it leaves out: docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
'use strict';
const crypto = require('node:crypto');
const readline = require('node:readline');
const jsonata = require('jsonata');

const ALGORITHMS = { 'MD5': 'md5', 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' };
const MOST_IN_A_RANGE = 1000;

function partition(array, size) {
  if (!(size >= 1)) throw new Error('$partition: the size must be a positive number');
  const parts = [];
  for (let start = 0; start < array.length; start += Math.floor(size)) {
    parts.push(array.slice(start, start + Math.floor(size)));
  }
  return parts;
}

function range(first, last, step) {
  if (!Number.isInteger(step) || step === 0) throw new Error('$range: the step must be a whole number and not 0');
  const values = [];
  for (let value = first; step > 0 ? value <= last : value >= last; value += step) values.push(value);
  if (values.length > MOST_IN_A_RANGE) throw new Error(`$range: more than ${MOST_IN_A_RANGE} values`);
  return values;
}

function hash(data, algorithm) {
  if (!(algorithm in ALGORITHMS)) throw new Error(`$hash: ${algorithm} is none of ${Object.keys(ALGORITHMS)}`);
  return crypto.createHash(ALGORITHMS[algorithm]).update(data, 'utf8').digest('hex');
}

// AWS's generator is not documented: with a seed the same number each time, but not AWS's.
function random(seed) {
  if (seed === undefined) return Math.random();
  return crypto.createHash('sha256').update(String(Math.floor(seed))).digest().readUInt32BE(0) / 2 ** 32;
}

function prepared(text) {
  const expression = jsonata(text);
  expression.registerFunction('partition', partition);
  expression.registerFunction('range', range);
  expression.registerFunction('hash', hash);
  expression.registerFunction('random', random);
  expression.registerFunction('uuid', () => crypto.randomUUID());
  expression.registerFunction('parse', (text) => JSON.parse(text));
  expression.assign('eval', undefined);
  return expression;
}

async function answer({ expression, bindings }) {
  try {
    const compiled = prepared(expression);
    if (bindings === undefined) return { value: null };
    const value = await compiled.evaluate(undefined, bindings);
    return value === undefined ? { error: 'the expression returned nothing (undefined)' } : { value };
  } catch (error) {
    return { error: `${error.code ?? error.name}: ${error.message}` };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
})();
