/** The OpenAPI 3.1 document, from the same descriptions that mount the routes. */
import { z } from 'zod';
import { isOpenAiPath } from './registry.ts';
import { errorSchema, gatewayErrorSchema } from './wire/schemas.ts';
import type { Route } from './route.ts';

type Json = Record<string, unknown>;

export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Compute credit exchange',
      version,
      description: 'GPU hours on an order book, bought with financed credit and spent through an OpenAI-compatible endpoint. Money, prices and quantities are decimal strings; times are RFC 3339 in UTC.',
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key.' },
        session: { type: 'apiKey', in: 'cookie', name: 'ccx_session', description: 'The session of the web app; writes are accepted from its own pages only.' },
      },
      schemas: { Error: jsonSchema(errorSchema, 'output'), OpenAiError: jsonSchema(gatewayErrorSchema, 'output') },
    },
  };
}

function operation(route: Route): Json {
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    ...(route.scope === 'public' ? { security: [] } : { security: [{ key: [] }, { session: [] }], 'x-scope': route.scope }),
    ...(route.roles === undefined ? {} : { 'x-roles': route.roles }),
    parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query'), ...headersOf(route)],
    ...(route.body === undefined ? {} : { requestBody: { required: isRequired(route), content: { [route.contentType ?? 'application/json']: { schema: jsonSchema(route.body, 'input') } } } }),
    responses: { ...Object.fromEntries(Object.entries(route.responses).map(([status, spec]) => [status, success(spec)])), default: failure(route) },
  };
}

const success = (spec: Route['responses'][number]): Json => ({
  description: spec.description,
  ...(spec.schema === undefined ? {} : { content: { [spec.contentType ?? 'application/json']: { schema: jsonSchema(spec.schema, 'output') } } }),
});

function failure(route: Route): Json {
  const name = isOpenAiPath(route.path) ? 'OpenAiError' : 'Error';
  return { description: 'An error; its code is stable.', content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } };
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({ name, in: where, required: where === 'path' || required.includes(name), schema: property }));
}

function headersOf(route: Route): Json[] {
  if (route.method !== 'post' || route.scope === 'public') return [];
  return [{ name: 'Idempotency-Key', in: 'header', required: false, description: 'Remembered for 24 hours: the same key and body get the same answer; with another body or path, of whichever call, the key is refused (idempotency_mismatch).', schema: { type: 'string', minLength: 1, maxLength: 255 } }];
}

const isRequired = (route: Route): boolean => route.body !== undefined && !route.body.safeParse({}).success;

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const converted: Json = { ...z.toJSONSchema(schema, { io, unrepresentable: 'any' }) };
  delete converted.$schema;
  return converted;
}
