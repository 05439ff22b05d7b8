import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';

export interface PutOrder {
  readonly key: string;
  readonly sizeBytes: number;
  readonly contentType: string;
  /** In hex; the server then takes no other bytes. */
  readonly sha256?: string | undefined;
  /** Seconds for which the URL is good. */
  readonly expiresS: number;
}

export interface PresignedPut {
  readonly url: string;
  /** Signed with the URL: the server refuses a request without them, or with others. */
  readonly headers: Readonly<Record<string, string>>;
}

const checksumHeader = 'x-amz-checksum-sha256';

/** Signs a PUT of exactly these bytes (AWS Signature Version 4, in the query). The signer is loaded when it is first needed. */
export async function presignPut(client: S3Client, bucket: string, order: PutOrder): Promise<PresignedPut> {
  const { key, sizeBytes, contentType, sha256, expiresS } = order;
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const checksum = sha256 === undefined ? undefined : Buffer.from(sha256, 'hex').toString('base64');
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: key,
    ContentType: contentType,
    ContentLength: sizeBytes,
    ...(checksum === undefined ? {} : { ChecksumSHA256: checksum }),
  });
  const url = await getSignedUrl(client, command, {
    expiresIn: expiresS,
    signableHeaders: new Set(['content-type', 'content-length', checksumHeader]),
    // As a header, so that the server compares it with what comes.
    unhoistableHeaders: new Set([checksumHeader]),
  });
  const sent = { 'content-type': contentType, 'content-length': String(sizeBytes) };
  return { url, headers: checksum === undefined ? sent : { ...sent, [checksumHeader]: checksum } };
}
