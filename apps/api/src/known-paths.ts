import type { RequestHandler } from 'express';
import { Problem } from './problem.ts';

/** The part of an OpenAPI document that says what there is. */
interface Paths {
  readonly paths?: Readonly<Record<string, object>>;
}

/** For what no route took: tells an unknown path from a known one with another method, by the description of the API. */
export function createPathCheck(readDocument: () => Paths): RequestHandler {
  let known: KnownPath[] | undefined;
  return (request) => {
    known ??= knownPaths(readDocument());
    const methods = known.find(({ pattern }) => pattern.test(request.path))?.methods;
    if (!methods) throw new Problem('not_found', 'There is no such path. GET /openapi.json lists all there are.');
    const allow = methods.join(', ');
    throw new Problem('method_not_allowed', `This path knows ${allow}. GET /openapi.json says more.`, {
      headers: { allow },
    });
  };
}

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: readonly string[];
}

function knownPaths({ paths = {} }: Paths): KnownPath[] {
  return Object.entries(paths).map(([path, item]) => ({
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`, 'i'),
    // Express answers HEAD wherever there is GET.
    methods: Object.keys(item).flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])),
  }));
}
