// Sends a photo through a running installation and waits for its answer: what `helm test` runs. Ends with 0 when guidance
// came, with 1 and the reason when it did not. API_URL is the api's address, BUNRI_API_KEY a key with submit and read.
import { deflateSync } from 'node:zlib';

const api = process.env.API_URL;
const key = process.env.BUNRI_API_KEY;
const deadlineS = 120;

/** A PNG of a single colour, drawn here so that nothing has to be fetched. The colour differs each time: no cache may answer. */
function drawPhoto(width = 256, height = 256) {
  const colour = Array.from({ length: 3 }, () => Math.floor(Math.random() * 256));
  const row = Buffer.from([0, ...Array.from({ length: width }, () => colour).flat()]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits a channel, RGB.
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc(body), body.length + 4);
  return framed;
}

/** CRC-32 as PNG wants it (ISO 3309). */
function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

async function ask(path, init = {}) {
  const headers = { ...init.headers, ...(key ? { authorization: `Bearer ${key}` } : {}) };
  const response = await fetch(`${api}${path}`, { ...init, headers, signal: AbortSignal.timeout(70_000) });
  const body = await response.json();
  if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${body.detail ?? ''}`);
  return body;
}

async function classify() {
  if (!api) throw new Error('API_URL is not set.');
  if (!key) {
    const items = await ask('/items?q=paper').catch((error) => error);
    throw new Error(
      `BUNRI_API_KEY is not set: name a Secret that has it in test.keySecret. The api ${items instanceof TypeError ? 'does not answer' : 'answers'}.`,
    );
  }
  const form = new FormData();
  form.append('image', new Blob([drawPhoto()], { type: 'image/png' }), 'test.png');
  form.append('question', 'How do I throw away a milk carton?');
  form.append('locale', 'en');
  form.append('deadline', String(deadlineS));
  let request = await ask('/v1/classifications', { method: 'POST', body: form, headers: { prefer: 'wait=60' } });
  const until = Date.now() + deadlineS * 1000;
  while (request.status === 'queued' || request.status === 'running') {
    if (Date.now() > until) throw new Error(`${request.id} is still ${request.status} after its deadline.`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    request = await ask(`/v1/classifications/${request.id}`);
  }
  const stages = request.stages.map(({ name, status, duration_ms: ms }) => `${name} ${status} ${ms ?? '-'} ms`);
  console.log(`${request.id} ${request.status}: ${stages.join(', ')}`);
  if (request.status !== 'completed') throw new Error(`${request.error?.code}: ${request.error?.message}`);
  if (request.degraded) console.log('degraded: a fallback made part of the answer.');
  console.log(request.guidance.answer);
}

await classify().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
