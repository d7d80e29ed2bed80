/** What the demo's models say where a certain form is asked for: values that fit a JSON schema, and calls of tools. */
import { createHash } from 'node:crypto';
import { randomOf } from '../random.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const DEPTH_MAX = 8;
const WORDS = ['steady', 'open', 'clear', 'even', 'fast', 'cheap', 'market', 'region', 'cluster', 'stream'];

/** A value of the schema's shape that follows from the seed; what the schema does not say is a word. */
export function sampleOf(schema: unknown, seed: string): unknown {
  const random = randomOf(createHash('sha256').update(seed).digest().readUInt32LE(0));
  const root = schema;
  const word = (): string => WORDS[random.below(WORDS.length)];
  const resolved = (given: unknown): unknown => {
    const path = isObject(given) && typeof given.$ref === 'string' ? given.$ref.split('/').slice(1) : undefined;
    return path === undefined ? given : path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), root);
  };
  const numberOf = ({ minimum, maximum }: Json, whole: boolean): number => {
    const least = typeof minimum === 'number' ? minimum : 0;
    const most = typeof maximum === 'number' ? maximum : least + 100;
    const value = least + ((most - least) * random.below(1_000)) / 1_000;
    return whole ? Math.floor(value) : Number(value.toFixed(2));
  };
  const valueOf = (given: unknown, depth: number): unknown => {
    const asked = resolved(given);
    if (!isObject(asked)) return word();
    if ('const' in asked) return asked.const;
    if (Array.isArray(asked.enum)) return asked.enum[random.below(asked.enum.length)];
    const [choice] = [...listOf(asked.anyOf), ...listOf(asked.oneOf), ...listOf(asked.allOf)];
    if (choice !== undefined) return valueOf(choice, depth);
    const type = Array.isArray(asked.type) ? asked.type[0] as unknown : asked.type;
    if (type === 'object' || isObject(asked.properties)) return objectOf(asked, depth);
    if (type === 'array') return depth >= DEPTH_MAX ? [] : Array.from({ length: Math.max(1, Number(asked.minItems ?? 1)) }, () => valueOf(asked.items, depth + 1));
    if (type === 'integer') return numberOf(asked, true);
    if (type === 'number') return numberOf(asked, false);
    if (type === 'boolean') return random.below(2) === 1;
    return type === 'null' ? null : word();
  };
  const objectOf = ({ properties, required }: Json, depth: number): Json => {
    const names = Object.keys(isObject(properties) ? properties : {});
    const wanted = depth >= DEPTH_MAX ? names.filter((name) => listOf(required).includes(name)) : names;
    return Object.fromEntries(wanted.map((name) => [name, depth > 2 * DEPTH_MAX ? null : valueOf((properties as Json)[name], depth + 1)]));
  };
  return valueOf(schema, 0);
}

export interface ToolCall {
  name: string;
  /** JSON. */
  arguments: string;
}

interface Tool {
  name: string;
  parameters: unknown;
}

/** Tools as either path of the protocol names them. */
const toolsIn = (tools: unknown): Tool[] =>
  listOf(tools).filter(isObject).filter(({ type }) => type === 'function').map((tool) => (isObject(tool.function) ? tool.function : tool))
    .map(({ name, parameters }) => ({ name: String(name), parameters }));

/**
 * The calls that an answer consists of: those that are required, or those that the question speaks of by a word of their name.
 * None once a tool has answered.
 */
export function callsFor(body: Json, question: string, seed: string): ToolCall[] {
  const tools = toolsIn(body.tools);
  const { tool_choice: choice } = body;
  const turns = listOf(body.messages ?? body.input);
  const last = turns.at(-1);
  const answered = isObject(last) && (last.role === 'tool' || last.type === 'function_call_output');
  if (tools.length === 0 || choice === 'none') return [];
  const asked = isObject(choice) ? (isObject(choice.function) ? choice.function.name : choice.name) : undefined;
  const spoken = question.toLowerCase();
  const meant = tools.filter(({ name }) => name.toLowerCase().split(/[^a-z0-9]+/).some((part) => part.length > 3 && spoken.includes(part)));
  const chosen = asked !== undefined ? tools.filter(({ name }) => name === asked)
    : choice === 'required' ? (meant.length > 0 ? meant : tools.slice(0, 1)) : answered ? [] : meant;
  return chosen.slice(0, body.parallel_tool_calls === false ? 1 : chosen.length)
    .map(({ name, parameters }, index) => ({ name, arguments: JSON.stringify(sampleOf(parameters ?? { type: 'object' }, `${seed}${index}${name}`)) }));
}

/** JSON for `response_format` of a chat or `text.format` of a response; undefined where ordinary text is asked for. */
export function jsonFor(body: Json, seed: string): string | undefined {
  const format = isObject(body.response_format) ? body.response_format : isObject(body.text) ? body.text.format : undefined;
  if (!isObject(format)) return undefined;
  if (format.type === 'json_object') return JSON.stringify({ answer: sampleOf({}, seed) });
  if (format.type !== 'json_schema') return undefined;
  return JSON.stringify(sampleOf(isObject(format.json_schema) ? format.json_schema.schema : format.schema, seed));
}

/** Text in the pieces in which a model says it: letters and digits together, all else by itself. */
export const piecesOf = (text: string): string[] => text.match(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_]/gu) ?? [];

/** The last thing that a person said. */
export function questionIn(turns: unknown): string {
  if (typeof turns === 'string') return turns;
  const last = listOf(turns).filter((turn) => isObject(turn) && turn.role === 'user').at(-1);
  return isObject(last) ? (typeof last.content === 'string' ? last.content : JSON.stringify(last.content ?? '')) : '';
}
