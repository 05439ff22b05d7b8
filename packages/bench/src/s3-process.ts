// An S3 server as a process of its own, so that it takes no time from whoever sends the load. Its port is in PORT.
import { startS3 } from '@bunri/testkit';
import { benchBucket } from './bench-bucket.ts';

const s3 = await startS3({ port: Number(process.env['PORT']) });
s3.createBucket(benchBucket);
process.once('SIGTERM', () => void s3.stop());
