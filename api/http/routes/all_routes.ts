/** The exchange's routes, those called most often first: express looks for them in this order. */
import { accountRoutes } from './account_routes.ts';
import { accountingRoutes } from './accounting_routes.ts';
import { authRoutes } from './auth_routes.ts';
import { bandsRoutes } from './bands_routes.ts';
import { bankRoutes } from './bank_routes.ts';
import { calculatorRoutes } from './calculator_routes.ts';
import { confirmationsRoutes } from './confirmations_routes.ts';
import { dashboardRoutes } from './dashboard_routes.ts';
import { deliveryRoutes } from './delivery_routes.ts';
import { demoRoutes } from './demo_routes.ts';
import { endpointAgentRoutes } from './endpoint_agent_routes.ts';
import { exportRoutes } from './export_routes.ts';
import { facilitiesRoutes } from './facilities_routes.ts';
import { decisionRoutes } from './decision_routes.ts';
import { feedRoutes } from './feed_routes.ts';
import { forecastRoutes } from './forecast_routes.ts';
import { historyRoutes } from './history_routes.ts';
import { keysRoutes } from './keys_routes.ts';
import { projectsRoutes } from './projects_routes.ts';
import { repricingRoutes } from './repricing_routes.ts';
import { resalePolicyRoutes } from './resale_policy_routes.ts';
import { loadTestRoutes } from './load_test_routes.ts';
import { referenceRoutes } from './reference_routes.ts';
import { lenderRoutes } from './lender_routes.ts';
import { loanRoutes } from './loan_routes.ts';
import { logRoutes } from './log_routes.ts';
import { marketRoutes } from './market_routes.ts';
import { operatorRoutes } from './operator_routes.ts';
import { ordersRoutes } from './orders_routes.ts';
import { overviewRoutes } from './overview_routes.ts';
import { portfolioRoutes } from './portfolio_routes.ts';
import { previewRoutes } from './preview_routes.ts';
import { providerRoutes } from './provider_routes.ts';
import { providersRoutes } from './providers_routes.ts';
import { publishedOffersRoutes } from './published_offers_routes.ts';
import type { Route } from '../route.ts';
import { statusRoutes } from './status_routes.ts';
import { webhookRoutes } from './webhook_routes.ts';

export const exchangeRoutes = (): Route[] => [
  ...ordersRoutes(),
  ...previewRoutes,
  ...historyRoutes,
  ...accountRoutes,
  ...marketRoutes,
  ...statusRoutes,
  ...bandsRoutes,
  ...confirmationsRoutes,
  ...authRoutes(),
  ...keysRoutes, ...loadTestRoutes, ...projectsRoutes, ...referenceRoutes, ...repricingRoutes, ...resalePolicyRoutes,
  ...facilitiesRoutes,
  ...lenderRoutes,
  ...loanRoutes,
  ...forecastRoutes,
  ...portfolioRoutes,
  ...dashboardRoutes,
  ...accountingRoutes,
  ...webhookRoutes,
  ...decisionRoutes,
  ...feedRoutes,
  ...exportRoutes,
  ...providerRoutes,
  ...endpointAgentRoutes,
  ...deliveryRoutes,
  ...providersRoutes,
  ...operatorRoutes,
  ...overviewRoutes,
  ...logRoutes,
  ...bankRoutes,
  ...publishedOffersRoutes,
  ...calculatorRoutes,
  ...demoRoutes,
];
