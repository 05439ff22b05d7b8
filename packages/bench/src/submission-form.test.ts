import { expect, test } from '@jest/globals';
import { formBody } from './submission-form.ts';

test('a form is read as it was written, its fields before the photo', async () => {
  const photo = Buffer.from([0xff, 0xd8, 0x0d, 0x0a, 0x2d, 0x2d, 0x00]);
  const { headers, body } = formBody({ question: 'Cap?', locale: 'en' }, photo);
  const form = await new Response(new Uint8Array(body), { headers: { ...headers } }).formData();
  expect([...form.keys()]).toEqual(['question', 'locale', 'image']);
  expect(form.get('question')).toBe('Cap?');
  const image = form.get('image') as File;
  expect(Buffer.from(await image.arrayBuffer()).equals(photo)).toBe(true);
});
