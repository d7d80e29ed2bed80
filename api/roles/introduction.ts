/** What a person is told when the exchange is ready. */
import type { DemoFile } from '../demo/accounts.ts';

const LOGINS = ['borrower', 'provider', 'lender', 'operator', 'operator_2'] as const;

/** Lines; the logins and something to try when there is a demo. */
export function introduction(url: string, file: DemoFile | undefined): string[] {
  if (file === undefined) return [`ready ${url}`];
  const body = JSON.stringify({ model: 'meta-llama/Llama-3.1-8B-Instruct', messages: [{ role: 'user', content: 'Say hello.' }] });
  return [
    `ready ${url}`,
    ...LOGINS.map((role) => `  ${role.padEnd(10)} ${file[role].email}  password ${file[role].password}`),
    `try it:\n  curl --retry 3 ${url}/v1/chat/completions -H 'Authorization: Bearer ${file.gateway_key}' -H 'Content-Type: application/json' -d '${body}'`,
  ];
}
