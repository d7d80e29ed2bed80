import { dataOf, orderBody, type ApiClient, type Loadable, type OrderPreview, type TicketFields, type TicketSummary, type WireBalances } from '../../state/index.ts';

const QUIET_MILLIS = 250;

export interface PreviewQuestion {
  fields: TicketFields;
  summary: TicketSummary;
  instrument: string;
  /** Asked again when the credit changes: a freeze may have come in between. */
  balances: Loadable<WireBalances>;
}

/** What only the exchange can compute of an order: dollars per GPU-hour with fees and interest. Asked when typing rests. */
export class ServerPreview {
  answer = $state.raw<OrderPreview | undefined>();
  private readonly api: ApiClient;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = '';

  constructor(api: ApiClient) {
    this.api = api;
  }

  /** Undefined: there is no order to ask about. The same order is not asked about twice. */
  ask(question: PreviewQuestion | undefined): void {
    const body = question === undefined ? undefined : orderBody(question.fields, question.summary, question.instrument);
    const text = body === undefined ? '' : JSON.stringify(body);
    const credits = question === undefined ? '' : JSON.stringify(dataOf(question.balances)?.credits);
    const asked = text + credits;
    if (asked === this.asked) return;
    this.asked = asked;
    clearTimeout(this.timer);
    if (body === undefined) {
      this.answer = undefined;
      return;
    }
    this.timer = setTimeout(() => void this.fetch(body, asked), QUIET_MILLIS);
  }

  private async fetch(body: object, asked: string): Promise<void> {
    try {
      const answer = await this.api.post<OrderPreview>('/orders/preview', body);
      if (asked === this.asked) this.answer = answer;
    } catch {
      // The local preview stands; sending the order will say what is wrong.
      if (asked === this.asked) this.answer = undefined;
    }
  }
}
