import { createHash } from 'node:crypto';
import { docsStyle } from './docs-style.ts';
import { anchorOf, fieldsOf, limitsOf, typeOf, withCode, type Schema } from './docs-schema.ts';
import { markup, type Html } from './markup.ts';

interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly summary?: string; readonly value?: unknown }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, Media>> };
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, Media>> }>
  >;
}

/** The parts of an OpenAPI document that the page shows, as they stand in its JSON. */
export interface ApiDescription {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** Nothing but this page's own style is let in. */
export const docsPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(docsStyle).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The reference of the API, whole as it comes: it needs no script, and can be kept and read without a network. */
export function docsPage({ info, tags = [], paths = {}, components = {} }: ApiDescription): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const groups = tags.map((tag) => ({
    ...tag,
    members: operations.filter(({ operation }) => operation.tags?.includes(tag.name)),
  }));
  const schemas = Object.entries(components.schemas ?? {});
  const style: Html = { html: docsStyle };
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} API, version ${info.version}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<nav aria-label="Contents">
<p><a href="/">Ask about a photo</a> · <a href="/items?lang=en">Items</a> · <a href="/openapi.json">openapi.json</a></p>
${groups.map(({ name, members }) => contents(name, members))}
<h2><a href="#schemas">schemas</a></h2>
</nav>
<main id="content" tabindex="-1">
<h1>${info.title} API</h1>
${info.description === undefined ? null : markup`<p>${withCode(info.description)}</p>`}
<p>Send your key as <code>Authorization: Bearer &lt;id&gt;.&lt;secret&gt;</code> or as <code>X-API-Key</code>. Every error is
<code>application/problem+json</code> with a stable <code>code</code>, and a <code>detail</code> that says what to do.</p>
${groups.map(group)}
<section><h2 id="schemas">Schemas</h2>${schemas.map(([name, schema]) => namedSchema(name, schema))}</section>
</main>
</body>
</html>
`.html;
}

interface Member {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

function idOf({ path, method, operation }: Member): string {
  return operation.operationId ?? `${method}-${path}`;
}

function contents(name: string, members: readonly Member[]): Html {
  const links = members.map(
    (member) => markup`<li><a href="#${idOf(member)}">${member.operation.summary ?? member.path}</a></li>`,
  );
  return markup`<h2><a href="#tag-${name}">${name}</a></h2><ul>${links}</ul>`;
}

function group({
  name,
  description,
  members,
}: {
  name: string;
  description?: string;
  members: readonly Member[];
}): Html {
  const about = description === undefined ? null : markup`<p>${withCode(description)}</p>`;
  return markup`<section><h2 id="tag-${name}">${name}</h2>${about}${members.map(article)}</section>`;
}

function article(member: Member): Html {
  const { path, method, operation } = member;
  const { summary = path, description, parameters = [], requestBody, responses = {}, security } = operation;
  const answers = Object.entries(responses).map(
    ([status, { description: text = '', content }]) =>
      markup`<li><p><strong>${status}</strong> ${withCode(text)}</p>${bodies(content, { withFields: false })}</li>`,
  );
  return markup`<article id="${idOf(member)}">
<h3>${summary}</h3>
<p class="call"><span class="method">${method.toUpperCase()}</span> <code>${path}</code>${security?.length === 0 ? markup` <span class="limits">no key needed</span>` : null}</p>
${description === undefined ? null : markup`<p>${withCode(description)}</p>`}
${parameters.length === 0 ? null : markup`<h4>Parameters</h4><ul class="fields">${parameters.map(parameter)}</ul>`}
${requestBody ? markup`<h4>Body</h4>${bodies(requestBody.content, { withFields: true })}` : null}
<h4>Answers</h4><ul class="fields">${answers}</ul>
</article>
`;
}

function parameter({ name, in: where, required = false, description, schema = {} }: Parameter): Html {
  const text = description ?? schema.description;
  return markup`<li><p><code class="field">${name}</code> ${typeOf(schema)} <span class="limits">in ${where}${required ? null : ', optional'}</span> ${limitsOf(schema)}</p>${text === undefined ? null : markup`<p>${withCode(text)}</p>`}</li>`;
}

function bodies(content: Readonly<Record<string, Media>> = {}, { withFields }: { withFields: boolean }): Html {
  return markup`${Object.entries(content).map(([type, media]) => {
    const { schema = {}, example, examples = {} } = media;
    const shown = [
      ...(example === undefined ? [] : [{ title: 'Example', value: example }]),
      ...Object.entries(examples).map(([name, one]) => ({ title: one.summary ?? name, value: one.value })),
    ];
    const samples = shown.map(({ title, value }) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
      return markup`<details><summary>${title}</summary><pre tabindex="0">${text}</pre></details>`;
    });
    return markup`<p><code>${type}</code> ${typeOf(schema)}</p>${withFields ? fieldsOf(schema) : null}${samples}`;
  })}`;
}

function namedSchema(name: string, schema: Schema): Html {
  const about = schema.description === undefined ? null : markup`<p>${withCode(schema.description)}</p>`;
  return markup`<article id="${anchorOf(name)}"><h3>${name}</h3>${about}${fieldsOf(schema) ?? markup`<p>${typeOf(schema)} ${limitsOf(schema)}</p>`}</article>`;
}
