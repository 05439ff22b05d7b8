import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

export interface Selector {
  readonly metric: string;
  /** Names of the labels that are matched. */
  readonly labels: readonly string[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** Names of the labels that series are grouped or joined by. */
  readonly grouping: readonly string[];
}

const rateInterval = '$__rate_interval';
/** A window that no query of ours has, for a parser that knows no variables of Grafana. */
const standIn = '4321s';

/** The matchers by which a dashboard shows one installation of several. */
const scope = 'namespace=~"$namespace",job=~"$job"';

function walk(node: SyntaxNode, visit: (node: SyntaxNode) => void): void {
  visit(node);
  for (let child = node.firstChild; child; child = child.nextSibling) walk(child, visit);
}

function parse(query: string): { text: string; nodes: SyntaxNode[] } {
  const text = query.replaceAll(rateInterval, standIn);
  const nodes: SyntaxNode[] = [];
  walk(parser.parse(text).topNode, (node) => nodes.push(node));
  const problem = nodes.find(({ type }) => type.isError);
  if (problem) throw new Error(`This is not PromQL, at character ${problem.from}: ${text}`);
  return { text, nodes };
}

/**
 * What a query asks for; variables of Grafana may stand in it as windows and as values of labels.
 * @throws when it is not PromQL.
 */
export function readQuery(query: string): Query {
  const { text, nodes } = parse(query);
  const of = ({ from, to }: SyntaxNode) => text.slice(from, to);
  const within = (node: SyntaxNode, name: string) => {
    const found: string[] = [];
    walk(node, (inner) => {
      if (inner.name === name) found.push(of(inner));
    });
    return found;
  };
  const selectors = nodes.filter(({ name }) => name === 'VectorSelector');
  return {
    selectors: selectors.map((node) => ({
      metric: within(node, 'Identifier')[0] ?? '',
      labels: within(node, 'LabelName'),
    })),
    grouping: nodes.filter(({ name }) => name === 'GroupingLabels').flatMap((node) => within(node, 'LabelName')),
  };
}

/** The query with every selector narrowed to the namespace and the job that the dashboard's variables name. */
export function scoped(query: string): string {
  let { text, nodes } = parse(query);
  for (const node of nodes.filter(({ name }) => name === 'VectorSelector').toReversed()) {
    const matchers = node.getChild('LabelMatchers');
    const at = matchers ? matchers.from + 1 : node.to;
    const isEmpty = matchers === null || text.slice(matchers.from + 1, matchers.to - 1).trim() === '';
    const inserted = matchers ? `${scope}${isEmpty ? '' : ','}` : `{${scope}}`;
    text = text.slice(0, at) + inserted + text.slice(at);
  }
  return text.replaceAll(standIn, rateInterval);
}
