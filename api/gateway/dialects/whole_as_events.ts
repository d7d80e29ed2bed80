/** Answers that came whole although a stream was asked for, told as the events that the stream would have had. */
import { isObject } from './dialect.ts';
import type { JsonObject } from './dialect.ts';
import { reasonOf } from './shape.ts';

const objectsIn = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
const hasCalls = ({ message }: JsonObject): boolean => isObject(message) && objectsIn(message.tool_calls).length > 0;

/** One event with all that each choice says, one that ends them, and the figures. @param deltas what a choice says, and how it says nothing more */
function choiceEvents(answer: JsonObject, deltas: (choice: JsonObject) => { said: JsonObject; nothing: JsonObject } | undefined): JsonObject[] | undefined {
  const { choices: given, usage, ...head } = answer;
  const choices = objectsIn(given).map((choice, position) => ({ choice, index: typeof choice.index === 'number' ? choice.index : position, deltas: deltas(choice) }));
  if (choices.length === 0) return undefined;
  const events: JsonObject[] = [];
  const ends: JsonObject[] = [];
  for (const { choice, index, deltas: told } of choices) {
    if (told === undefined) return undefined;
    events.push({ ...head, choices: [{ index, ...told.said, logprobs: choice.logprobs ?? null, finish_reason: null }] });
    ends.push({ index, ...told.nothing, logprobs: null, finish_reason: reasonOf(choice.finish_reason, hasCalls(choice)) });
  }
  return [...events, { ...head, choices: ends }, ...(isObject(usage) ? [{ ...head, choices: [], usage }] : [])];
}

/** undefined when the answer is none. */
export const chatEvents = (answer: JsonObject): JsonObject[] | undefined =>
  choiceEvents(answer, ({ message }) => {
    if (!isObject(message)) return undefined;
    const calls = objectsIn(message.tool_calls);
    const { tool_calls: _calls, ...said } = message;
    return { said: { delta: { ...said, role: 'assistant', ...(calls.length === 0 ? {} : { tool_calls: calls.map((call, index) => ({ ...call, index })) }) } }, nothing: { delta: {} } };
  });

export const completionEvents = (answer: JsonObject): JsonObject[] | undefined =>
  choiceEvents(answer, ({ text }) => (typeof text === 'string' ? { said: { text }, nothing: { text: '' } } : undefined));

/** Where the parts of a message that are told piece by piece bear their text. */
const TEXTS: Readonly<Record<string, string | undefined>> = { output_text: 'text', refusal: 'refusal', reasoning_text: 'text' };

function partEvents(part: JsonObject, place: JsonObject): JsonObject[] {
  const type = String(part.type);
  const field = TEXTS[type];
  const added = { type: 'response.content_part.added', ...place, part: field === undefined ? part : { ...part, [field]: '' } };
  const done = { type: 'response.content_part.done', ...place, part };
  if (field === undefined) return [added, done];
  return [added, { type: `response.${type}.delta`, ...place, delta: part[field] }, { type: `response.${type}.done`, ...place, [field]: part[field] }, done];
}

function itemEvents(item: JsonObject, index: number): JsonObject[] {
  const place = { item_id: item.id, output_index: index };
  const isCall = item.type === 'function_call';
  const parts = objectsIn(item.content);
  const empty = { ...item, ...(parts.length === 0 ? {} : { content: [] }), ...(isCall ? { arguments: '' } : {}), ...(item.status === undefined ? {} : { status: 'in_progress' }) };
  return [
    { type: 'response.output_item.added', output_index: index, item: empty },
    ...parts.flatMap((part, position) => partEvents(part, { ...place, content_index: position })),
    ...(isCall ? [
      { type: 'response.function_call_arguments.delta', ...place, delta: item.arguments },
      { type: 'response.function_call_arguments.done', ...place, name: item.name, arguments: item.arguments },
    ] : []),
    { type: 'response.output_item.done', output_index: index, item },
  ];
}

/** @param response of the published shape */
export function responseEvents(response: JsonObject): JsonObject[] {
  const { usage: _usage, ...begun } = response;
  const items = objectsIn(response.output);
  // Events name the item that they are about.
  for (const [position, item] of items.entries()) if (typeof item.id !== 'string') item.id = `item_${String(response.id).replace(/^resp[_-]?/, '')}${position}`;
  const beginning = (): JsonObject => ({ ...begun, output: [], status: 'in_progress' });
  return [
    { type: 'response.created', response: beginning() }, { type: 'response.in_progress', response: beginning() },
    ...items.flatMap(itemEvents),
    { type: response.status === 'incomplete' ? 'response.incomplete' : 'response.completed', response },
  ];
}
