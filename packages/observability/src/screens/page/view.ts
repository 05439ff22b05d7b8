/** What is drawn of a panel: plain values, so that they can be handed to a browser. */
export type PanelView = Frame & Body;

/** Where it stands on the page, px. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Frame {
  readonly title: string;
  readonly box: Box;
}

/** Epoch seconds, as many as there are values in each series. */
type Times = readonly number[];
export type Values = readonly (number | null)[];

export interface Line {
  readonly name: string;
  readonly color: string;
  readonly values: Values;
}

export interface Lines {
  readonly kind: 'lines';
  readonly times: Times;
  /** Of a stack each line is the sum of those up to it. */
  readonly lines: readonly Line[];
  readonly isStacked: boolean;
  readonly hasLegend: boolean;
  /** 0 to 1. */
  readonly fillOpacity: number;
  /** px */
  readonly lineWidth: number;
  readonly isStepped: boolean;
  readonly unit: string;
  readonly min: number | null;
  readonly max: number | null;
  readonly limits: readonly { readonly value: number; readonly color: string; readonly isDashed: boolean }[];
}

export interface Figure {
  readonly kind: 'figure';
  readonly number: string;
  readonly suffix: string;
  readonly color: string;
  readonly times: Times;
  /** The curve behind the number; empty where there is none. */
  readonly values: Values;
  readonly min: number | null;
  readonly max: number | null;
}

export interface Heatmap {
  readonly kind: 'heatmap';
  readonly times: Times;
  /** Upper ends, the smallest first. */
  readonly bounds: readonly number[];
  /** What fell into each bucket at each time: as many lists as bounds. */
  readonly cells: readonly Values[];
  readonly unit: string;
}

export interface Bars {
  readonly kind: 'bars';
  readonly isHorizontal: boolean;
  readonly bars: readonly {
    readonly name: string;
    readonly number: string;
    readonly suffix: string;
    readonly color: string;
    /** Of the whole length, 0 to 1. */
    readonly share: number;
  }[];
}

export type Body = { readonly kind: 'row' } | { readonly kind: 'empty' } | Lines | Figure | Heatmap | Bars;

export interface DashboardView {
  readonly title: string;
  /** What stands at the right of the title: variables and the time that is shown. */
  readonly remarks: readonly string[];
  readonly width: number;
  readonly height: number;
  readonly panels: readonly PanelView[];
}

declare global {
  /** Set before the page's script runs. */
  var dashboard: DashboardView | undefined;
  /** Set by the page's script once everything is drawn. */
  var isDrawn: boolean | undefined;
}
