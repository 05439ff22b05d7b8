import { setTimeout as delay } from 'node:timers/promises';
import { createClient, hasEnded, ProblemError, type Client, type SubmitOptions } from '@bunri/client';
import { drawSamplePhoto, truncatedJpeg } from '@bunri/testkit';
import { pickOwner, type Owner } from './owners.ts';
import type { Hands, Phase } from './phases.ts';

export interface LoadOptions {
  readonly apiUrl: string;
  readonly owners: readonly Owner[];
  readonly phases: readonly Phase[];
  readonly hands: Hands;
  readonly seconds: number;
  /** Who is told of the end of some requests. */
  readonly webhookUrl: string;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onPhase: (phase: Phase) => void;
}

export interface LoadReport {
  /** Epoch ms of each phase's beginning, and of the end of the last one. */
  readonly beginnings: readonly number[];
  /** How many requests ended how: completed, canceled, or by the code of the failure or the refusal. */
  readonly ends: ReadonlyMap<string, number>;
}

interface Asked {
  readonly photo: Uint8Array;
  readonly question: string;
}

/** Shares of all requests. */
const shares = { asBefore: 0.22, otherQuestion: 0.06, local: 0.08, webhook: 0.15, canceled: 0.03 };
/** What was asked lately may be asked again. */
const remembered = 60;
/** After the last phase, for what is still open. */
const patienceMs = 45_000;

/** New requests at the pace of each phase, whatever becomes of the earlier ones, until all phases are over and all are answered. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { phases, hands, seconds, random, onPhase } = options;
  const send = createSender(options);
  const giveUp = new AbortController();
  const open: Promise<void>[] = [];
  const goesOn = (work: Promise<void>) => {
    // Awaited at the end, where a failure is told; until then it must not count as forgotten.
    work.catch(() => undefined);
    open.push(work);
  };
  const beginnings: number[] = [];
  for (const phase of phases) {
    onPhase(phase);
    beginnings.push(Date.now());
    goesOn(Promise.resolve(phase.act?.(hands)));
    const lengthMs = seconds * phase.share * 1000;
    const beganAt = performance.now();
    for (;;) {
      const past = (performance.now() - beganAt) / lengthMs;
      const [from, to] = phase.perSecond;
      const pauseMs = (-Math.log(1 - random()) * 1000) / (from + (to - from) * Math.min(1, past));
      const leftMs = lengthMs * (1 - past);
      if (pauseMs >= leftMs) {
        await delay(Math.max(0, leftMs));
        break;
      }
      await delay(pauseMs);
      goesOn(send.one(phase.unreadable ?? 0, giveUp.signal));
    }
  }
  beginnings.push(Date.now());
  const timer = setTimeout(() => giveUp.abort(), patienceMs);
  try {
    await Promise.all(open);
  } finally {
    clearTimeout(timer);
  }
  return { beginnings, ends: send.ends };
}

function createSender({ apiUrl, owners, webhookUrl, random }: LoadOptions) {
  const clients = new Map<Owner, Client>();
  const clientOf = (owner: Owner) => {
    const client = clients.get(owner) ?? createClient({ baseUrl: apiUrl, apiKey: owner.apiKey, patienceMs: 30_000 });
    clients.set(owner, client);
    return client;
  };
  const ends = new Map<string, number>();
  const before: Asked[] = [];
  let drawn = 0;

  async function compose(unreadable: number): Promise<Asked> {
    if (random() < unreadable) return { photo: await truncatedJpeg(), question: `Photo ${(drawn += 1)}: what is it?` };
    const known = before[Math.floor(random() * before.length)];
    const how = random();
    if (known && how < shares.asBefore) return known;
    const number = (drawn += 1);
    const question = `Question ${number}: how do I throw this away?`;
    if (known && how < shares.asBefore + shares.otherQuestion) return { photo: known.photo, question };
    return { photo: await drawSamplePhoto({ width: 320, height: 240, seed: number }), question };
  }

  async function ask(unreadable: number, signal: AbortSignal): Promise<string> {
    const client = clientOf(pickOwner(owners, random()));
    const asked = await compose(unreadable);
    const options: SubmitOptions = {
      question: asked.question,
      locale: random() < 0.5 ? 'ko' : 'en',
      models: random() < shares.local ? ['local'] : undefined,
      webhookUrl: random() < shares.webhook ? webhookUrl : undefined,
      signal,
    };
    const { resource } = await client.submit(asked.photo, options);
    if (random() < shares.canceled && !hasEnded(resource)) await client.cancel(resource.id, { signal });
    const { status, error } = hasEnded(resource) ? resource : await client.wait(resource.id, { signal });
    before.push(asked);
    if (before.length > remembered) before.shift();
    return error?.code ?? status;
  }

  return {
    ends,
    async one(unreadable: number, signal: AbortSignal): Promise<void> {
      const end = await ask(unreadable, signal).catch((error: unknown) => {
        if (error instanceof ProblemError) return error.code;
        if (signal.aborted) return 'open';
        throw error;
      });
      ends.set(end, (ends.get(end) ?? 0) + 1);
    },
  };
}
