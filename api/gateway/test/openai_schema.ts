/**
 * What OpenAI's published OpenAPI document says of the answers of the paths that this gateway has:
 * `openai_schemas.json` is that part of it, as it was published.
 */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type OpenAI from 'openai';
import type { Receipt } from '../metering/receipt.ts';

type Schema = Record<string, unknown>;
const published = JSON.parse(readFileSync(new URL('openai_schemas.json', import.meta.url), 'utf8')) as { $defs: Record<string, Schema> };
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: 'openai', ...published });

export interface Published<T> {
  /** @throws Error that says what is wrong */
  parse(value: unknown): T;
}

function named<T>(name: string): Published<T> {
  return {
    parse(value) {
      const validate = ajv.getSchema(`openai#/$defs/${name}`);
      if (validate === undefined) throw new Error(`nothing is published of ${name}`);
      if (validate(value) !== true) throw new Error(`${name}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
      return value as T;
    },
  };
}

/** What we add to an answer. */
type Paid = { x_ccx: Receipt };

export const chatCompletion = named<OpenAI.ChatCompletion & Paid>('CreateChatCompletionResponse');
export const chatChunk = named<OpenAI.ChatCompletionChunk>('CreateChatCompletionStreamResponse');
export const textCompletion = named<OpenAI.Completion & Paid>('CreateCompletionResponse');
export const embeddingList = named<OpenAI.CreateEmbeddingResponse & Paid>('CreateEmbeddingResponse');
export const responseObject = named<OpenAI.Responses.Response & Paid>('Response');
export const modelObject = named<OpenAI.Model>('Model');
export const modelList = named<{ object: 'list'; data: OpenAI.Model[] }>('ListModelsResponse');
export const errorBody = named<{ error: { message: string; type: string; param: string | null; code: string | null } }>('ErrorResponse');

/** The document has no schema of a streamed completion's events but that of the whole, in which an answer has ended: OpenAI's own events that go on say null. */
export const textChunk: Published<OpenAI.Completion> = {
  parse(value) {
    const event = value as OpenAI.Completion;
    const ended = event.choices.map((choice) => ({ ...choice, finish_reason: (choice.finish_reason as string | null) ?? 'stop' }));
    textCompletion.parse({ ...event, choices: ended });
    return event;
  },
};

const typeOf = ({ properties }: Schema): unknown => (properties as { type?: { enum?: unknown[] } } | undefined)?.type?.enum?.[0];
const EVENTS = new Map(Object.entries(published.$defs).filter(([name]) => /^Response.*Event$/.test(name)).map(([name, schema]) => [typeOf(schema), name]));

export const responseEvent: Published<OpenAI.Responses.ResponseStreamEvent> = {
  parse(value) {
    const name = EVENTS.get((value as { type: unknown }).type);
    if (name === undefined) throw new Error(`no event of this type is published: ${JSON.stringify(value)}`);
    return named<OpenAI.Responses.ResponseStreamEvent>(name).parse(value);
  },
};
