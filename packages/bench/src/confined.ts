// Joins a control group and becomes another program in it: `confined.ts <cgroup.procs> <file> [argument …]`. What a process
// allocates before it joins would not be charged to the group.
import { writeFileSync } from 'node:fs';

const [procsFile = '', ...program] = process.argv.slice(2);
writeFileSync(procsFile, String(process.pid));
if (!process.execve) throw new Error('this system cannot replace a process');
process.execve(process.execPath, [process.execPath, ...process.execArgv, ...program]);
