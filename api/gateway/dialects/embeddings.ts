/** POST /v1/embeddings */
import { z } from 'zod';
import { isObject } from './dialect.ts';
import type { Dialect, JsonObject } from './dialect.ts';
import { modelName, tokenInput } from './fields.ts';
import { inputTokens, longestInput } from './prompt.ts';

const isEmpty = (input: unknown): boolean => input === '' || (Array.isArray(input) && input.includes(''));

export const embeddingBody = z.looseObject({
  model: modelName,
  input: tokenInput.refine((input) => !isEmpty(input), 'must not be empty'),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).nullish(),
  user: z.string().nullish(),
});
type EmbeddingBody = z.output<typeof embeddingBody>;

const inputsIn = ({ input }: EmbeddingBody): number => (Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1);

const FLOAT_BYTES = 4;
/** Little-endian 32-bit floats, as OpenAI's clients read them. */
function toBase64(values: readonly number[]): string {
  const bytes = Buffer.alloc(values.length * FLOAT_BYTES);
  for (const [index, value] of values.entries()) bytes.writeFloatLE(value, index * FLOAT_BYTES);
  return bytes.toString('base64');
}
function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: Math.floor(bytes.length / FLOAT_BYTES) }, (_, index) => bytes.readFloatLE(index * FLOAT_BYTES));
}
const isFloats = (text: string): boolean => {
  const { length } = Buffer.from(text, 'base64');
  return length > 0 && length % FLOAT_BYTES === 0;
};
const isVector = (value: unknown): boolean => (typeof value === 'string' && isFloats(value)) || (Array.isArray(value) && value.length > 0 && value.every(Number.isFinite));

/** Each text's at its place, as many clients read them; where the endpoint does not say which is whose, as they came. */
function inOrder(rows: readonly JsonObject[]): JsonObject[] {
  const placed: JsonObject[] = [];
  for (const row of rows) if (typeof row.index === 'number') placed[row.index] = row;
  return rows.every((_, position) => placed[position] !== undefined) ? rows.map((_, position) => placed[position]) : [...rows];
}

/** In the form that was asked for, whichever the endpoint knows. */
function written(embedding: unknown, base64: boolean): unknown {
  if (base64) return Array.isArray(embedding) ? toBase64(embedding as number[]) : embedding;
  return typeof embedding === 'string' ? fromBase64(embedding) : embedding;
}

export const embeddings: Dialect = {
  path: '/embeddings',
  kinds: ['embedding'],
  schema: embeddingBody,
  streams: false,
  endsWithDone: false,
  idPrefix: 'embd-',

  demand(body) {
    const { input } = body as EmbeddingBody;
    return { promptTokens: inputTokens(input), completionTokens: 0, longestPrompt: longestInput(input) };
  },
  outgoing: (body, name) => ({ ...body, model: name }),

  readWhole(answer, meter, body) {
    const { usage, data } = answer;
    if (isObject(usage)) meter.report({ prompt: usage.prompt_tokens, completion: 0 });
    return Array.isArray(data) && data.length === inputsIn(body as EmbeddingBody) && data.every((row) => isObject(row) && isVector(row.embedding));
  },

  readEvent: () => 'failure',
  eventsOf: () => undefined,
  eventName: () => '',
  ending: () => undefined,
  wantsUsage: () => false,
  correctUsage(answer, { promptTokens }) {
    const { usage } = answer;
    if (isObject(usage) && usage.prompt_tokens === promptTokens && usage.total_tokens === promptTokens) return;
    answer.usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  },

  shapeWhole(answer, { model }, body) {
    answer.object = 'list';
    answer.model = model;
    const base64 = (body as EmbeddingBody).encoding_format === 'base64';
    answer.data = inOrder(answer.data as JsonObject[]);
    for (const [position, row] of (answer.data as JsonObject[]).entries()) {
      row.object = 'embedding';
      row.index = position;
      row.embedding = written(row.embedding, base64);
    }
  },
  shapeEvent: () => false,
};
