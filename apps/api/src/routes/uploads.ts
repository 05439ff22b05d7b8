import { Router } from 'express';
import type { RecordStore } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { readJson } from '../json-body.ts';
import { serviceUnavailable } from '../problem.ts';
import type { Refusal } from '../refusal.ts';
import { uploadBodySchema, type Uploads } from '../uploads.ts';

export interface UploadDeps {
  readonly admit: Admit;
  readonly records: RecordStore;
  readonly refusal: Refusal;
  readonly uploads: Uploads;
}

export const uploadPath = '/v1/uploads';

/** Where a client may put its photo by itself, so that its bytes do not come through the API. */
export function uploadRoutes({ admit, records, refusal, uploads }: UploadDeps): Router {
  const router = Router();
  router.post(uploadPath, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    if (records.redis.status !== 'ready') throw serviceUnavailable();
    await refusal.ofOwner(owner, undefined);
    const body = await readJson(uploadBodySchema, request, response);
    response.status(201).json(await uploads.create(owner, body));
  });
  return router;
}
