import { blockBody, dataOf, orderBody, type ApiClient, type Instrument, type Loadable, type OrderPreview, type TicketFields, type TicketSummary, type WireBalances } from '../../state/index.ts';

const QUIET_MILLIS = 250;

export interface PreviewQuestion {
  fields: TicketFields;
  summary: TicketSummary;
  instrument: Instrument;
  /** Asked again when the credit changes: a freeze may have come in between. */
  balances: Loadable<WireBalances>;
}

interface Asked {
  path: string;
  body: object;
}
const askedOf = ({ fields, summary, instrument }: PreviewQuestion): Asked =>
  fields.hours === undefined ? { path: '/orders/preview', body: orderBody(fields, summary, instrument.id) } : { path: '/blocks/preview', body: blockBody(fields, summary, instrument) };

/** What only the exchange can compute of an order: dollars per GPU-hour with fees and interest. Asked when typing rests. */
export class ServerPreview {
  answer = $state.raw<OrderPreview | undefined>();
  /** Whether it is about what stands in the ticket now; while one types, the last one stays. */
  isCurrent = $state(false);
  private readonly api: ApiClient;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = '';

  constructor(api: ApiClient) {
    this.api = api;
  }

  /** Undefined: there is no order to ask about. The same order is not asked about twice. */
  ask(question: PreviewQuestion | undefined): void {
    const order = question === undefined ? undefined : askedOf(question);
    const asked = order === undefined ? '' : JSON.stringify([order, question === undefined ? undefined : dataOf(question.balances)?.credits]);
    if (asked === this.asked) return;
    this.asked = asked;
    clearTimeout(this.timer);
    this.isCurrent = false;
    if (order === undefined) this.answer = undefined;
    else this.timer = setTimeout(() => void this.fetch(order, asked), QUIET_MILLIS);
  }

  private async fetch({ path, body }: Asked, asked: string): Promise<void> {
    try {
      const answer = await this.api.post<OrderPreview>(path, body);
      if (asked !== this.asked) return;
      this.answer = answer;
      this.isCurrent = true;
    } catch {
      // The local preview stands; sending the order will say what is wrong.
      if (asked === this.asked) this.answer = undefined;
    }
  }
}
