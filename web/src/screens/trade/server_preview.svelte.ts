import { orderBody, type ApiClient, type OrderPreview, type TicketFields, type TicketSummary } from '../../state/index.ts';

const QUIET_MILLIS = 250;

export interface PreviewQuestion {
  fields: TicketFields;
  summary: TicketSummary;
  instrument: string;
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
    if (text === this.asked) return;
    this.asked = text;
    clearTimeout(this.timer);
    if (body === undefined) {
      this.answer = undefined;
      return;
    }
    this.timer = setTimeout(() => void this.fetch(body, text), QUIET_MILLIS);
  }

  private async fetch(body: object, text: string): Promise<void> {
    try {
      const answer = await this.api.post<OrderPreview>('/orders/preview', body);
      if (text === this.asked) this.answer = answer;
    } catch {
      // The local preview stands; sending the order will say what is wrong.
      if (text === this.asked) this.answer = undefined;
    }
  }
}
