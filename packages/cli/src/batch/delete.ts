import { createBatchClient } from '@bunri/client';
import { confirmed } from '../acting.ts';
import { parse } from '../args.ts';
import { UsageError, type CommandIo } from '../command.ts';
import { asJson } from '../table.ts';
import { toServer } from './options.ts';

/** `bunri batch --delete <id>`: removes a batch that was handed in with --server-side, and waits until nothing of it is left. */
export async function deleteBatch(args: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parse(args, {
    delete: { type: 'string' },
    server: { type: 'string' },
    yes: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const { delete: id = '', yes, json } = values;
  if (positionals[0] !== undefined) throw new UsageError(`${positionals[0]} is no option`);
  if (!/^batch_[0-9a-f]{32}$/.test(id)) throw new UsageError('--delete takes the id of a batch, batch_ and 32 digits');
  const question = `Delete ${id}, with the requests of all its rows and its results?`;
  if (!yes && !(await confirmed(io, question))) {
    io.err('bunri batch: nothing was deleted');
    return 1;
  }
  const client = createBatchClient({ baseUrl: toServer(values.server, io.env), apiKey: io.env['BUNRI_API_KEY'] });
  let told = -1;
  const receipt = await client.delete(id, {
    signal: io.signal,
    onProgress: ({ requests_removed: removed, in_flight: inFlight }) => {
      if (removed !== told) io.err(`${removed} requests removed, ${inFlight} rows in flight`);
      told = removed;
    },
  });
  if (json) io.out(asJson(receipt));
  else io.out(`${id} is deleted: ${receipt.requests_removed} requests, ${receipt.objects_removed} objects`);
  return 0;
}
