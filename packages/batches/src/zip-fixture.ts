// Archives for tests, written by hand so that they can be wrong in every way (PKWARE APPNOTE, 4.3).
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Default: stored as it is. */
  readonly deflate?: boolean;
  /** What the headers say instead of the truth. */
  readonly toldBytes?: number;
  readonly toldSum?: number;
  /** Where the directory says that it lies, instead of where it does. */
  readonly toldOffset?: number;
  readonly comment?: string;
  readonly encrypted?: boolean;
  readonly symbolicLink?: boolean;
}

export function writeZip(files: readonly ZipFile[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const { local, central } = headersOf(file, offset);
    parts.push(local);
    directory.push(central);
    offset += local.byteLength;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.byteLength, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

function headersOf(file: ZipFile, offset: number): { local: Buffer; central: Buffer } {
  const { bytes, deflate = false, toldBytes = bytes.byteLength, encrypted = false } = file;
  const name = Buffer.from(file.name, 'utf8');
  const plain = deflate ? deflateRawSync(bytes) : Buffer.from(bytes);
  // An encrypted entry begins with 12 bytes of its own.
  const data = encrypted ? Buffer.concat([Buffer.alloc(12), plain]) : plain;
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  // Bit 11 says that names are UTF-8.
  common.writeUInt16LE(0x0800 | (encrypted ? 1 : 0), 2);
  common.writeUInt16LE(deflate ? 8 : 0, 4);
  common.writeUInt32LE(file.toldSum ?? crc32(bytes), 10);
  common.writeUInt32LE(data.byteLength, 14);
  common.writeUInt32LE(toldBytes, 18);
  common.writeUInt16LE(name.byteLength, 22);
  const local = Buffer.concat([signature(0x04034b50), common, name, data]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(file.symbolicLink ? (0o120777 << 16) >>> 0 : 0, 6);
  tail.writeUInt32LE(file.toldOffset ?? offset, 10);
  const comment = Buffer.from(file.comment ?? '');
  tail.writeUInt16LE(comment.byteLength, 0);
  const madeBy = Buffer.alloc(2);
  madeBy.writeUInt16LE(0x0314, 0);
  return { local, central: Buffer.concat([signature(0x02014b50), madeBy, common, tail, name, comment]) };
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
