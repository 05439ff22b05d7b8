export { deliveryErrors, deliveryStatuses, type Attempt, type Delivery, type DeliveryStatus } from './deliveries.ts';
export { eventIdSchema, type EventSource, type EventSources } from './events.ts';
export { SecretUnreadableError, type WebhookSecret } from './secrets.ts';
export { serveWebhooks, type ServeWebhooksOptions, type WebhookServer } from './serve.ts';
export { webhookPolicy, webhookSettings, type WebhookConfig } from './settings.ts';
export { classificationEvents, testEvents } from './sources.ts';
export { createWebhooks, type Webhooks, type WebhooksOptions } from './webhooks.ts';
