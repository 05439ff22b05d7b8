/** A multipart/form-data body (RFC 7578), made once and sent many times. */
export interface FormBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const boundary = 'bunri-bench-0123456789abcdef';

/** The text fields first, as a client sends them that wants to be refused early. */
export function formBody(fields: Readonly<Record<string, string>>, photo: Uint8Array): FormBody {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const file = `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="photo.jpg"\r\ncontent-type: image/jpeg\r\n\r\n`;
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(parts.join('') + file), photo, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
