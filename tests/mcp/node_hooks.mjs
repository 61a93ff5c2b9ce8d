// Lets the conformance suite and the reference servers run under Node before 22: the suite imports
// globSync, which it uses for what no test here asks of it, and under Node 18 `File` and `crypto`
// are not global.
import { File } from 'node:buffer';
import { webcrypto } from 'node:crypto';
import { register } from 'node:module';

globalThis.File ??= File;
globalThis.crypto ??= webcrypto;

const hooks = `export async function resolve(specifier, context, next) {
  if (specifier === 'fs' && context.parentURL?.includes('/conformance/dist/'))
    return { url: 'data:text/javascript,export * from "node:fs"; export const globSync = () => [];',
             shortCircuit: true };
  return next(specifier, context);
}`;
if (Number(process.versions.node.split('.')[0]) < 22)
  register('data:text/javascript,' + encodeURIComponent(hooks));
